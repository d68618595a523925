"""WithdrawalQueue.claim and claimBatch: each request is paid once, to whom its owner says, whatever others do."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.helpers import ETHER, ZERO, give_ether, report_as_oracle, set_rate, stake
from tests.queueing import claimed, locked, request, settle
from tests.reverts import reverts

ACCEPT, REVERT, REVERT_LONG, RETURN_LONG, SPIN = range(5)


@pytest.fixture(scope="module")
def owner(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def other(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def anybody(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def queue(protocol):
    return protocol.queue


@pytest.fixture(scope="module")
def three(protocol, owner):
    """Requests 1 to 3 of 10, 20 and 30 slETH at a rate of 1: 1 and 2 in checkpoint 1, 3 in checkpoint 2. 4 is open."""
    stake(protocol, owner, 1_000 * ETHER)
    request(protocol, owner, 10 * ETHER, 20 * ETHER)
    settle(protocol)
    request(protocol, owner, 30 * ETHER)
    settle(protocol)
    request(protocol, owner, 40 * ETHER)


def received(account: Any, transaction: Any) -> int:
    """What ``account`` got by ``transaction``, the gas it paid put back."""
    block = transaction.block_number
    web3 = ape.chain.provider.web3
    address = str(getattr(account, "address", account))
    gas = transaction.gas_used * transaction.gas_price if transaction.sender == address else 0
    return int(web3.eth.get_balance(address, block) - web3.eth.get_balance(address, block - 1) + gas)


# --- Who gets what ---


def test_claim_pays_the_owner_whoever_calls(queue, protocol, owner, anybody, three):
    before = queue.balance
    tx = queue.claim(1, sender=anybody)
    assert tx.events == [*claimed(protocol, 1, owner, owner, 10 * ETHER)]
    assert received(owner, tx) == 10 * ETHER
    assert received(anybody, tx) == 0
    assert before - queue.balance == 10 * ETHER
    assert queue.balance == locked(protocol)


def test_claim_returns_the_ether(queue, owner, anybody, three):
    assert queue.claim.call(1, sender=anybody) == 10 * ETHER
    assert queue.claim.call(2, 1, owner, sender=anybody) == 20 * ETHER
    assert queue.claimBatch.call([1, 2, 3], [1, 1, 2], owner, sender=anybody) == 60 * ETHER


def test_claim_leaves_a_request_that_says_claimed(queue, owner, anybody, three):
    record = queue.getRequest(1)
    queue.claim(1, sender=anybody)
    assert tuple(queue.getRequest(1)) == (ZERO, 10 * ETHER, record.requestedAt, 10 * ETHER, True, True)
    assert queue.balanceOf(owner) == 3


def test_claim_does_not_change_what_its_neighbours_are_paid(queue, owner, anybody, three):
    """The size of a request is a difference to the one before, which stays when that is burnt."""
    queue.claim(1, sender=anybody)
    queue.claim(3, sender=anybody)
    tx = queue.claim(2, sender=anybody)
    assert tx.events[-1:] == [queue.Claimed(2, owner, 20 * ETHER)]


def test_claim_with_a_hint_pays_the_recipient_of_the_owners_choice(queue, protocol, owner, other, three):
    tx = queue.claim(2, 1, other, sender=owner)
    assert tx.events == [*claimed(protocol, 2, owner, other, 20 * ETHER)]
    assert received(other, tx) == 20 * ETHER
    assert received(owner, tx) == 0


@pytest.mark.parametrize("with_hint", [True, False])
def test_claim_rounds_down_and_leaves_the_dust(protocol, owner, anybody, three, with_hint):
    """Three equal requests of a checkpoint whose ether is no multiple of three."""
    queue = protocol.queue
    set_rate(protocol, gain=77 * ETHER + 7 * 10**9)
    queue.requestBatch([ETHER] * 3, owner, sender=owner)
    report_as_oracle(protocol)
    queue.finalize(4, sender=anybody)
    queue.finalize(7, sender=anybody)
    _, _, shares, assets = queue.getCheckpoint(4)
    assert (shares, assets % 3 != 0) == (3 * ETHER, True)
    others = queue.balance - assets
    for i in (5, 6, 7):
        tx = queue.claim(i, 4, owner, sender=anybody) if with_hint else queue.claim(i, sender=anybody)
        assert tx.events[-1:] == [queue.Claimed(i, owner, assets // 3)]
    assert queue.balance == others + assets % 3


def test_claim_search_and_hint_give_the_same(queue, owner, anybody, three):
    for i, hint in ((1, 1), (2, 1), (3, 2)):
        with ape.chain.isolate():
            searched = queue.claim(i, sender=anybody)
            search_state = (searched.events, queue.balance, queue.balanceOf(owner))
        hinted = queue.claim(i, hint, owner, sender=anybody)
        assert [str(e) for e in hinted.events] == [str(e) for e in search_state[0]]
        assert (queue.balance, queue.balanceOf(owner)) == search_state[1:]


# --- C7: not twice, not for others ---


@pytest.mark.parametrize("first", ["search", "hint", "batch"])
@pytest.mark.parametrize("second", ["search", "hint", "batch"])
def test_C7_a_request_is_paid_once_by_whichever_way(queue, owner, three, first, second):
    ways = {
        "search": lambda: queue.claim(1, sender=owner),
        "hint": lambda: queue.claim(1, 1, owner, sender=owner),
        "batch": lambda: queue.claimBatch([1], [1], owner, sender=owner),
    }
    ways[first]()
    with reverts(queue.RequestUnknown, id=1):
        ways[second]()


def test_C7_a_batch_that_names_a_request_twice_pays_nothing(queue, owner, three):
    with reverts(queue.RequestUnknown, id=2):
        queue.claimBatch([1, 2, 2], [1, 1, 1], owner, sender=owner)
    assert queue.balanceOf(owner) == 4


def test_C7_a_stranger_pays_out_to_the_owner_alone(queue, owner, anybody, three):
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=1):
        queue.claim(1, 1, anybody, sender=anybody)
    tx = queue.claim(1, 1, owner, sender=anybody)
    assert tx.events[-1:] == [queue.Claimed(1, owner, 10 * ETHER)]


def test_C7_after_a_transfer_the_new_owner_is_paid(queue, protocol, owner, other, anybody, three):
    queue.transferFrom(owner, other, 1, sender=owner)
    with reverts(queue.NotOwnerOrApproved, caller=owner, id=1):
        queue.claim(1, 1, owner, sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert tx.events == [*claimed(protocol, 1, other, other, 10 * ETHER)]
    assert received(other, tx) == 10 * ETHER


def test_C7_a_request_sold_before_it_was_finalised_pays_the_buyer(queue, protocol, owner, other, anybody, three):
    queue.transferFrom(owner, other, 4, sender=owner)
    settle(protocol)
    with reverts(queue.NotOwnerOrApproved, caller=owner, id=4):
        queue.claim(4, 3, owner, sender=owner)
    tx = queue.claim(4, 3, other, sender=other)
    assert tx.events == [*claimed(protocol, 4, other, other, 40 * ETHER)]


def test_C7_who_is_approved_for_one_request_may_take_that_one(queue, owner, anybody, three):
    queue.approve(anybody, 1, sender=owner)
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=2):
        queue.claim(2, 1, anybody, sender=anybody)
    tx = queue.claim(1, 1, anybody, sender=anybody)
    assert tx.events[-1:] == [queue.Claimed(1, anybody, 10 * ETHER)]


def test_C7_an_approval_ends_with_a_transfer(queue, owner, other, anybody, three):
    queue.approve(anybody, 1, sender=owner)
    queue.transferFrom(owner, other, 1, sender=owner)
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=1):
        queue.claim(1, 1, anybody, sender=anybody)


def test_C7_an_operator_may_take_all_of_its_principal_and_no_other(queue, owner, other, anybody, three):
    queue.transferFrom(owner, other, 2, sender=owner)
    queue.setApprovalForAll(anybody, True, sender=owner)
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=2):
        queue.claimBatch([1, 2, 3], [1, 1, 2], anybody, sender=anybody)
    tx = queue.claimBatch([1, 3], [1, 2], anybody, sender=anybody)
    assert received(anybody, tx) == 40 * ETHER


def test_C7_a_dismissed_operator_takes_nothing(queue, owner, anybody, three):
    queue.setApprovalForAll(anybody, True, sender=owner)
    queue.setApprovalForAll(anybody, False, sender=owner)
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=1):
        queue.claim(1, 1, anybody, sender=anybody)


@pytest.mark.parametrize("recipient", ["owner", "other"])
def test_C7_a_batch_of_two_owners_needs_the_word_of_both(queue, owner, other, anybody, three, recipient):
    """Whoever of the two is the recipient, the other's request is not the caller's to give."""
    queue.transferFrom(owner, other, 2, sender=owner)
    to = owner if recipient == "owner" else other
    foreign = 2 if recipient == "owner" else 1
    with reverts(queue.NotOwnerOrApproved, caller=anybody, id=foreign):
        queue.claimBatch([1, 2], [1, 1], to, sender=anybody)
    queue.setApprovalForAll(anybody, True, sender=owner)
    queue.setApprovalForAll(anybody, True, sender=other)
    tx = queue.claimBatch([1, 2], [1, 1], to, sender=anybody)
    assert received(to, tx) == 30 * ETHER


# --- What cannot be claimed ---


def test_claim_before_it_is_finalised_reverts(queue, owner, anybody, three):
    for call in (
        lambda: queue.claim(4, sender=anybody),
        lambda: queue.claim(4, 2, owner, sender=owner),
        lambda: queue.claimBatch([4], [2], owner, sender=owner),
    ):
        with reverts(queue.RequestNotFinalized, id=4):
            call()


@pytest.mark.parametrize("request_id", [0, 5, 2**48, 2**256 - 1])
def test_claim_of_an_unknown_request_reverts(queue, anybody, three, request_id):
    with reverts(queue.RequestUnknown, id=request_id):
        queue.claim(request_id, sender=anybody)


def test_claim_with_a_hint_of_an_unknown_request_reverts(queue, owner, three):
    """Id 0 and the empty checkpoint 0 fit each other: still nobody owns it."""
    with reverts(queue.RequestUnknown, id=0):
        queue.claim(0, 0, owner, sender=owner)
    with reverts(queue.CheckpointInvalid, id=0, checkpoint=1):
        queue.claim(0, 1, owner, sender=owner)
    with reverts(queue.RequestNotFinalized, id=5):
        queue.claim(5, 2, owner, sender=owner)


@pytest.mark.parametrize(("request_id", "hint"), [(1, 0), (1, 2), (2, 2), (3, 1), (3, 3), (1, 2**256 - 1)])
def test_C4_claim_with_another_checkpoint_reverts(queue, owner, three, request_id, hint):
    with reverts(queue.CheckpointInvalid, id=request_id, checkpoint=hint):
        queue.claim(request_id, hint, owner, sender=owner)


@pytest.mark.parametrize("batch", [True, False])
def test_claim_to_nobody_or_to_the_queue_reverts(queue, owner, three, batch):
    for recipient in (ZERO, queue.address):
        with reverts(queue.RecipientInvalid, recipient=recipient):
            if batch:
                queue.claimBatch([1, 2], [1, 1], recipient, sender=owner)
            else:
                queue.claim(1, 1, recipient, sender=owner)


def test_claim_takes_no_ether(queue, owner, three):
    for data in (
        queue.claim.encode_input(1),
        queue.claim.encode_input(1, 1, owner),
        queue.claimBatch.encode_input([1], [1], owner),
    ):
        with reverts(b""):
            owner.transfer(queue, 1, data=data)


# --- Batches ---


def test_claimBatch_pays_once_what_all_are_worth(queue, protocol, owner, other, three):
    tx = queue.claimBatch([3, 1, 2], [2, 1, 1], other, sender=owner)
    assert tx.events == [
        *claimed(protocol, 3, owner, other, 30 * ETHER),
        *claimed(protocol, 1, owner, other, 10 * ETHER),
        *claimed(protocol, 2, owner, other, 20 * ETHER),
    ]
    assert received(other, tx) == 60 * ETHER
    assert queue.balance == 0


def test_claimBatch_for_the_owner_by_anybody(queue, owner, anybody, three):
    tx = queue.claimBatch([1, 2, 3], queue.findCheckpoints([1, 2, 3]), owner, sender=anybody)
    assert received(owner, tx) == 60 * ETHER


@pytest.mark.parametrize(("ids", "hints"), [([1, 2], [1]), ([1], [1, 1]), ([], [1]), ([1], [])])
def test_claimBatch_of_unequal_lists_reverts(queue, owner, three, ids, hints):
    with reverts(queue.LengthMismatch, ids=len(ids), checkpoints=len(hints)):
        queue.claimBatch(ids, hints, owner, sender=owner)


def test_claimBatch_of_nothing_reverts(queue, owner, three):
    with reverts(queue.EmptyBatch):
        queue.claimBatch([], [], owner, sender=owner)


def test_claimBatch_is_all_or_nothing(queue, owner, three):
    before = queue.balance
    with reverts(queue.CheckpointInvalid, id=2, checkpoint=2):
        queue.claimBatch([1, 2], [1, 2], owner, sender=owner)
    with reverts(queue.RequestNotFinalized, id=4):
        queue.claimBatch([1, 4], [1, 2], owner, sender=owner)
    assert (queue.balance, queue.balanceOf(owner)) == (before, 4)


# --- C5: recipients that do harm ---


@pytest.fixture(scope="module")
def hostile(project, owner):
    return owner.deploy(project.HostileRecipient)


@pytest.fixture
def claim_of_hostile(queue, owner, hostile, three):
    """Request 1 belongs to the hostile contract."""
    queue.transferFrom(owner, hostile, 1, sender=owner)


@pytest.mark.parametrize("mode", [REVERT, REVERT_LONG, SPIN], ids=["revert", "revert with 1 MB", "endless loop"])
@pytest.mark.parametrize("way", ["search", "hint", "batch"])
def test_C5_a_recipient_that_fails_fails_alone(queue, owner, anybody, hostile, claim_of_hostile, mode, way):
    hostile.become(mode, sender=owner)
    ways = {
        "search": lambda: queue.claim(1, sender=anybody, gas=1_000_000),
        "hint": lambda: queue.claim(1, 1, hostile, sender=anybody, gas=1_000_000),
        "batch": lambda: queue.claimBatch([1], [1], hostile, sender=anybody, gas=1_000_000),
    }
    with reverts(queue.RecipientRejectedEther, recipient=hostile, assets=10 * ETHER):
        ways[way]()
    assert queue.ownerOf(1) == hostile
    tx = queue.claim(2, sender=anybody)
    assert received(owner, tx) == 20 * ETHER


def test_C5_a_recipient_that_returns_a_megabyte_is_paid_and_nobody_reads_it(
    queue, owner, anybody, hostile, claim_of_hostile
):
    """2.2 million gas for the recipient's memory; to copy it would cost the queue as much again."""
    hostile.become(RETURN_LONG, sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert received(hostile, tx) == 10 * ETHER
    assert 2_200_000 < tx.gas_used < 2_500_000


def test_C5_with_hostile_claims_in_a_block_the_others_are_paid_in_it(
    queue, owner, other, anybody, hostile, claim_of_hostile
):
    web3 = ape.chain.provider.web3
    hostile.become(SPIN, sender=owner)
    queue.transferFrom(owner, other, 2, sender=owner)
    calls = [(anybody, queue.claim.encode_input(i)) for i in (1, 2, 3)]
    before = owner.balance, other.balance
    ape.chain.provider.auto_mine = False
    try:
        hashes = [
            web3.eth.send_transaction(
                {"from": who.address, "to": queue.address, "data": data, "gas": 1_000_000, "nonce": who.nonce + index}
            )
            for index, (who, data) in enumerate(calls)
        ]
        ape.chain.mine()
    finally:
        ape.chain.provider.auto_mine = True
    receipts = [web3.eth.get_transaction_receipt(tx_hash) for tx_hash in hashes]
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    assert [receipt["status"] for receipt in receipts] == [0, 1, 1]
    assert (owner.balance - before[0], other.balance - before[1]) == (30 * ETHER, 20 * ETHER)


def test_C5_a_recipient_that_comes_to_its_senses_is_paid(queue, owner, anybody, hostile, claim_of_hostile):
    hostile.become(REVERT, sender=owner)
    with reverts(queue.RecipientRejectedEther, recipient=hostile, assets=10 * ETHER):
        queue.claim(1, sender=anybody)
    hostile.become(ACCEPT, sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert received(hostile, tx) == 10 * ETHER


def test_C5_an_owner_that_cannot_take_ether_names_another_recipient(queue, owner, other, hostile, three):
    hostile.become(REVERT, sender=owner)
    with reverts(queue.RecipientRejectedEther, recipient=hostile, assets=10 * ETHER):
        queue.claim(1, 1, hostile, sender=owner)
    tx = queue.claim(1, 1, other, sender=owner)
    assert received(other, tx) == 10 * ETHER


def test_C5_one_bad_recipient_fails_its_own_batch_alone(queue, owner, anybody, hostile, three):
    hostile.become(REVERT, sender=owner)
    with reverts(queue.RecipientRejectedEther, recipient=hostile, assets=60 * ETHER):
        queue.claimBatch([1, 2, 3], [1, 1, 2], hostile, sender=owner)
    tx = queue.claimBatch([1, 2, 3], [1, 1, 2], owner, sender=anybody)
    assert received(owner, tx) == 60 * ETHER


@pytest.mark.parametrize("kind", ["never used", "code gone"])
def test_C5_an_account_without_code_is_paid(queue, owner, anybody, hostile, three, kind):
    if kind == "code gone":
        ape.chain.provider.make_request("anvil_setCode", [hostile.address, "0x"])
    account = hostile.address if kind == "code gone" else "0x" + "77" * 20
    queue.transferFrom(owner, account, 1, sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert received(account, tx) == 10 * ETHER


def test_C5_a_contract_without_a_door_for_ether_is_not_paid_and_keeps_its_request(
    queue, protocol, owner, anybody, three
):
    queue.transferFrom(owner, protocol.token, 1, sender=owner)
    with reverts(queue.RecipientRejectedEther, recipient=protocol.token, assets=10 * ETHER):
        queue.claim(1, sender=anybody)
    assert queue.ownerOf(1) == protocol.token


def test_C5_a_recipient_gets_all_the_gas(queue, project, owner, anybody, three):
    """No stipend of 2300: a wallet may do what it likes with what it is paid. Here it writes several slots."""
    wallet = owner.deploy(project.ReentrantRecipient)
    wallet.arm([(queue, queue.lastRequestId.encode_input())] * 4, sender=owner)
    tx = queue.claim(1, 1, wallet, sender=owner)
    assert received(wallet, tx) == 10 * ETHER
    assert [outcome.succeeded for outcome in wallet.outcomes()] == [True] * 4


# --- H1, H2: re-entrancy ---


@pytest.fixture
def attacker(project, protocol, owner, queue, three):
    """Owns the finalised requests 1 and 3, and slETH."""
    contract = owner.deploy(project.ReentrantRecipient)
    for request_id in (1, 3):
        queue.transferFrom(owner, contract, request_id, sender=owner)
    protocol.token.transfer(contract, 100 * ETHER, sender=owner)
    report_as_oracle(protocol)  # 4 is covered
    return contract


def everything(protocol: Any, attacker: Any) -> tuple[Any, ...]:
    queue, vault, token = protocol.queue, protocol.vault, protocol.token
    last = queue.lastRequestId()
    return (
        last,
        queue.lastFinalizedId(),
        queue.openShares(),
        [tuple(queue.getCheckpoint(i)) for i in range(1, queue.lastCheckpoint() + 1)],
        [(r.owner, r.shares, r.assets, r.finalized, r.claimed) for r in map(queue.getRequest, range(1, last + 1))],
        queue.balance,
        attacker.balance,
        vault.pooled(),
        vault.supply(),
        vault.buffer(),
        token.balanceOf(attacker),
        token.balanceOf(queue),
    )


@pytest.mark.parametrize("what", ["claim", "claimBatch", "request", "finalize", "move slETH", "move a request"])
def test_H1_C5_entering_again_while_paid_is_no_better_than_one_after_the_other(
    queue, protocol, owner, anybody, attacker, what
):
    token = protocol.token
    target, data = {
        "claim": (queue, queue.claim.encode_input(3)),
        "claimBatch": (queue, queue.claimBatch.encode_input([3], [2], attacker)),
        "request": (queue, queue.request.encode_input(5 * ETHER, attacker)),
        "finalize": (queue, queue.finalize.encode_input(4)),
        "move slETH": (token, token.transfer.encode_input(owner, ETHER)),
        "move a request": (queue, queue.transferFrom.encode_input(attacker, owner, 3)),
    }[what]
    with ape.chain.isolate():
        queue.claim(1, sender=anybody)
        attacker.execute(target, data, sender=owner)
        sequential = everything(protocol, attacker)
    attacker.arm([(target, data)], sender=owner)
    queue.claim(1, sender=anybody)
    assert [outcome.succeeded for outcome in attacker.outcomes()] == [True]
    assert everything(protocol, attacker) == sequential


@pytest.mark.parametrize("what", ["claim", "claim with hint", "claimBatch", "transfer", "approve"])
def test_H1_C7_a_request_that_is_being_paid_is_gone_already(queue, owner, anybody, attacker, what):
    data, error = {
        "claim": (queue.claim.encode_input(1), "RequestUnknown(uint256)"),
        "claim with hint": (queue.claim.encode_input(1, 1, attacker), "RequestUnknown(uint256)"),
        "claimBatch": (queue.claimBatch.encode_input([1], [1], attacker), "RequestUnknown(uint256)"),
        "transfer": (queue.transferFrom.encode_input(attacker, owner, 1), "TokenDoesNotExist()"),
        "approve": (queue.approve.encode_input(owner, 1), "TokenDoesNotExist()"),
    }[what]
    expected = keccak(text=error)[:4] + (encode(["uint256"], [1]) if "uint256" in error else b"")
    attacker.arm([(queue, data)], sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert received(attacker, tx) == 10 * ETHER
    assert [tuple(outcome) for outcome in attacker.outcomes()] == [(False, expected)]


def test_H1_a_chain_of_claims_from_within_claims_pays_each_once(queue, protocol, project, owner, anybody, three):
    first, second = (owner.deploy(project.ReentrantRecipient) for _ in range(2))
    queue.transferFrom(owner, first, 1, sender=owner)
    queue.transferFrom(owner, second, 2, sender=owner)
    first.arm([(queue, queue.claim.encode_input(2))], sender=owner)
    second.arm([(queue, queue.claim.encode_input(1)), (queue, queue.claim.encode_input(3))], sender=owner)
    tx = queue.claim(1, sender=anybody)
    assert tx.events == [
        *claimed(protocol, 1, first, first, 10 * ETHER),
        *claimed(protocol, 2, second, second, 20 * ETHER),
        *claimed(protocol, 3, owner, owner, 30 * ETHER),
    ]
    assert (received(first, tx), received(second, tx), received(owner, tx)) == (10 * ETHER, 20 * ETHER, 30 * ETHER)
    assert [outcome.succeeded for outcome in second.outcomes()] == [False, True]


def test_H1_a_request_can_be_claimed_from_within_its_safe_transfer(queue, protocol, project, owner, three):
    receiver = owner.deploy(project.ReentrantRecipient)
    receiver.arm([(queue, queue.claim.encode_input(1))], sender=owner)
    tx = queue.safeTransferFrom(owner, receiver, 1, sender=owner)
    assert tx.events == [
        queue.Transfer(owner, receiver, 1),
        *claimed(protocol, 1, receiver, receiver, 10 * ETHER),
    ]
    assert received(receiver, tx) == 10 * ETHER
    with reverts(queue.RequestUnknown, id=1):
        queue.claim(1, sender=owner)


def test_H2_what_is_read_while_being_paid_is_what_is_true_after(queue, protocol, owner, anybody, attacker):
    """Every getter, inside the callback and afterwards."""
    vault, token = protocol.vault, protocol.token
    probes = [
        (contract, getattr(contract, name).encode_input(*args))
        for contract, name, *args in (
            (vault, "rate"),
            (vault, "totalAssets"),
            (vault, "supply"),
            (vault, "pooled"),
            (vault, "buffer"),
            (vault, "depositable"),
            (token, "totalSupply"),
            (queue, "openShares"),
            (queue, "lastFinalizedId"),
            (queue, "finalizable"),
            (queue, "getRequest", 1),
            (queue, "getRequest", 3),
            (queue, "balanceOf", attacker),
            (queue, "etherAhead", 4),
        )
    ]
    attacker.arm(probes, sender=owner)
    queue.claim(1, sender=anybody)
    after = [ape.chain.provider.web3.eth.call({"to": c.address, "data": bytes(data)}) for c, data in probes]
    assert [tuple(outcome) for outcome in attacker.outcomes()] == [(True, bytes(result)) for result in after]


def test_Q1_forced_ether_in_the_queue_is_paid_to_nobody(queue, protocol, owner, anybody, three):
    give_ether(queue, 5 * ETHER)
    for request_id in (1, 2, 3):
        queue.claim(request_id, sender=anybody)
    assert locked(protocol) == 0
    assert queue.balance == 5 * ETHER
