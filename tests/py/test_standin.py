"""The stand-in beside a real node and the real deposit contract."""

from contextlib import suppress
from hashlib import sha256

import pytest
from eth_abi import encode
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluice.chain.deposits import DEPOSIT_TOPIC, Deposit, decode_deposit, encode_deposit
from sluice.chain.interface import ChainSpec, Status
from sluice.chain.node import HttpNode, Log, NodeError, block_at, call, get_balance, get_block, get_logs, mine_at, send
from sluice.chain.passing import advance_days, advance_epochs, advance_seconds, pay
from sluice.chain.standin import Frames, StandIn
from sluice.chain.state import ConsensusError, Rules
from sluice.chain.system_contracts import DEPOSIT_CONTRACT
from tests.py.anvil import DEV, running_anvil

ETHER = 10**9  # gwei
DAY_SLOTS = 7_200
GATEWAY = "0x" + "aa" * 20
OURS = b"\x02" + bytes(11) + b"\xaa" * 20
RULES = Rules(seed=11)


@pytest.fixture(scope="module")
def shared_node():
    with running_anvil() as node:
        yield node


@pytest.fixture
def node(shared_node):
    mark = shared_node.request("evm_snapshot")
    yield shared_node
    shared_node.request("evm_revert", mark)


@pytest.fixture
def layer(node):
    return new_layer(node)


def new_layer(node: HttpNode) -> StandIn:
    head = get_block(node)
    return StandIn(
        node,
        deposit_contract=DEPOSIT_CONTRACT,
        spec=ChainSpec(genesis_time=head.timestamp),
        frames=Frames(0, DAY_SLOTS),
        rules=RULES,
        first_block=head.number,
    )


def key(n: int) -> bytes:
    return bytes([n]) * 48


def deposit_root(pubkey: bytes, credentials: bytes, amount: int, signature: bytes) -> bytes:
    """hash_tree_root(DepositData), consensus specs, phase 0."""

    def join(left: bytes, right: bytes) -> bytes:
        return sha256(left + right).digest()

    signature_root = join(join(signature[:32], signature[32:64]), join(signature[64:], bytes(32)))
    amount_chunk = amount.to_bytes(8, "little") + bytes(24)
    return join(join(join(pubkey[:32], pubkey[32:] + bytes(16)), credentials), join(amount_chunk, signature_root))


def deposit(node: HttpNode, n: int, amount: int, credentials: bytes = OURS) -> bytes:
    """A real deposit by a third party; gwei."""
    signature = sha256(key(n)).digest() * 3
    root = deposit_root(key(n), credentials, amount, signature)
    arguments = encode(["bytes", "bytes", "bytes", "bytes32"], [key(n), credentials, signature, root])
    data = keccak(text="deposit(bytes,bytes,bytes,bytes32)")[:4] + arguments
    transaction = {"from": DEV, "to": DEPOSIT_CONTRACT, "value": hex(amount * 10**9), "data": "0x" + data.hex()}
    assert send(node, transaction)["status"] == "0x1"
    return signature


# --- Deposits ---


def test_event_of_the_deposit_contract_is_read_field_by_field(node):
    before = int.from_bytes(call(node, DEPOSIT_CONTRACT, "get_deposit_count()", returns=["bytes"])[0], "little")
    signature = deposit(node, 7, 32 * ETHER + 1)
    head = get_block(node)
    (log,) = get_logs(node, DEPOSIT_CONTRACT, [DEPOSIT_TOPIC], head.number, head.number)
    expected = Deposit(key(7), OURS, 32 * ETHER + 1, signature, before, head.number)
    assert decode_deposit(log) == expected
    assert encode_deposit(expected) == log.data


def test_numbers_are_little_endian():
    item = Deposit(key(1), OURS, 0x0102030405060708, bytes(96), 0x1112, 5)
    data = encode_deposit(item)
    assert bytes.fromhex("0807060504030201") in data
    assert decode_deposit(Log(5, 0, DEPOSIT_CONTRACT, (DEPOSIT_TOPIC,), data, "")) == item


def test_foreign_event_is_no_deposit():
    with pytest.raises(ValueError, match="not a DepositEvent"):
        decode_deposit(Log(5, 0, DEPOSIT_CONTRACT, (bytes(32),), b"", ""))


def test_field_of_another_length_is_refused():
    data = encode(["bytes"] * 5, [key(1)[1:], OURS, bytes(8), bytes(96), bytes(8)])
    with pytest.raises(ValueError, match=r"\(47, 32, 96\)"):
        decode_deposit(Log(5, 0, DEPOSIT_CONTRACT, (DEPOSIT_TOPIC,), data, ""))
    data = encode(["bytes"] * 5, [key(1), OURS, bytes(9), bytes(96), bytes(8)])
    with pytest.raises(ValueError, match="9 and 8 bytes"):
        decode_deposit(Log(5, 0, DEPOSIT_CONTRACT, (DEPOSIT_TOPIC,), data, ""))


