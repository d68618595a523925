"""Beacon states from bytes: against Lodestar, which made them, and against remerkleable."""

from __future__ import annotations

import pytest

from sluice.beacon import ssz
from sluice.beacon.containers import BlockHeader, PendingDeposit, ValidatorRecord
from sluice.beacon.spec import FORKS, HEADER, MAINNET, MINIMAL, PENDING_DEPOSIT, VALIDATOR, beacon_state, fork_named
from sluice.beacon.state import BeaconState, StateTree
from sluice.units import Slot
from tests import beacon_types
from tests.beacon import EXITED, SLASHED, tree_at, world
from tools.make_state import make_state, serialize

STATES = [(fork, slot) for fork in FORKS for slot in world(fork).slots]


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_root_is_what_the_header_says_and_what_remerkleable_says(fork, slot):
    tree, data = tree_at(fork, slot), world(fork).data[slot]
    expected = world(fork).headers[slot]
    other = beacon_types.state_type(fork, "minimal").decode_bytes(data)
    assert tree.root == expected.state_root == bytes(other.hash_tree_root())
    assert tree.state.latest_block_header(tree.root) == expected


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_roots_of_all_fields_are_those_of_remerkleable(fork, slot):
    other = beacon_types.state_type(fork, "minimal").decode_bytes(world(fork).data[slot])
    tree = tree_at(fork, slot)
    for index, (name, _) in enumerate(tree.state.kind.fields):
        assert tree.top.leaves[index].tobytes() == bytes(getattr(other, name).hash_tree_root()), name


@pytest.mark.parametrize("fork", FORKS)
def test_blocks_are_a_chain_of_roots(fork):
    headers = [header for _, header in sorted(world(fork).headers.items())]
    assert [after.parent_root for after in headers[1:]] == [before.root() for before in headers[:-1]]
    missed = set(range(headers[-1].slot)) - world(fork).headers.keys()
    assert len(missed) > 5, "the chain was to have missed slots"


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_columns_are_what_remerkleable_reads(fork, slot):
    state = world(fork).state(slot)
    other = beacon_types.state_type(fork, "minimal").decode_bytes(world(fork).data[slot])
    assert state.slot == int(other.slot) == slot
    assert state.genesis_time == int(other.genesis_time)
    assert state.genesis_validators_root == bytes(other.genesis_validators_root)
    assert state.balances.tolist() == [int(balance) for balance in other.balances]
    assert len(state.validators) == len(other.validators) == 71
    for index, validator in enumerate(other.validators):
        record = state.validator(index)
        assert record.encoded() == validator.encode_bytes()
        assert record.root() == bytes(validator.hash_tree_root())
        row = state.validators[index]
        assert bytes(row["pubkey"]) == record.pubkey == bytes(validator.pubkey)
        assert bytes(row["credentials"]) == record.credentials == bytes(validator.withdrawal_credentials)
        numbers = ("effective_balance", "activation_eligibility_epoch", "activation_epoch", "exit_epoch")
        for name in (*numbers, "withdrawable_epoch"):
            assert int(row[name]) == getattr(record, name) == int(getattr(validator, name)), name
        assert bool(row["slashed"]) == record.slashed == bool(validator.slashed)
    assert [state.validator(i).slashed for i in (SLASHED, EXITED)] == [True, False]
    assert state.balance(EXITED) == 0
    assert len(state.pending_deposits) == len(other.pending_deposits) == 3
    for index, deposit in enumerate(other.pending_deposits):
        mine = state.pending_deposit(index)
        assert mine.encoded() == deposit.encode_bytes()
        assert mine.root() == bytes(deposit.hash_tree_root())
        assert mine.signature_root == bytes(deposit.signature.hash_tree_root())
        assert int(state.pending_deposits["amount"][index]) == mine.amount


@pytest.mark.parametrize("fork", FORKS)
def test_the_next_state_costs_what_has_changed_and_has_the_same_root(fork):
    first, second = world(fork).slots
    tree = StateTree()
    for slot in (first, second, second, first):  # back again, too: fewer of nothing, but other bytes
        tree.load(world(fork).state(slot))
        fresh = tree_at(fork, slot)
        assert tree.root == fresh.root
        assert tree.tree("validators").branch(SLASHED) == fresh.tree("validators").branch(SLASHED)


def test_one_tree_takes_states_of_one_fork_after_the_other_and_of_another_preset():
    tree = StateTree()
    for fork, slot in STATES:
        assert tree.load(world(fork).state(slot)) == world(fork).headers[slot].state_root
    mainnet, fresh = BeaconState.decode(make_state(50, summaries=3), "fulu", MAINNET), StateTree()
    assert tree.load(mainnet) == fresh.load(mainnet)
    assert tree.load(world("fulu").state(334)) == world("fulu").headers[334].state_root


def test_a_generated_state_of_mainnet_has_the_root_of_remerkleable_also_a_day_later():
    tree, kind = StateTree(), beacon_types.state_type("fulu", "mainnet")
    for age in (0, 1):
        data = make_state(200, ours=50, age=age, summaries=9)
        assert tree.load(BeaconState.decode(data, "fulu", MAINNET)) == bytes(kind.decode_bytes(data).hash_tree_root())


