"""A request is an ERC-721 token: the behaviour that OpenZeppelin's suite asks of one, and what is special here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers import ETHER, ZERO, stake
from tests.queueing import claimed, request, settle
from tests.reverts import reverts

UNKNOWN = 99
MAGIC, OTHER, REVERT_EMPTY, REVERT_REASON, REVERT_ERROR, PANIC = range(6)
DATA = b"\x42\x99"


@pytest.fixture(scope="module")
def owner(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def receiver(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def approved(protocol):
    return protocol.actors.treasury


@pytest.fixture(scope="module")
def operator(protocol):
    return protocol.actors.registrar


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def queue(protocol, owner, approved, operator):
    """Requests 1 and 2 of the owner; `approved` may move 1, `operator` all."""
    stake(protocol, owner, 100 * ETHER)
    request(protocol, owner, ETHER, 2 * ETHER)
    protocol.queue.approve(approved, 1, sender=owner)
    protocol.queue.setApprovalForAll(operator, True, sender=owner)
    return protocol.queue


# --- Reading ---


def test_name_symbol_and_interfaces(queue):
    assert (queue.name(), queue.symbol()) == ("Sluice Withdrawal Request", "slREQUEST")


@pytest.mark.parametrize(
    ("interface", "supported"),
    [
        ("0x01ffc9a7", True),  # ERC-165
        ("0x80ac58cd", True),  # ERC-721
        ("0x5b5e139f", True),  # ERC-721 metadata
        ("0x780e9d63", False),  # ERC-721 enumerable
        ("0xffffffff", False),
        ("0x00000000", False),
    ],
)
def test_supportsInterface(queue, interface, supported):
    assert queue.supportsInterface(interface) is supported


def test_balanceOf_counts(queue, owner, stranger):
    assert (queue.balanceOf(owner), queue.balanceOf(stranger)) == (2, 0)
    with reverts(queue.BalanceQueryForZeroAddress):
        queue.balanceOf(ZERO)


def test_ownerOf_knows_its_owners_and_nobody_else(queue, owner):
    assert queue.ownerOf(1) == queue.ownerOf(2) == owner
    for request_id in (0, 3, UNKNOWN, 2**256 - 1):
        with reverts(queue.TokenDoesNotExist):
            queue.ownerOf(request_id)


def test_getApproved(queue, approved):
    assert (queue.getApproved(1), queue.getApproved(2)) == (approved, ZERO)
    with reverts(queue.TokenDoesNotExist):
        queue.getApproved(UNKNOWN)


# --- Transfers, of three kinds ---


def transfer_from(queue: Any, *args: Any, sender: Any) -> Any:
    return queue.transferFrom(*args, sender=sender)


def safe_transfer_from(queue: Any, *args: Any, sender: Any) -> Any:
    return queue.safeTransferFrom(*args, sender=sender)


def safe_transfer_with_data(queue: Any, *args: Any, sender: Any) -> Any:
    return queue.safeTransferFrom(*args, DATA, sender=sender)


KINDS = pytest.mark.parametrize("transfer", [transfer_from, safe_transfer_from, safe_transfer_with_data])


@KINDS
@pytest.mark.parametrize("by", ["owner", "approved", "operator"])
def test_transfer_moves_the_request_and_ends_its_approval(queue, owner, receiver, approved, operator, transfer, by):
    sender = {"owner": owner, "approved": approved, "operator": operator}[by]
    before = tuple(queue.getRequest(1))
    tx = transfer(queue, owner, receiver, 1, sender=sender)
    assert tx.events == [queue.Transfer(owner, receiver, 1)]
    assert queue.ownerOf(1) == receiver
    assert queue.getApproved(1) == ZERO
    assert (queue.balanceOf(owner), queue.balanceOf(receiver)) == (1, 1)
    assert tuple(queue.getRequest(1)) == (receiver, *before[1:])
    with reverts(queue.NotOwnerNorApproved):
        transfer(queue, receiver, owner, 1, sender=sender)


@KINDS
def test_operator_moves_what_nobody_was_approved_for(queue, owner, receiver, operator, transfer):
    transfer(queue, owner, receiver, 2, sender=operator)
    assert queue.ownerOf(2) == receiver


@KINDS
def test_A7_transfer_to_oneself_changes_nothing_but_the_approval(queue, owner, transfer):
    before = tuple(queue.getRequest(1))
    tx = transfer(queue, owner, owner, 1, sender=owner)
    assert tx.events == [queue.Transfer(owner, owner, 1)]
    assert queue.ownerOf(1) == owner
    assert queue.getApproved(1) == ZERO
    assert queue.balanceOf(owner) == 2
    assert tuple(queue.getRequest(1)) == before


@KINDS
def test_transfer_from_another_than_the_owner_reverts(queue, owner, receiver, stranger, transfer):
    with reverts(queue.TransferFromIncorrectOwner):
        transfer(queue, stranger, receiver, 1, sender=owner)


@KINDS
@pytest.mark.parametrize("request_id", [1, 2])
def test_transfer_by_who_may_not_reverts(queue, owner, receiver, approved, stranger, transfer, request_id):
    with reverts(queue.NotOwnerNorApproved):
        transfer(queue, owner, receiver, request_id, sender=stranger)
    with reverts(queue.NotOwnerNorApproved):
        transfer(queue, owner, receiver, 2, sender=approved)


@KINDS
def test_transfer_of_what_does_not_exist_reverts(queue, owner, receiver, transfer):
    with reverts(queue.TokenDoesNotExist):
        transfer(queue, owner, receiver, UNKNOWN, sender=owner)


@KINDS
def test_transfer_to_nobody_reverts(queue, owner, transfer):
    with reverts(queue.TransferToZeroAddress):
        transfer(queue, owner, ZERO, 1, sender=owner)


@KINDS
def test_G3_transfer_to_the_queue_itself_reverts(queue, owner, transfer):
    """There it could never be claimed: the ether would be lost for ever."""
    with reverts(queue.RecipientInvalid, recipient=queue):
        transfer(queue, owner, queue, 1, sender=owner)


def test_a_request_moves_on_after_it_was_finalised(protocol, queue, owner, receiver, stranger):
    settle(protocol)
    queue.transferFrom(owner, receiver, 1, sender=owner)
    tx = queue.claim(1, sender=stranger)
    assert tx.events == [*claimed(protocol, 1, receiver, receiver, ETHER)]


# --- Safe transfers ---


@pytest.mark.parametrize("data", [b"", DATA])
@pytest.mark.parametrize("by", ["owner", "approved", "operator"])
def test_safeTransferFrom_asks_the_receiver(project, queue, owner, approved, operator, data, by):
    sender = {"owner": owner, "approved": approved, "operator": operator}[by]
    contract = owner.deploy(project.RequestReceiver, MAGIC)
    if data:
        tx = queue.safeTransferFrom(owner, contract, 1, data, sender=sender)
    else:
        tx = queue.safeTransferFrom(owner, contract, 1, sender=sender)
    assert tx.events == [queue.Transfer(owner, contract, 1), contract.Received(sender, owner, 1, data)]
    assert queue.ownerOf(1) == contract


def test_transferFrom_asks_nobody(project, queue, owner):
    contract = owner.deploy(project.RequestReceiver, REVERT_ERROR)
    tx = queue.transferFrom(owner, contract, 1, sender=owner)
    assert tx.events == [queue.Transfer(owner, contract, 1)]


@pytest.mark.parametrize("transfer", [safe_transfer_from, safe_transfer_with_data])
@pytest.mark.parametrize("answer", [OTHER, REVERT_EMPTY, REVERT_REASON, REVERT_ERROR, PANIC])
def test_safeTransferFrom_to_who_does_not_want_it_reverts(project, queue, owner, transfer, answer):
    contract = owner.deploy(project.RequestReceiver, answer)
    error, inputs = {
        OTHER: (queue.TransferToNonERC721ReceiverImplementer, {}),
        REVERT_EMPTY: (queue.TransferToNonERC721ReceiverImplementer, {}),
        REVERT_REASON: ("RequestReceiver: not today", {}),
        REVERT_ERROR: (contract.Declined, {"id": 1}),
        PANIC: (0x01, {}),
    }[answer]
    with reverts(error, **inputs):
        transfer(queue, owner, contract, 1, sender=owner)
    assert queue.ownerOf(1) == owner


@pytest.mark.parametrize("transfer", [safe_transfer_from, safe_transfer_with_data])
@pytest.mark.parametrize("name", ["token", "vault", "weth", "gateway"])
def test_safeTransferFrom_to_a_contract_that_knows_no_ERC721_reverts(protocol, queue, owner, transfer, name):
    with reverts(queue.TransferToNonERC721ReceiverImplementer):
        transfer(queue, owner, getattr(protocol, name), 1, sender=owner)


# --- Approvals ---


@pytest.mark.parametrize("by", ["owner", "operator"])
def test_approve_names_one_account_and_clears_it(queue, owner, operator, stranger, by):
    sender = owner if by == "owner" else operator
    tx = queue.approve(stranger, 1, sender=sender)
    assert tx.events == [queue.Approval(owner, stranger, 1)]
    assert queue.getApproved(1) == stranger
    again = queue.approve(stranger, 1, sender=sender)
    assert again.events == [queue.Approval(owner, stranger, 1)]
    cleared = queue.approve(ZERO, 1, sender=sender)
    assert cleared.events == [queue.Approval(owner, ZERO, 1)]
    assert queue.getApproved(1) == ZERO
    with reverts(queue.NotOwnerNorApproved):
        queue.transferFrom(owner, stranger, 1, sender=stranger)


def test_approve_by_who_may_not_reverts(queue, approved, stranger):
    """Not even by who is approved: an approval cannot be handed on."""
    for sender in (stranger, approved):
        with reverts(queue.NotOwnerNorApproved):
            queue.approve(stranger, 1, sender=sender)


def test_approve_of_what_does_not_exist_reverts(queue, owner):
    with reverts(queue.TokenDoesNotExist):
        queue.approve(owner, UNKNOWN, sender=owner)


def test_setApprovalForAll_is_given_and_taken(queue, owner, receiver, stranger):
    assert queue.isApprovedForAll(owner, stranger) is False
    tx = queue.setApprovalForAll(stranger, True, sender=owner)
    assert tx.events == [queue.ApprovalForAll(owner, stranger, True)]
    assert queue.isApprovedForAll(owner, stranger) is True
    assert queue.isApprovedForAll(stranger, owner) is False
    tx = queue.setApprovalForAll(stranger, False, sender=owner)
    assert tx.events == [queue.ApprovalForAll(owner, stranger, False)]
    assert queue.isApprovedForAll(owner, stranger) is False
    with reverts(queue.NotOwnerNorApproved):
        queue.transferFrom(owner, receiver, 1, sender=stranger)


def test_an_operator_of_the_former_owner_is_none_of_the_new(queue, owner, receiver, operator):
    queue.transferFrom(owner, receiver, 1, sender=owner)
    with reverts(queue.NotOwnerNorApproved):
        queue.transferFrom(receiver, operator, 1, sender=operator)


# --- C7: claimed requests ---


def test_C7_a_claimed_request_is_unknown_to_every_function(protocol, queue, owner, approved, receiver, operator):
    settle(protocol)
    queue.claim(1, sender=owner)
    assert queue.balanceOf(owner) == 1
    calls = [
        lambda: queue.ownerOf(1),
        lambda: queue.getApproved(1),
        lambda: queue.tokenURI(1),
        lambda: queue.approve(receiver, 1, sender=owner),
    ]
    calls += [
        lambda sender=sender: queue.transferFrom(owner, receiver, 1, sender=sender)
        for sender in (owner, approved, operator)
    ]
    for call in calls:
        with reverts(queue.TokenDoesNotExist):
            call()


def test_C7_a_claim_emits_the_burn(protocol, queue, owner):
    settle(protocol)
    tx = queue.claim(1, sender=owner)
    assert tx.events[:1] == [queue.Transfer(owner, ZERO, 1)]


# --- Ether sent along ---


@pytest.mark.parametrize("function", ["transferFrom", "safeTransferFrom", "safeTransferFrom data", "approve"])
def test_ether_sent_along_is_refused(queue, owner, receiver, function):
    """These functions are payable in the library; the ether would be lost."""
    data = {
        "transferFrom": queue.transferFrom.encode_input(owner, receiver, 1),
        "safeTransferFrom": queue.safeTransferFrom.encode_input(owner, receiver, 1),
        "safeTransferFrom data": queue.safeTransferFrom.encode_input(owner, receiver, 1, DATA),
        "approve": queue.approve.encode_input(receiver, 1),
    }[function]
    with reverts(queue.EtherNotAccepted, sender=owner):
        owner.transfer(queue, 1, data=data)


def test_ether_sent_along_with_setApprovalForAll_is_refused(queue, owner, receiver):
    with reverts(b""):
        owner.transfer(queue, 1, data=queue.setApprovalForAll.encode_input(receiver, True))