def test_real_deposit_becomes_a_validator(node, layer):
    deposit(node, 1, 32 * ETHER)
    layer.sync()
    assert layer.view(layer.slot, OURS).balance == 32 * ETHER
    assert layer.validators() == []
    advance_epochs(layer, 10)
    (info,) = layer.validators(OURS)
    assert (info.pubkey, info.status) == (key(1), Status.ACTIVE)
    assert layer.conservation().holds


# --- Time ---


def test_both_clocks_advance_together(node, layer):
    start = get_block(node)
    advance_days(layer, 30)
    head = get_block(node)
    assert head.timestamp == start.timestamp + 30 * 86_400 == layer.spec.time_of(layer.slot)
    assert head.number - start.number == 30  # one block a frame


def test_seconds_are_rounded_up_to_slots(node, layer):
    start = get_block(node).timestamp
    advance_seconds(layer, 13)
    assert get_block(node).timestamp == start + 24


def test_every_reference_slot_has_a_block_at_its_second(node, layer):
    advance_days(layer, 3)
    for day in (1, 2, 3):
        stamp = layer.stamp(day * DAY_SLOTS)
        block = get_block(node, stamp.block)
        assert (block.timestamp, block.hash) == (stamp.time, stamp.block_hash)
        assert stamp.time == layer.spec.time_of(day * DAY_SLOTS)


def test_time_that_others_moved_is_caught_up(node, layer):
    deposit(node, 1, 32 * ETHER)
    between = layer.spec.time_of(DAY_SLOTS) - 5
    mine_at(node, between)
    expected_block = get_block(node).number
    mine_at(node, layer.spec.time_of(2 * DAY_SLOTS) + 50)
    deposit(node, 2, 40 * ETHER)
    layer.sync()
    assert layer.stamp(DAY_SLOTS).block == expected_block == layer.stamp(2 * DAY_SLOTS).block
    assert layer.view(DAY_SLOTS, OURS).deposits == layer.view(2 * DAY_SLOTS, OURS).deposits == 32 * ETHER
    assert layer.view(layer.slot, OURS).deposits == 72 * ETHER