def test_validators_and_pending_deposits_that_grow_and_shrink():
    tree = StateTree()
    kind = beacon_types.state_type("fulu", "minimal")
    for count in (40, 3, 90, 90, 41, 0, 5):
        data = make_state(count * 20, preset=MINIMAL, summaries=count)
        state = kind.decode_bytes(data)
        assert tree.load(BeaconState.decode(data, "fulu", MINIMAL)) == bytes(state.hash_tree_root()), count


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_validators_are_found_by_all_of_their_credentials(fork, slot):
    state = world(fork).state(slot)
    each = [state.validator(index).credentials for index in range(71)]
    for credentials in {*each, bytes(32), bytes([each[0][0] ^ 1]) + each[0][1:], each[0][:-1] + b"\0"}:
        expected = [index for index, its in enumerate(each) if its == credentials]
        assert state.indices_with(credentials).tolist() == expected
    assert any(each.count(credentials) > 1 for credentials in each)
    with pytest.raises(ValueError, match="credentials of 20 bytes"):
        state.indices_with(bytes(20))


# --- What is not a state ---


def test_a_fork_has_as_many_fields_as_its_specification():
    assert [len(beacon_state(fork, MAINNET).fields) for fork in FORKS] == [37, 38]


@pytest.mark.parametrize(("fork", "slot"), STATES[::2])
def test_a_state_read_as_one_of_the_other_fork_is_refused_or_has_another_root(fork, slot):
    other = "fulu" if fork == "electra" else "electra"
    with pytest.raises(ssz.SszError, match="lies from"):
        BeaconState.decode(world(fork).data[slot], other, MINIMAL)


@pytest.mark.parametrize("cut", [1, 100, 22_000])
def test_a_state_cut_short_is_refused(cut):
    with pytest.raises(ssz.SszError):
        BeaconState.decode(world("electra").data[335][:-cut], "electra", MINIMAL)


def test_a_state_with_bytes_behind_it_is_refused():
    with pytest.raises(ssz.SszError, match="no whole number of elements"):
        BeaconState.decode(world("electra").data[335] + b"\0", "electra", MINIMAL)


def test_offsets_must_follow_each_other():
    kind = ssz.Container("Two", (("a", ssz.List(ssz.UINT64, 4)), ("b", ssz.List(ssz.UINT64, 4))))
    good = b"\x08\0\0\0\x10\0\0\0" + bytes(8)
    assert {k: bytes(v) for k, v in ssz.parts(kind, memoryview(good)).items()} == {"a": bytes(8), "b": b""}
    for bad in (b"\x09\0\0\0\x10\0\0\0", b"\x08\0\0\0\x07\0\0\0", b"\x08\0\0\0\x11\0\0\0", b"\x10\0\0\0\x08\0\0\0"):
        with pytest.raises(ssz.SszError, match="lies from"):
            ssz.parts(kind, memoryview(bad + bytes(8)))


def test_balances_without_validators_are_refused():
    kind = beacon_state("fulu", MINIMAL)
    data = serialize(kind, {"validators": bytes(121), "balances": bytes(16)})
    with pytest.raises(ssz.SszError, match="1 validators with 2 balances"):
        BeaconState.decode(data, "fulu", MINIMAL)


def test_a_list_beyond_its_limit_is_refused():
    kind = beacon_state("fulu", MINIMAL)
    data = serialize(kind, {"pending_consolidations": bytes(16 * 65)})
    with pytest.raises(ssz.SszError, match="65 elements in a list of at most 64"):
        BeaconState.decode(data, "fulu", MINIMAL)


def test_a_state_that_slots_have_passed_since_has_no_header_of_its_own():
    state = world("fulu").state(334)
    with pytest.raises(LookupError):
        StateTree().state  # noqa: B018
    data = bytearray(world("fulu").data[334])
    at = 8 + 32 + 8 + 16 + 8 + 8 + 32  # state_root of the newest header
    data[at : at + 32] = b"\x01" * 32
    later = BeaconState.decode(bytes(data), "fulu", MINIMAL)
    assert state.latest_block_header(b"\x02" * 32).state_root == b"\x02" * 32
    with pytest.raises(ssz.SszError, match="slots have passed"):
        later.latest_block_header(b"\x02" * 32)


@pytest.mark.parametrize("index", [-1, 71])
def test_a_validator_that_is_not_there_is_not_read(index):
    with pytest.raises(IndexError):
        world("fulu").state(334).validator(index)


def test_records_and_headers_are_encoded_as_they_were_read():
    for kind, cls in ((HEADER, BlockHeader), (VALIDATOR, ValidatorRecord), (PENDING_DEPOSIT, PendingDeposit)):
        size = ssz.fixed_size(kind)
        data = bytes(i % 2 for i in range(size))
        assert cls.decode(data).encoded() == data
    assert BlockHeader.decode(bytes(112)).slot == Slot(0)


def test_fork_that_is_not_known_is_named():
    assert [fork_named(fork) for fork in FORKS] == list(FORKS)
    with pytest.raises(ValueError, match="the fork 'gloas' are not known"):
        fork_named("gloas")
