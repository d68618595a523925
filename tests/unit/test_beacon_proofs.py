"""BeaconProofs on a node with the specified EIP-4788 contract, with proofs of real states: rows E1 to E7."""

from __future__ import annotations

import time
from dataclasses import astuple, replace
from hashlib import sha256
from itertools import permutations
from typing import Any

import ape
import pytest
from ape import project
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from sluice.beacon import proofs
from sluice.beacon.containers import BlockHeader, ValidatorRecord
from sluice.beacon.merkle import ZERO_ROOTS, fold
from sluice.beacon.proofs import full_branch, layout
from sluice.beacon.spec import FORKS, MAINNET, MINIMAL
from sluice.beacon.state import BeaconState, StateTree
from sluice.chain.system_contracts import install_system_contracts
from sluice.units import Epoch, Gwei, Slot
from tests.beacon import (
    CONFIG_TYPE,
    EXITED,
    PERIOD,
    SLASHED,
    balance_call,
    block_call,
    config,
    count_call,
    deposit_call,
    historical_proof,
    other_layout,
    tree_at,
    validator_call,
    world,
)
from tests.helpers import warp_to
from tests.reverts import reverts
from tools.make_state import make_state

ROOTS = "0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02"
SYSTEM = "0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE"
SLOT = 12
RING = 8191
FORK, STATE = "fulu", 338
STATES = [(fork, slot) for fork in FORKS for slot in world(fork).slots]
ROOT_A, ROOT_B, ROOT_C = (bytes([byte]) * 32 for byte in b"abc")


# --- A node with roots ---


def request(method: str, *params: Any) -> Any:
    return ape.chain.provider.make_request(method, list(params))


def publish(timestamp: int, root: bytes) -> int:
    """What the consensus layer does at the start of the block at ``timestamp``: the root of its parent."""
    request("anvil_setBalance", SYSTEM, hex(10**18))
    request("anvil_impersonateAccount", SYSTEM)
    request("evm_setNextBlockTimestamp", timestamp)
    sent = request("eth_sendTransaction", {"from": SYSTEM, "to": ROOTS, "data": "0x" + root.hex(), "gas": hex(100_000)})
    deadline = time.monotonic() + 10
    while (receipt := request("eth_getTransactionReceipt", sent)) is None:
        assert time.monotonic() < deadline, "not mined"
    assert int(receipt["status"], 16) == 1
    assert ape.chain.blocks.head.timestamp == timestamp
    return timestamp


def outcome(target: Any, data: bytes) -> tuple[str, bytes]:
    """What a call gives: the name of its error, "" for none, and the data."""
    answer = ape.chain.provider.web3.provider.make_request(
        "eth_call", [{"to": target.address, "data": "0x" + data.hex()}, "latest"]
    )
    if "error" not in answer:
        return "", bytes.fromhex(answer["result"][2:])
    failure = bytes.fromhex((answer["error"].get("data") or "0x")[2:])
    names = {keccak(text=error.selector)[:4]: error.name for error in target.contract_type.errors}
    return names.get(failure[:4], "0x" + failure[:4].hex()), failure[4:]


@pytest.fixture(scope="module")
def deployer():
    return ape.accounts.test_accounts[0]


@pytest.fixture(scope="module")
def contract(deployer):
    """For a chain as the vectors are: the layout of Electra and Fulu from slot 0 on."""
    install_system_contracts(ape.chain.provider.web3)
    return deployer.deploy(project.BeaconProofs, config().as_tuple())