def test_reference_slot_does_not_move_with_later_deposits_and_sweeps(node, layer):
    deposit(node, 1, 32 * ETHER)
    advance_days(layer, 1)
    at = layer.slot
    seen = layer.view(at, OURS)
    layer.exit(key(1))
    deposit(node, 2, 32 * ETHER)
    layer.sync()
    assert layer.view(at, OURS) == seen
    advance_seconds(layer, 86_400 * 3 // 2)
    assert layer.view(layer.slot, OURS).withdrawn > 0
    assert layer.view(at, OURS) == seen
    assert layer.view(at + DAY_SLOTS, OURS).withdrawn == 0


def test_forgotten_slot_is_named(layer):
    with pytest.raises(ConsensusError, match=r"slot 5 is not kept; kept are \[\]"):
        layer.view(5, OURS)
    advance_days(layer, 20)
    with pytest.raises(ConsensusError, match="slot 7200 is not kept"):
        layer.view(DAY_SLOTS, OURS)
    layer.view(19 * DAY_SLOTS, OURS)


def test_going_back_in_time_is_refused(node, layer):
    advance_days(layer, 1)
    with pytest.raises(ConsensusError, match="is before"):
        layer.advance_to(layer.slot - 1)
    mark = node.request("evm_snapshot")
    advance_days(layer, 1)
    node.request("evm_revert", mark)
    with pytest.raises(ConsensusError, match="the chain went back"):
        layer.sync()


def test_frames_are_the_slots_between():
    frames = Frames(10, 5)
    assert [*frames.between(0, 9)] == []
    assert [*frames.between(9, 10)] == [10]
    assert [*frames.between(10, 24)] == [15, 20]
    assert [*frames.between(14, 15)] == [15]


def test_block_at_finds_the_newest_that_is_old_enough(node):
    first = get_block(node)
    blocks = [first] + [mine_at(node, first.timestamp + 10 * n) for n in range(1, 8)]
    for time in range(first.timestamp, first.timestamp + 75):
        expected = max((b for b in blocks if b.timestamp <= time), key=lambda b: b.number)
        assert block_at(node, time, first.number) == expected
    with pytest.raises(ValueError, match="younger"):
        block_at(node, first.timestamp - 1, first.number)


# --- Withdrawals ---


def test_exit_is_credited_to_the_address_of_the_credentials(node, layer):
    before = get_balance(node, GATEWAY)
    deposit(node, 1, 32 * ETHER)
    advance_days(layer, 1)
    layer.exit(key(1))
    advance_days(layer, 3)
    view = layer.view(layer.slot, OURS)
    assert view.balance == 0
    assert view.withdrawn > 32 * ETHER
    assert get_balance(node, GATEWAY) - before == view.withdrawn * 10**9
    assert layer.validators()[0].status == Status.WITHDRAWN
    assert layer.conservation().holds


def test_credit_belongs_to_the_block_of_its_slot(node, layer):
    deposit(node, 1, 2_048 * ETHER)
    advance_days(layer, 3)
    for day in (2, 3):
        stamp = layer.stamp(day * DAY_SLOTS)
        received = get_balance(node, GATEWAY, stamp.block)
        assert received == layer.view(stamp.slot, OURS).withdrawn * 10**9 > 0


def test_tips_are_ordinary_transactions(node):
    receiver = "0x" + "dd" * 20
    before = get_balance(node, DEV)
    cost = pay(node, DEV, receiver, 10**17)
    assert get_balance(node, receiver) == 10**17
    assert get_balance(node, DEV) == before - 10**17 - cost


def test_ether_forced_into_the_deposit_contract_is_shown(node, layer):
    deposit(node, 1, 32 * ETHER)
    layer.sync()
    node.request("anvil_addBalance", DEPOSIT_CONTRACT, hex(5))
    layer.sync()
    ledger = layer.conservation()
    assert (ledger.forced, ledger.gap, ledger.holds) == (5, 0, True)


# --- Keeping ---


def test_saved_state_goes_on_where_it_was(node, layer, tmp_path):
    deposit(node, 1, 2_048 * ETHER)
    deposit(node, 2, 32 * ETHER)
    advance_days(layer, 2)
    layer.slash(key(2), 3 * ETHER)
    deposit(node, 3, 33 * ETHER)
    advance_seconds(layer, 500)
    path = tmp_path / "state" / "consensus.json"
    layer.save(path)
    again = StandIn.load(path, node)
    assert again.to_json() == layer.to_json()
    assert again.view(2 * DAY_SLOTS, OURS) == layer.view(2 * DAY_SLOTS, OURS)
    advance_days(again, 40)
    assert again.conservation().holds
    assert again.conservation().penalties == 32 * ETHER // 4_096 + 3 * ETHER


def test_state_of_another_chain_is_refused(node, layer, tmp_path):
    path = tmp_path / "consensus.json"
    layer.save(path)
    text = path.read_text()
    path.write_text(text.replace(layer.to_json()["chain"], "00" * 32))
    with pytest.raises(ValueError, match=r"of chain 0000.*delete the file"):
        StandIn.load(path, node)
    path.write_text(text.replace('"format": 1', '"format": 9'))
    with pytest.raises(ValueError, match="format 9; this version reads 1"):
        StandIn.load(path, node)


def test_error_of_the_node_is_named(node):
    with pytest.raises(NodeError, match="eth_nonsense") as caught:
        node.request("eth_nonsense")
    assert caught.value.code == -32601


# --- Conservation ---


def test_ether_is_conserved_across_both_sides(shared_node):
    class Machine(RuleBasedStateMachine):
        @initialize()
        def start(self):
            self.mark = shared_node.request("evm_snapshot")
            self.layer = new_layer(shared_node)
            self.gateway = get_balance(shared_node, GATEWAY)
            self.spent = 0

        def teardown(self):
            shared_node.request("evm_revert", self.mark)

        @rule(n=st.integers(0, 3), amount=st.integers(ETHER, 100 * ETHER))
        def deposit(self, n, amount):
            deposit(shared_node, n, amount)
            self.spent += amount

        @rule(seconds=st.integers(1, 40 * 86_400))
        def advance(self, seconds):
            advance_seconds(self.layer, seconds)

        @rule(n=st.integers(0, 3), later=st.none() | st.integers(0, 50 * ETHER))
        def slash(self, n, later):
            self.attempt(self.layer.slash, key(n), later)

        @rule(n=st.integers(0, 3))
        def leave(self, n):
            self.attempt(self.layer.exit, key(n))

        def attempt(self, function, *args):
            with suppress(ConsensusError):
                function(*args)

        @invariant()
        def both_sides_agree(self):
            if not hasattr(self, "layer"):
                return
            self.layer.sync()
            ledger = self.layer.conservation()
            assert ledger.holds
            assert (ledger.deposited, ledger.forced) == (self.spent, 0)
            view = self.layer.view(self.layer.slot, OURS)
            assert get_balance(shared_node, GATEWAY) - self.gateway == view.withdrawn * 10**9 == ledger.credited
            assert view.balance == ledger.balances + ledger.pending

    Machine.TestCase.settings = settings(
        max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    Machine.TestCase().runTest()