@pytest.fixture(scope="module")
def genesis(contract):
    """Time of a slot in the near future, from which on tests publish."""
    return (ape.chain.blocks.head.timestamp // SLOT + 10) * SLOT


@pytest.fixture(scope="module")
def tree():
    return tree_at(FORK, STATE)


def arguments(proof: Any) -> tuple[Any, ...]:
    """Of a proof, as the contract takes them."""
    if isinstance(proof, proofs.ValidatorProof):
        return proof.header.as_tuple(), proof.index, proof.record.as_tuple(), proof.branch
    if isinstance(proof, proofs.BalanceProof):
        return proof.header.as_tuple(), proof.index, proof.balances, proof.branch
    if isinstance(proof, proofs.PendingDepositProof):
        return proof.header.as_tuple(), proof.index, proof.deposit.as_tuple(), proof.branch
    if isinstance(proof, proofs.BlockProof):
        return proof.header.as_tuple(), proof.slot, proof.block.as_tuple(), proof.branch
    return proof.header.as_tuple(), proof.count, proof.branch


# --- What is true is proven ---


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_header_of_a_real_block_is_proven_at_the_time_of_its_child(contract, genesis, fork, slot):
    header = world(fork).headers[slot]
    publish(genesis, header.root())
    contract.verifyHeader(genesis, header.as_tuple())
    assert contract.headerRoot(header.as_tuple()) == header.root()


@pytest.mark.parametrize(("fork", "slot"), STATES)
def test_everything_in_a_real_state_is_proven(contract, fork, slot):
    tree = tree_at(fork, slot)
    for index in range(71):
        error, data = outcome(contract, validator_call(proofs.validator_proof(tree, index)))
        assert (error, int.from_bytes(data)) == ("", 71), index
        proof = proofs.balance_proof(tree, index)
        error, data = outcome(contract, balance_call(proof))
        assert (error, int.from_bytes(data)) == ("", tree.state.balance(index)), index
    for index in range(3):
        error, data = outcome(contract, deposit_call(proofs.pending_deposit_proof(tree, index)))
        assert (error, int.from_bytes(data)) == ("", 3), index
    assert outcome(contract, count_call("verifyValidatorCount", proofs.validator_count_proof(tree)))[0] == ""
    assert outcome(contract, count_call("verifyPendingDepositCount", proofs.pending_deposit_count_proof(tree)))[0] == ""


@pytest.mark.parametrize("fork", FORKS)
def test_every_slot_there_was_is_proven_by_one_new_block(contract, fork):
    slot, chain = world(fork).slots[0], world(fork)
    tree = tree_at(fork, slot)
    for asked in range(slot - PERIOD, slot):
        proof = proofs.block_proof(tree, Slot(asked), chain.newest(asked))
        assert outcome(contract, block_call("verifyBlock", proof))[0] == "", asked
    for asked in range(0, 5 * PERIOD, 3):
        assert outcome(contract, block_call("verifyHistoricalBlock", historical_proof(fork, slot, asked)))[0] == ""


def test_records_say_who_was_slashed_and_who_left(tree):
    slashed, exited = (proofs.validator_proof(tree, index).record for index in (SLASHED, EXITED))
    assert slashed.slashed
    assert not exited.slashed
    assert max(slashed.exit_epoch, exited.exit_epoch) < 100
    assert proofs.balance_proof(tree, EXITED).balance == 0


@pytest.fixture(scope="module")
def large():
    """A generated state of mainnet's preset."""
    tree = StateTree()
    tree.load(BeaconState.decode(make_state(3_001, ours=500), "fulu", MAINNET))
    return tree


@pytest.fixture(scope="module")
def mainnet(contract, deployer):
    first = layout("electra", MAINNET, Slot(364_032 * 32))
    given = proofs.ProofsConfig((first,), Slot(2**40), 8192, Slot(758 * 8192))
    return deployer.deploy(project.BeaconProofs, given.as_tuple())


@given(index=st.integers(0, 3_000), other=st.integers(0, 3_000))
def test_any_validator_of_a_large_state_is_proven_and_at_no_other_index(mainnet, large, index, other):
    proof = proofs.validator_proof(large, index)
    assert outcome(mainnet, validator_call(proof)) == ("", (3_001).to_bytes(32))
    balance = proofs.balance_proof(large, index)
    assert outcome(mainnet, balance_call(balance)) == ("", large.state.balance(index).to_bytes(32))
    if other != index:
        assert outcome(mainnet, validator_call(replace(proof, index=other)))[0] == "StateRootMismatch"
    if other // 4 != index // 4:
        assert outcome(mainnet, balance_call(replace(balance, index=other)))[0] == "StateRootMismatch"


# --- E1: the ring of roots ---


def test_E1_root_is_found_at_the_time_of_the_child_alone(contract, genesis):
    publish(genesis, ROOT_A)
    publish(genesis + SLOT, ROOT_B)
    publish(genesis + 3 * SLOT, ROOT_C)  # a slot was missed
    assert contract.rootAt(genesis) == ROOT_A
    assert contract.rootAt(genesis + SLOT) == ROOT_B
    assert contract.rootAt(genesis + 3 * SLOT) == ROOT_C
    for moment in (genesis - 1, genesis + 1, genesis - SLOT, genesis + 2 * SLOT, genesis + 4 * SLOT, 2**256 - 1):
        with reverts(contract.RootMissing, timestamp=moment):
            contract.rootAt(moment)


def test_E1_time_zero_has_no_root(contract):
    with reverts(contract.RootMissing, timestamp=0):
        contract.rootAt(0)


def test_E1_times_that_share_a_place_in_the_ring_are_not_taken_for_each_other(contract, genesis):
    publish(genesis, ROOT_A)
    for alias in (genesis + RING, genesis - RING, genesis + RING * SLOT, genesis % RING):
        with reverts(contract.RootMissing, timestamp=alias):
            contract.rootAt(alias)


def test_E1_root_is_gone_when_the_ring_has_come_round(contract, genesis):
    publish(genesis, ROOT_A)
    publish(genesis + RING * SLOT, ROOT_B)
    assert contract.rootAt(genesis + RING * SLOT) == ROOT_B
    with reverts(contract.RootMissing, timestamp=genesis):
        contract.rootAt(genesis)
    header = world(FORK).headers[STATE]
    with reverts(contract.RootMissing, timestamp=genesis):
        contract.verifyHeader(genesis, header.as_tuple())


def test_E1_header_is_not_proven_by_its_own_time_nor_by_that_of_a_grandchild(contract, genesis):
    headers = world(FORK).headers
    header, parent, child = headers[300], headers[299], headers[301]
    publish(genesis, parent.root())
    publish(genesis + SLOT, header.root())
    publish(genesis + 2 * SLOT, child.root())
    contract.verifyHeader(genesis + SLOT, header.as_tuple())
    for moment, published in ((genesis, parent), (genesis + 2 * SLOT, child)):
        with reverts(contract.HeaderMismatch, root=header.root(), expected=published.root()):
            contract.verifyHeader(moment, header.as_tuple())


def test_E1_header_with_any_other_field_is_refused(contract, genesis):
    header = world(FORK).headers[STATE]
    publish(genesis, header.root())
    for name in ("slot", "proposer_index"):
        other = replace(header, **{name: getattr(header, name) + 1})
        with reverts(contract.HeaderMismatch, root=other.root(), expected=header.root()):
            contract.verifyHeader(genesis, other.as_tuple())
    for name in ("parent_root", "state_root", "body_root"):
        other = replace(header, **{name: ROOT_A})
        with reverts(contract.HeaderMismatch, root=other.root(), expected=header.root()):
            contract.verifyHeader(genesis, other.as_tuple())


def test_E1_first_root_after_a_slot_skips_what_was_missed(contract, genesis):
    publish(genesis, ROOT_A)
    publish(genesis + SLOT, ROOT_B)
    publish(genesis + 4 * SLOT, ROOT_C)
    assert tuple(contract.firstRootAfter(genesis, SLOT, 8)) == (ROOT_B, genesis + SLOT)
    for missed in (1, 2, 3):  # the newest block at or before each of these slots is the same
        begins = genesis + missed * SLOT
        assert tuple(contract.firstRootAfter(begins, SLOT, 8)) == (ROOT_C, genesis + 4 * SLOT)
    assert tuple(contract.firstRootAfter(genesis + SLOT, SLOT, 3)) == (ROOT_C, genesis + 4 * SLOT)
    with reverts(contract.NoBlockAfter, time=genesis + SLOT, maxSlots=2):
        contract.firstRootAfter(genesis + SLOT, SLOT, 2)
    with reverts(contract.NoBlockAfter, time=genesis + 4 * SLOT, maxSlots=8):
        contract.firstRootAfter(genesis + 4 * SLOT, SLOT, 8)
    with reverts(contract.NoBlockAfter, time=genesis + 1, maxSlots=8):  # no slot begins then
        contract.firstRootAfter(genesis + 1, SLOT, 8)
    with reverts(contract.NoBlockAfter, time=genesis, maxSlots=0):
        contract.firstRootAfter(genesis, SLOT, 0)


def test_E1_first_root_after_ends_before_a_later_block_could_be_taken_for_the_first(contract, genesis):
    """The child of the reference slot is overwritten 8191 slots after it; its successor is still there."""
    publish(genesis + SLOT, ROOT_A)
    publish(genesis + 2 * SLOT, ROOT_B)
    warp_to(genesis + (RING + 1) * SLOT - 1)
    assert tuple(contract.firstRootAfter(genesis, SLOT, 8)) == (ROOT_A, genesis + SLOT)
    publish(genesis + (RING + 1) * SLOT, ROOT_C)
    assert contract.rootAt(genesis + 2 * SLOT) == ROOT_B
    with reverts(contract.RootExpired, time=genesis):
        contract.firstRootAfter(genesis, SLOT, 8)


def test_E1_chain_without_the_contract_has_no_roots(contract, genesis):
    publish(genesis, ROOT_A)
    request("anvil_setCode", ROOTS, "0x")
    with reverts(contract.RootMissing, timestamp=genesis):
        contract.rootAt(genesis)


# --- E2: forged branches ---


def test_E2_empty_branch_is_refused(contract, tree):
    for proof in (
        proofs.validator_proof(tree, 1),
        proofs.balance_proof(tree, 1),
        proofs.pending_deposit_proof(tree, 1),
    ):
        method = method_of(contract, proof)
        with reverts(contract.BranchLengthInvalid, length=0, expected=7):
            method(*arguments(replace(proof, branch=[])))
    count = replace(proofs.validator_count_proof(tree), branch=[])
    with reverts(contract.BranchLengthInvalid, length=0, expected=7):
        contract.verifyValidatorCount(*arguments(count))
    block = proofs.block_proof(tree, Slot(300), world(FORK).headers[300])
    with reverts(contract.BranchLengthInvalid, length=0, expected=12):
        contract.verifyBlock(*arguments(replace(block, branch=[])))
    historical = historical_proof(FORK, STATE, 70)
    with reverts(contract.BranchLengthInvalid, length=0, expected=14):
        contract.verifyHistoricalBlock(*arguments(replace(historical, branch=[])))


def method_of(contract: Any, proof: Any) -> Any:
    return {
        proofs.ValidatorProof: contract.verifyValidator,
        proofs.BalanceProof: contract.verifyBalance,
        proofs.PendingDepositProof: contract.verifyPendingDeposit,
    }[type(proof)]


@pytest.mark.parametrize("cut", range(1, 14))
def test_E2_branch_without_its_first_siblings_is_refused(contract, tree, cut):
    """A node on the way in place of the leaf, as far as that can be given: the length is found in the wrong place."""
    proof = proofs.validator_proof(tree, 1)
    short = replace(proof, branch=proof.branch[cut:])
    error, _ = outcome(contract, validator_call(short))
    assert error == "BranchLengthInvalid"


def test_E2_branch_without_its_last_siblings_is_refused(contract, tree):
    proof = proofs.validator_proof(tree, 1)
    for cut in range(1, 14):
        error, _ = outcome(contract, validator_call(replace(proof, branch=proof.branch[:-cut])))
        assert error in ("ListLengthInvalid", "BranchLengthInvalid")


def test_E2_longer_branch_is_refused_wherever_it_is_longer(contract, tree):
    proof = proofs.validator_proof(tree, 1)
    for place in range(len(proof.branch) + 1):
        for more in (bytes(32), proof.branch[0], ZERO_ROOTS[7]):
            longer = [*proof.branch[:place], more, *proof.branch[place:]]
            error, _ = outcome(contract, validator_call(replace(proof, branch=longer)))
            assert error in ("ListLengthInvalid", "BranchLengthInvalid", "IndexOutOfBounds"), place


def test_E2_longer_branch_of_counts_and_blocks_is_refused(contract, tree):
    count = proofs.validator_count_proof(tree)
    block = proofs.block_proof(tree, Slot(300), world(FORK).headers[300])
    for more in (bytes(32), count.branch[0]):
        for longer in ([*count.branch, more], [more, *count.branch]):
            with reverts(contract.BranchLengthInvalid, length=8, expected=7):
                contract.verifyValidatorCount(*arguments(replace(count, branch=longer)))
        for longer in ([*block.branch, more], [more, *block.branch]):
            with reverts(contract.BranchLengthInvalid, length=13, expected=12):
                contract.verifyBlock(*arguments(replace(block, branch=longer)))


def test_E2_branch_with_the_siblings_that_are_known_is_refused(contract, tree):
    """There is one branch for a leaf, not two."""
    proof = proofs.validator_proof(tree, 1)
    full = full_branch(proof.branch, 0, 71, 40)
    with reverts(contract.BranchLengthInvalid, length=47, expected=14):
        contract.verifyValidator(*arguments(replace(proof, branch=full)))


@pytest.mark.parametrize("bit", [*range(7, 64), 128, 255])
def test_E2_index_beyond_the_list_does_not_lead_into_a_neighbour(contract, tree, bit):
    proof = proofs.validator_proof(tree, 1)
    with reverts(contract.IndexOutOfBounds, index=1 + 2**bit, length=71):
        contract.verifyValidator(*arguments(replace(proof, index=1 + 2**bit)))
    balance = proofs.balance_proof(tree, 1)
    with reverts(contract.IndexOutOfBounds, index=1 + 2**bit, length=71):
        contract.verifyBalance(*arguments(replace(balance, index=1 + 2**bit)))


def test_E2_place_behind_the_last_element_holds_nothing(contract, tree):
    """71 validators need a tree of 128 leaves: 57 are zero and no validators; the balance after the last is 0."""
    proof = proofs.validator_proof(tree, 70)
    with reverts(contract.IndexOutOfBounds, index=71, length=71):
        contract.verifyValidator(*arguments(replace(proof, index=71)))
    balance = proofs.balance_proof(tree, 70)
    assert balance.balances[24:] == bytes(8)
    with reverts(contract.IndexOutOfBounds, index=71, length=71):
        contract.verifyBalance(*arguments(replace(balance, index=71)))


@pytest.mark.parametrize("length", [0, 1, 64, 70, 72, 128, 129, 2**40, 2**40 + 1, 2**63, 2**64 - 1])
def test_E2_another_length_of_the_list_is_refused(contract, tree, length):
    proof = proofs.validator_proof(tree, 1)
    branch = [*proof.branch[:7], length.to_bytes(32, "little"), *proof.branch[8:]]
    changed = replace(proof, branch=branch)
    if length <= 1:
        expected = (contract.IndexOutOfBounds, {"index": 1, "length": length})
    elif length > 2**40:
        expected = (contract.ListLengthInvalid, {"word": length.to_bytes(32, "little")})
    elif 65 <= length <= 128:
        expected = (contract.StateRootMismatch, {"expected": tree.root})
    else:
        steps = (length - 1).bit_length()
        expected = (contract.BranchLengthInvalid, {"length": 14, "expected": steps + 7})
    with reverts(expected[0], **expected[1]):
        contract.verifyValidator(*arguments(changed))


@pytest.mark.parametrize("place", [8, 9, 16, 31])
def test_E2_length_with_anything_behind_its_eight_bytes_is_refused(contract, tree, place):
    proof = proofs.validator_proof(tree, 1)
    word = bytearray((71).to_bytes(32, "little"))
    word[place] = 1
    branch = [*proof.branch[:7], bytes(word), *proof.branch[8:]]
    with reverts(contract.ListLengthInvalid, word=bytes(word)):
        contract.verifyValidator(*arguments(replace(proof, branch=branch)))


def test_E2_inner_node_is_no_chunk_of_balances(contract, tree):
    proof = proofs.balance_proof(tree, 1)
    node = sha256(proof.balances + proof.branch[0]).digest()
    with reverts(contract.BranchLengthInvalid, length=11, expected=12):
        contract.verifyBalance(*arguments(replace(proof, balances=node, branch=proof.branch[1:])))
    with reverts(contract.StateRootMismatch, expected=tree.root):
        contract.verifyBalance(*arguments(replace(proof, balances=node)))


def test_E2_siblings_in_another_order_are_refused(contract, tree):
    proof = proofs.validator_proof(tree, 1)
    for i in range(13):
        branch = [*proof.branch]
        branch[i], branch[i + 1] = branch[i + 1], branch[i]
        error, _ = outcome(contract, validator_call(replace(proof, branch=branch)))
        assert error in ("StateRootMismatch", "ListLengthInvalid", "IndexOutOfBounds"), i


def test_E2_every_field_of_a_record_counts(contract, tree):
    proof = proofs.validator_proof(tree, 1)
    record = proof.record
    changes = [
        {"pubkey": bytes([record.pubkey[0] ^ 1]) + record.pubkey[1:]},
        {"pubkey": record.pubkey[:-1] + bytes([record.pubkey[-1] ^ 1])},
        {"slashed": not record.slashed},
        *({name: getattr(record, name) ^ 1} for name in record.__dataclass_fields__ if name not in NOT_NUMBERS),
    ]
    assert len(changes) == 8
    for change in changes:
        with reverts(contract.StateRootMismatch, expected=tree.root):
            contract.verifyValidator(*arguments(replace(proof, record=replace(record, **change))))


NOT_NUMBERS = ("pubkey", "credentials", "slashed")


def test_E2_every_field_of_a_pending_deposit_counts(contract, tree):
    proof = proofs.pending_deposit_proof(tree, 2)
    deposit = proof.deposit
    for change in (
        {"pubkey": deposit.pubkey[:-1] + b"\0"},
        {"credentials": b"\x01" + deposit.credentials[1:]},
        {"amount": deposit.amount + 1},
        {"signature": deposit.signature[:-1] + b"\0"},
        {"signature": b"\0" + deposit.signature[1:]},
        {"slot": deposit.slot + 1},
    ):
        with reverts(contract.StateRootMismatch, expected=tree.root):
            contract.verifyPendingDeposit(*arguments(replace(proof, deposit=replace(deposit, **change))))


def test_E2_another_count_is_refused(contract, tree):
    validators, pending = proofs.validator_count_proof(tree), proofs.pending_deposit_count_proof(tree)
    for count in (0, 70, 72, 71 << 8, 2**64 - 1):
        with reverts(contract.StateRootMismatch, expected=tree.root):
            contract.verifyValidatorCount(*arguments(replace(validators, count=count)))
        with reverts(contract.StateRootMismatch, expected=tree.root):
            contract.verifyPendingDepositCount(*arguments(replace(pending, count=count)))
    with reverts(contract.ListLengthInvalid, word=(2**64 + 71).to_bytes(32)):
        contract.verifyValidatorCount(*arguments(replace(validators, count=2**64 + 71)))
    with reverts(contract.StateRootMismatch, expected=tree.root):  # the count of another list
        contract.verifyPendingDepositCount(*arguments(validators))


def test_E2_signature_has_ninety_six_bytes(contract, tree):
    deposit = tree.state.pending_deposit(0)
    assert contract.signatureRoot(deposit.signature) == deposit.signature_root
    for length in (0, 95, 97, 192):
        with reverts(contract.SignatureLengthInvalid, length=length):
            contract.signatureRoot(bytes(length))


# --- E1, E2: older blocks ---


def test_E1_block_roots_prove_no_slot_outside_their_range(contract, tree):
    chain = world(FORK)
    first = STATE - PERIOD
    block = proofs.block_proof(tree, Slot(first), chain.newest(first))
    contract.verifyBlock(*arguments(block))
    for slot in (STATE, STATE + 1, first - 1, first - PERIOD, first + PERIOD, 2**64, 2**256 - 1):
        with reverts(contract.SlotOutOfRange, slot=slot, first=first, last=STATE - 1):
            contract.verifyBlock(*arguments(replace(block, slot=slot)))


def test_E1_first_state_has_no_block_before_it(contract):
    header = BlockHeader(Slot(0), 0, ROOT_A, ROOT_B, ROOT_C)
    with reverts(contract.SlotOutOfRange, slot=0, first=0, last=0):
        contract.verifyBlock(header.as_tuple(), 0, header.as_tuple(), [])


def test_E1_slot_that_was_missed_has_the_block_before_it(contract, tree):
    chain = world(FORK)
    missed = next(slot for slot in range(STATE - PERIOD, STATE) if slot not in chain.headers)
    proof = proofs.block_proof(tree, Slot(missed), chain.newest(missed))
    assert proof.block.slot < missed
    contract.verifyBlock(*arguments(proof))
    following = min(slot for slot in chain.headers if slot > missed)
    with reverts(contract.StateRootMismatch, expected=tree.root):
        contract.verifyBlock(*arguments(replace(proof, block=chain.headers[following])))


def test_E1_another_slot_of_a_period_is_not_proven(contract, tree):
    proof = historical_proof(FORK, STATE, 70)
    contract.verifyHistoricalBlock(*arguments(proof))
    for slot in (69, 71, 70 + PERIOD, 70 - PERIOD, 70 + 3 * PERIOD):
        with reverts(contract.StateRootMismatch, expected=tree.root):
            contract.verifyHistoricalBlock(*arguments(replace(proof, slot=slot)))
    for slot in (70 + 5 * PERIOD, 70 + 2**24 * PERIOD, 70 + 2**64 * PERIOD):
        with reverts(contract.IndexOutOfBounds, index=slot // PERIOD, length=5):
            contract.verifyHistoricalBlock(*arguments(replace(proof, slot=slot)))


def test_E1_periods_are_counted_from_the_first_that_has_a_summary(contract, deployer, tree):
    later = deployer.deploy(project.BeaconProofs, replace(config(), first_summary_slot=PERIOD).as_tuple())
    proof = historical_proof(FORK, STATE, 70)
    with reverts(later.StateRootMismatch, expected=tree.root):  # period 1 is the first there
        later.verifyHistoricalBlock(*arguments(proof))
    with reverts(later.SlotOutOfRange, slot=PERIOD - 1, first=PERIOD, last=STATE):
        later.verifyHistoricalBlock(*arguments(replace(proof, slot=PERIOD - 1)))
    # what the summaries' first entry says is then of the period that starts there
    later.verifyHistoricalBlock(*arguments(replace(historical_proof(FORK, STATE, 6), slot=6 + PERIOD)))


def test_E2_state_root_is_no_block_root_of_a_summary(contract, tree):
    """The other of the two fields of a summary."""
    proof = historical_proof(FORK, STATE, 70)
    swapped = [*proof.branch]
    blocks = fold(proof.block.root(), proof.branch[:6], 70 % PERIOD)
    swapped[6] = blocks
    with reverts(contract.StateRootMismatch, expected=tree.root):
        contract.verifyHistoricalBlock(*arguments(replace(proof, branch=swapped)))


# --- E3: layouts by slot ---


def made_state(given: proofs.StateLayout, slot: int) -> proofs.ValidatorProof:
    """A state of any layout, as far as proofs see it: one validator among made-up siblings."""
    record = ValidatorRecord(b"\x11" * 48, b"\x02" + bytes(31), Gwei(32 * 10**9), False, *map(Epoch, (1, 2, 3, 4)))
    index, count = 1_001, 5_000
    field = given.validators
    above = [sha256(bytes([i])).digest() for i in range(field.bit_length() - 1)]
    inside = [sha256(bytes([i, 1])).digest() for i in range(13)]
    branch = [*inside, count.to_bytes(32, "little"), *above]
    full = full_branch(branch, 0, count, given.validators_depth)
    root = fold(record.root(), full, (field << 1 << given.validators_depth) + index)
    header = BlockHeader(Slot(slot), 1, ROOT_A, root, ROOT_B)
    return proofs.ValidatorProof(header, index, record, branch)


@pytest.fixture(scope="module")
def forked(contract, deployer):
    """Another layout from slot 338 on, and nothing known from 400 on."""
    layouts = (layout("electra", MINIMAL, Slot(100)), other_layout(338))
    return deployer.deploy(project.BeaconProofs, config(*layouts, end=400).as_tuple())


def test_E3_proof_is_read_by_the_layout_of_its_slot(contract, forked):
    before, after = proofs.validator_proof(tree_at("fulu", 334), 1), proofs.validator_proof(tree_at("fulu", 338), 1)
    assert forked.verifyValidator(*arguments(before)) == 71
    assert contract.verifyValidator(*arguments(after)) == 71
    with reverts(forked.ListLengthInvalid):  # it is looked for a step higher or lower
        forked.verifyValidator(*arguments(after))


def test_E3_proof_of_the_new_layout_holds_from_its_first_slot_on_and_not_before(forked):
    for slot in (338, 339, 399):
        proof = made_state(other_layout(338), slot)
        assert forked.verifyValidator(*arguments(proof)) == 5_000
    for slot in (100, 337):
        proof = made_state(other_layout(338), slot)
        with reverts(forked.ListLengthInvalid):  # it is looked for a step higher or lower
            forked.verifyValidator(*arguments(proof))


def test_E3_proof_of_the_old_layout_holds_up_to_the_slot_before(forked):
    old = layout("electra", MINIMAL, Slot(100))
    for slot in (100, 337):
        proof = made_state(old, slot)
        assert forked.verifyValidator(*arguments(proof)) == 5_000
    for slot in (338, 399):
        proof = made_state(old, slot)
        with reverts(forked.ListLengthInvalid):  # it is looked for a step higher or lower
            forked.verifyValidator(*arguments(proof))


def test_E3_index_moved_within_the_same_depth_is_noticed(contract, deployer):
    """As when a fork inserts a field: every length fits, every root differs."""
    moved = replace(layout("electra", MINIMAL, Slot(0)), validators=76, balances=77, pending_deposits=99)
    other = deployer.deploy(project.BeaconProofs, config(moved).as_tuple())
    tree = tree_at(FORK, STATE)
    for proof in (
        proofs.validator_proof(tree, 1),
        proofs.balance_proof(tree, 1),
        proofs.pending_deposit_proof(tree, 1),
    ):
        with reverts(other.StateRootMismatch, expected=tree.root):
            method_of(other, proof)(*arguments(proof))


@pytest.mark.parametrize("slot", [0, 99, 400, 401, 2**64 - 1])
def test_E3_slots_that_no_layout_is_known_for_are_refused(forked, slot):
    tree = tree_at(FORK, STATE)
    header = replace(proofs.header_of(tree), slot=slot)
    every = [
        (forked.verifyValidator, replace(proofs.validator_proof(tree, 1), header=header)),
        (forked.verifyBalance, replace(proofs.balance_proof(tree, 1), header=header)),
        (forked.verifyPendingDeposit, replace(proofs.pending_deposit_proof(tree, 1), header=header)),
        (forked.verifyValidatorCount, replace(proofs.validator_count_proof(tree), header=header)),
        (forked.verifyPendingDepositCount, replace(proofs.pending_deposit_count_proof(tree), header=header)),
        (forked.verifyHistoricalBlock, replace(historical_proof(FORK, STATE, 70), header=header)),
    ]
    for method, proof in every:
        with reverts(forked.LayoutUnknown, slot=slot):
            method(*arguments(proof))
    if slot:
        block = replace(proofs.block_proof(tree, Slot(300), world(FORK).headers[300]), header=header, slot=slot - 1)
        with reverts(forked.LayoutUnknown, slot=slot):
            forked.verifyBlock(*arguments(block))
    with reverts(forked.LayoutUnknown, slot=slot):
        forked.layoutAt(slot)


def test_E3_old_block_is_proven_by_the_layout_of_the_new_one(contract, forked):
    """What an old block's state looks like does not matter for its header."""
    proof = historical_proof(FORK, 334, 70)
    forked.verifyHistoricalBlock(*arguments(proof))  # slot 70 itself lies before the first layout
    with reverts(forked.ListLengthInvalid):  # it is looked for a step higher or lower
        forked.verifyHistoricalBlock(*arguments(historical_proof(FORK, 338, 70)))


def test_E3_contract_tells_the_layouts_it_knows(forked):
    old, new = layout("electra", MINIMAL, Slot(100)), other_layout(338)
    assert [tuple(forked.layoutAt(slot)) for slot in (100, 337, 338, 399)] == [
        astuple(old),
        astuple(old),
        astuple(new),
        astuple(new),
    ]
    assert (forked.END_SLOT(), forked.SLOTS_PER_HISTORICAL_ROOT(), forked.FIRST_SUMMARY_SLOT()) == (400, PERIOD, 0)


def test_E3_four_layouts_each_serve_their_own_slots(contract, deployer):
    layouts = [replace(other_layout(first), validators=128 + first) for first in (10, 20, 30, 40)]
    four = deployer.deploy(project.BeaconProofs, config(*layouts, end=50).as_tuple())
    for slot in range(10, 50):
        assert tuple(four.layoutAt(slot)) == astuple(layouts[slot // 10 - 1])


@pytest.mark.parametrize(
    ("change", "error", "at"),
    [
        ({"layouts": ()}, "ConfigInvalid", None),
        ({"layouts": tuple(other_layout(first) for first in range(5))}, "ConfigInvalid", None),
        ({"end_slot": 0}, "ConfigInvalid", None),
        ({"slots_per_historical_root": 0}, "ConfigInvalid", None),
        ({"slots_per_historical_root": 63}, "ConfigInvalid", None),
        ({"first_summary_slot": 1}, "ConfigInvalid", None),
        ({"layouts": (other_layout(5), other_layout(5))}, "LayoutInvalid", 1),
        ({"layouts": (other_layout(5), other_layout(4))}, "LayoutInvalid", 1),
        *(
            ({"layouts": (other_layout(0), replace(other_layout(1), **{name: bad}))}, "LayoutInvalid", 1)
            for name, bad in [
                *((name, 1) for name in ("validators", "balances", "pending_deposits", "historical_summaries")),
                ("block_roots", 1),
                *(
                    (f"{name}_depth", 41)
                    for name in ("validators", "balances", "pending_deposits", "historical_summaries")
                ),
            ]
        ),
    ],
)
def test_E3_layouts_that_cannot_be_are_not_deployed(contract, deployer, change, error, at):
    given = replace(config(), **change)
    code = project.BeaconProofs.contract_type.deployment_bytecode.bytecode
    data = code + encode([CONFIG_TYPE], [given.as_tuple()]).hex()
    answer = ape.chain.provider.web3.provider.make_request("eth_call", [{"data": data}, "latest"])
    expected = getattr(contract, error).abi
    wanted = keccak(text=expected.selector)[:4] + (b"" if at is None else at.to_bytes(32))
    assert answer["error"]["data"] == "0x" + wanted.hex()


# --- E4: public keys ---


@pytest.mark.parametrize("length", [0, 32, 47, 49, 64, 96])
def test_E4_public_key_has_forty_eight_bytes(contract, tree, length):
    proof, deposit = proofs.validator_proof(tree, 1), proofs.pending_deposit_proof(tree, 1)
    pubkey = (proof.record.pubkey + bytes(96))[:length]
    with reverts(contract.PubkeyLengthInvalid, length=length):
        contract.verifyValidator(*arguments(replace(proof, record=replace(proof.record, pubkey=pubkey))))
    with reverts(contract.PubkeyLengthInvalid, length=length):
        contract.verifyPendingDeposit(*arguments(replace(deposit, deposit=replace(deposit.deposit, pubkey=pubkey))))


def test_E4_bytes_behind_the_public_key_do_not_count(contract, tree):
    """Calldata is filled up to words; with what is up to the sender."""
    proof = proofs.validator_proof(tree, 1)
    data = validator_call(proof)
    at = data.index(proof.record.pubkey) + 48
    assert data[at : at + 16] == bytes(16)
    dirty = data[:at] + b"\xff" * 16 + data[at + 16 :]
    assert outcome(contract, dirty) == ("", (71).to_bytes(32))


def test_E4_words_that_are_larger_than_their_type_are_refused(contract, tree):
    """Nothing of a record is cut: effective balance, slashed and the four epochs each in a word of its own."""
    proof = proofs.validator_proof(tree, SLASHED)
    data = validator_call(proof)
    at = data.index(proof.record.credentials)
    for word in range(1, 7):
        for place in (0, 23):
            dirty = bytearray(data)
            dirty[at + 32 * word + place] = 1
            assert outcome(contract, bytes(dirty)) == ("0x", b""), word
    dirty = bytearray(data)
    dirty[at + 32 * 2 + 31] = 2  # slashed
    assert outcome(contract, bytes(dirty)) == ("0x", b"")


# --- E5: credentials ---


def test_E5_every_bit_of_the_credentials_counts(contract, tree):
    kinds = {}
    for index in range(71):
        kinds.setdefault(tree.state.validator(index).credentials[0], index)
    assert sorted(kinds) == [0, 1, 2, 3]
    for index in kinds.values():
        proof = proofs.validator_proof(tree, index)
        for bit in range(256):
            flipped = (int.from_bytes(proof.record.credentials) ^ 1 << bit).to_bytes(32)
            changed = replace(proof, record=replace(proof.record, credentials=flipped))
            assert outcome(contract, validator_call(changed))[0] == "StateRootMismatch", (index, bit)


def test_E5_no_kind_of_credentials_is_taken_for_another(contract, tree):
    for index in (1, 64, 65, 68, 69, 70):
        proof = proofs.validator_proof(tree, index)
        for kind in range(256):
            credentials = bytes([kind]) + proof.record.credentials[1:]
            changed = replace(proof, record=replace(proof.record, credentials=credentials))
            error = outcome(contract, validator_call(changed))[0]
            assert error == ("" if kind == proof.record.credentials[0] else "StateRootMismatch")


# --- E6: old truths ---


def test_E6_proof_says_what_was_true_at_the_slot_of_its_header(contract, genesis):
    """An old one stays true of its own slot; the slot cannot be changed, so who asks for a newer one gets it."""
    first, second = world(FORK).slots
    old, new = (proofs.balance_proof(tree_at(FORK, slot), 1) for slot in (first, second))
    publish(genesis, old.header.root())
    publish(genesis + SLOT, new.header.root())
    for moment, proof in ((genesis, old), (genesis + SLOT, new)):
        contract.verifyHeader(moment, proof.header.as_tuple())
        contract.verifyBalance(*arguments(proof))
    later = replace(old.header, slot=new.header.slot)
    with reverts(contract.HeaderMismatch, root=later.root(), expected=new.header.root()):
        contract.verifyHeader(genesis + SLOT, later.as_tuple())
    with reverts(contract.HeaderMismatch, root=later.root(), expected=old.header.root()):
        contract.verifyHeader(genesis, later.as_tuple())


def test_E6_what_has_changed_is_not_proven_by_the_newer_header(contract):
    """Two states four slots apart: not even what is the same in both has the same branch."""
    first, second = world(FORK).slots
    old = proofs.block_proof(tree_at(FORK, first), Slot(300), world(FORK).headers[300])
    new = proofs.header_of(tree_at(FORK, second))
    with reverts(contract.StateRootMismatch, expected=new.state_root):
        contract.verifyBlock(*arguments(replace(old, header=new)))
    for proof in (proofs.validator_proof(tree_at(FORK, first), 1), proofs.balance_proof(tree_at(FORK, first), 1)):
        with reverts(contract.StateRootMismatch, expected=new.state_root):
            method_of(contract, proof)(*arguments(replace(proof, header=new)))


def test_E6_root_that_is_gone_is_proven_through_a_newer_block(contract, genesis):
    """When the ring has come round, block roots and summaries still tell the header, and its state all the rest."""
    chain = world(FORK)
    first, second = chain.slots
    recent, old = chain.headers[second], chain.headers[first]
    publish(genesis, recent.root())
    contract.verifyHeader(genesis, recent.as_tuple())
    contract.verifyBlock(*arguments(proofs.block_proof(tree_at(FORK, second), Slot(first), old)))
    assert contract.verifyValidator(*arguments(proofs.validator_proof(tree_at(FORK, first), SLASHED))) == 71


# --- E7: whose proof ---


def test_E7_record_is_proven_at_its_own_index_alone(contract, tree):
    chosen = [proofs.validator_proof(tree, index) for index in (0, 1, SLASHED, 63, EXITED, 70)]
    for one, other in permutations(chosen, 2):
        for mixed in (
            replace(one, index=other.index),
            replace(one, record=other.record),
            replace(one, branch=other.branch),
            replace(one, index=other.index, branch=other.branch),
            replace(one, index=other.index, record=other.record),
            replace(one, record=other.record, branch=other.branch),
        ):
            assert outcome(contract, validator_call(mixed))[0] == "StateRootMismatch", (one.index, other.index)


def test_E7_proof_of_one_chain_is_none_of_another(contract):
    mine, theirs = proofs.validator_proof(tree_at("fulu", 338), 1), proofs.validator_proof(tree_at("electra", 339), 1)
    with reverts(contract.StateRootMismatch, expected=theirs.header.state_root):
        contract.verifyValidator(*arguments(replace(mine, header=theirs.header)))


# --- What it costs ---


def test_a_million_validators_on_mainnet_are_proven_at_a_price_below_its_bound(contract, deployer, mainnet, genesis):
    """Made-up siblings in a real shape: 20 in the list of a million, 18 of balances, 13 + 1 + 10 of old blocks."""
    caller = deployer.deploy(project.ProofCaller, mainnet)
    header, validator, balance, block = million()
    publish(genesis, header.root())
    figures = {}
    for name, method, proof in (
        ("validator", caller.proveValidator, validator),
        ("balance", caller.proveBalance, balance),
        ("historical block", caller.proveHistoricalBlock, block),
    ):
        receipt = method(genesis, *arguments(replace(proof, header=header)), sender=deployer)
        figures[name] = receipt.gas_used
    assert figures["validator"] < 80_000
    assert figures["balance"] < 75_000
    assert figures["historical block"] < 80_000


def million() -> tuple[BlockHeader, proofs.ValidatorProof, proofs.BalanceProof, proofs.BlockProof]:
    given, count, index = layout("fulu", MAINNET, Slot(0)), 1_000_000, 654_321
    fields = [sha256(bytes([i])).digest() for i in range(64)]

    def below(leaf: bytes, steps: int, depth: int, path: int, length: int) -> tuple[bytes, list[bytes]]:
        inside = [sha256(bytes([i, steps])).digest() for i in range(steps)]
        root = fold(leaf, [*inside, *ZERO_ROOTS[steps:depth]], path)
        return sha256(root + length.to_bytes(32, "little")).digest(), [*inside, length.to_bytes(32, "little")]

    record = ValidatorRecord(
        sha256(b"key").digest() + bytes(range(1, 17)),
        b"\x02" + bytes(11) + bytes(range(1, 21)),
        Gwei(2_048 * 10**9),
        False,
        *map(Epoch, (400_001, 400_021, 2**64 - 1, 2**64 - 1)),
    )
    chunk = b"".join((32_012_345_678 + i).to_bytes(8, "little") for i in range(4))
    slot = 364_032 * 32 + 5_000
    old = BlockHeader(Slot(slot), 7, ROOT_A, ROOT_B, ROOT_C)
    period = (slot - 758 * 8192) // 8192
    summaries, roots = 800, [sha256(bytes([i, 99])).digest() for i in range(13)]
    other = sha256(b"state summary").digest()
    summary = sha256(fold(old.root(), roots, slot % 8192) + other).digest()
    fields[11], validators = below(record.root(), 20, 40, index, count)
    fields[12], balances = below(chunk, 18, 38, index // 4, count)
    fields[27], blocks = below(summary, 10, 24, period, summaries)
    above = {}
    for field in (11, 12, 27):
        level, path, siblings = fields, field, []
        while len(level) > 1:
            siblings.append(level[path ^ 1])
            level, path = [sha256(a + b).digest() for a, b in zip(level[::2], level[1::2], strict=True)], path >> 1
        above[field], root = siblings, level[0]
    assert (given.validators, given.balances, given.historical_summaries) == (64 + 11, 64 + 12, 64 + 27)
    header = BlockHeader(Slot(13_000_000), 123_456, ROOT_A, root, ROOT_B)
    return (
        header,
        proofs.ValidatorProof(header, index, record, validators + above[11]),
        proofs.BalanceProof(header, index, chunk, balances + above[12]),
        proofs.BlockProof(header, Slot(slot), old, [*roots, other, *blocks, *above[27]]),
    )
