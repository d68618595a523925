"""WithdrawalQueue.requestWithPermit: whoever sends it, only what the owner signed can happen, once."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_abi import encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from sluice.oracle.signing import SECP256K1_ORDER, to_compact
from tests.helpers import DAY, ETHER, GWEI, ZERO, next_at, now, signer, stake
from tests.queueing import requested
from tests.reverts import reverts

FOREVER = 2**256 - 1


@pytest.fixture(scope="module")
def owner(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def receiver(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def relayer(protocol):
    """Sends what others signed."""
    return protocol.actors.stranger


@pytest.fixture(scope="module")
def held(protocol, owner):
    return stake(protocol, owner, 100 * ETHER + 5)


def typed_data(protocol: Any, owner: Any, shares: int, receiver: Any, deadline: int, nonce: int, **domain: Any) -> dict:
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Request": [
                {"name": "owner", "type": "address"},
                {"name": "shares", "type": "uint256"},
                {"name": "receiver", "type": "address"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Request",
        "domain": {
            "name": "Sluice Withdrawal Request",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": protocol.queue.address,
        }
        | domain,
        "message": {
            "owner": getattr(owner, "address", owner),
            "shares": shares,
            "receiver": getattr(receiver, "address", receiver),
            "nonce": nonce,
            "deadline": deadline,
        },
    }


def sign(protocol, key, *, owner, shares, receiver, deadline=FOREVER, nonce=0, **domain) -> bytes:
    message = encode_typed_data(full_message=typed_data(protocol, owner, shares, receiver, deadline, nonce, **domain))
    return bytes(signer(key).sign_message(message).signature)


@pytest.fixture
def signature(protocol, owner, receiver, held) -> bytes:
    """Of the owner: 10 slETH for the receiver, at any time."""
    return sign(protocol, owner, owner=owner, shares=10 * ETHER, receiver=receiver)


# --- What it does ---


def test_domain_is_that_of_the_queue_on_this_chain(protocol):
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    words = [
        keccak(kind),
        keccak(text="Sluice Withdrawal Request"),
        keccak(text="1"),
        ape.chain.chain_id,
        protocol.queue.address,
    ]
    expected = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], words))
    assert protocol.queue.DOMAIN_SEPARATOR() == expected
    assert tuple(protocol.queue.eip712Domain()) == (
        b"\x0f",
        "Sluice Withdrawal Request",
        "1",
        ape.chain.chain_id,
        protocol.queue.address,
        bytes(32),
        [],
    )


def test_anybody_submits_what_the_owner_signed(protocol, owner, receiver, relayer, held, signature):
    """Escrow comes from the owner, the request goes to whom the signature names, the relayer gets nothing."""
    queue, token = protocol.queue, protocol.token
    tx = queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)
    assert tx.events == [
        *requested(protocol, 1, owner, receiver, 10 * ETHER),
        token.Transfer(owner, queue, 10 * ETHER),
    ]
    assert queue.ownerOf(1) == receiver
    assert token.balanceOf(owner) == held - 10 * ETHER
    assert queue.nonces(owner) == 1
    assert queue.nonces(relayer) == queue.nonces(receiver) == 0
    assert token.allowance(owner, queue) == token.allowance(owner, relayer) == 0


def test_requestWithPermit_returns_the_id(protocol, owner, receiver, relayer, signature):
    protocol.queue.request(ETHER, owner, sender=owner)
    assert protocol.queue.requestWithPermit.call(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer) == 2


def test_the_rest_of_a_gwei_stays_with_the_owner(protocol, owner, relayer, held):
    signature = sign(protocol, owner, owner=owner, shares=held, receiver=owner)
    protocol.queue.requestWithPermit(owner, held, owner, FOREVER, signature, sender=relayer)
    assert protocol.token.balanceOf(owner) == 5
    assert protocol.queue.openShares() == 100 * ETHER


def test_nonces_count_up(protocol, owner, receiver, relayer, held):
    for nonce in (0, 1, 2):
        signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, nonce=nonce)
        protocol.queue.requestWithPermit(owner, ETHER, receiver, FOREVER, signature, sender=relayer)
        assert protocol.queue.nonces(owner) == nonce + 1
    assert protocol.queue.openShares() == 3 * ETHER


# --- Deadline ---


def test_the_last_second_of_the_deadline_counts(protocol, owner, receiver, relayer, held):
    deadline = now() + DAY
    signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, deadline=deadline)
    next_at(deadline)
    tx = protocol.queue.requestWithPermit(owner, ETHER, receiver, deadline, signature, sender=relayer)
    assert tx.timestamp == deadline


def test_one_second_later_it_has_expired(protocol, owner, receiver, relayer, held):
    deadline = now() + DAY
    signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, deadline=deadline)
    next_at(deadline + 1)
    with reverts(protocol.queue.PermitExpired, deadline=deadline):
        protocol.queue.requestWithPermit(owner, ETHER, receiver, deadline, signature, sender=relayer)


def test_a_deadline_of_zero_has_expired(protocol, owner, receiver, relayer, held):
    signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, deadline=0)
    with reverts(protocol.queue.PermitExpired, deadline=0):
        protocol.queue.requestWithPermit(owner, ETHER, receiver, 0, signature, sender=relayer)


# --- G1: sent first by somebody else ---


def test_G1_a_front_run_permit_does_what_the_owner_wanted(protocol, owner, receiver, relayer, held, signature):
    """The second sender's call fails, but the request is there, as signed: nothing to gain and nothing lost."""
    queue = protocol.queue
    queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)
    with reverts(queue.PermitSignerInvalid, owner=owner):
        queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=owner)
    assert queue.ownerOf(1) == receiver
    assert queue.getRequest(1).shares == 10 * ETHER
    assert queue.lastRequestId() == 1


# --- G2: replay ---


def test_G2_a_signature_counts_once(protocol, owner, receiver, relayer, held, signature):
    protocol.queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)
    with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
        protocol.queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)


@pytest.mark.parametrize("field", ["owner", "shares", "receiver", "deadline"])
def test_G2_nothing_that_was_signed_can_be_changed(protocol, owner, receiver, relayer, signature, field):
    stake(protocol, relayer, 100 * ETHER)
    given = {"owner": owner, "shares": 10 * ETHER, "receiver": receiver, "deadline": FOREVER}
    other = {"owner": relayer, "shares": 11 * ETHER, "receiver": relayer, "deadline": FOREVER - 1}
    given[field] = other[field]
    with reverts(protocol.queue.PermitSignerInvalid, owner=given["owner"]):
        protocol.queue.requestWithPermit(
            given["owner"], given["shares"], given["receiver"], given["deadline"], signature, sender=relayer
        )


@pytest.mark.parametrize("nonce", [1, 2, FOREVER])
def test_G2_a_future_nonce_is_refused(protocol, owner, receiver, relayer, held, nonce):
    signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, nonce=nonce)
    with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
        protocol.queue.requestWithPermit(owner, ETHER, receiver, FOREVER, signature, sender=relayer)


@pytest.mark.parametrize(
    "domain",
    [
        {"chainId": 1},
        {"verifyingContract": ZERO},
        {"name": "Sluice Staked Ether"},
        {"version": "2"},
    ],
    ids=lambda domain: next(iter(domain)),
)
def test_G2_a_signature_for_elsewhere_is_refused(protocol, owner, receiver, relayer, held, domain):
    signature = sign(protocol, owner, owner=owner, shares=ETHER, receiver=receiver, **domain)
    with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
        protocol.queue.requestWithPermit(owner, ETHER, receiver, FOREVER, signature, sender=relayer)


def test_G2_after_a_fork_with_another_chain_id_old_signatures_are_void(
    protocol, owner, receiver, relayer, held, signature
):
    """The separator is made from the chain id of the moment, not from that of the deployment."""
    provider = ape.chain.provider
    arguments = (owner, 10 * ETHER, receiver, FOREVER)
    before = protocol.queue.DOMAIN_SEPARATOR()
    forked = sign(protocol, owner, owner=owner, shares=10 * ETHER, receiver=receiver, chainId=31338)
    provider.make_request("anvil_setChainId", [31338])
    try:
        assert protocol.queue.DOMAIN_SEPARATOR() != before
        with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
            protocol.queue.requestWithPermit.call(*arguments, signature, sender=relayer)
        assert protocol.queue.requestWithPermit.call(*arguments, forked, sender=relayer) == 1
    finally:
        provider.make_request("anvil_setChainId", [31337])
    assert protocol.queue.DOMAIN_SEPARATOR() == before


# --- G2: malformed signatures ---


def _malleable(signature: bytes) -> bytes:
    """The other point with the same r: s -> n - s, v flipped. Recovers to the same key where it is not refused."""
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([27 + 28 - signature[64]])


MALFORMED = {
    "malleable s": _malleable,
    "v of 0 or 1": lambda s: s[:64] + bytes([s[64] - 27]),
    "other v": lambda s: s[:64] + bytes([27 + 28 - s[64]]),
    "v of 29": lambda s: s[:64] + b"\x1d",
    "compact": to_compact,  # not accepted here: 65 bytes is the one form
    "66 bytes": lambda s: s + b"\x00",
    "64 bytes": lambda s: s[:64],
    "empty": lambda _: b"",
    "zeros": lambda _: bytes(65),
    "r of zero": lambda s: bytes(32) + s[32:],
    "s of zero": lambda s: s[:32] + bytes(32) + s[64:],
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_G2_a_malformed_signature_is_refused(protocol, owner, receiver, relayer, signature, kind):
    with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
        protocol.queue.requestWithPermit(
            owner, 10 * ETHER, receiver, FOREVER, MALFORMED[kind](signature), sender=relayer
        )
    assert protocol.queue.nonces(owner) == 0


def test_G2_the_zero_address_has_signed_nothing(protocol, relayer, held):
    """A failed recovery gives zero: it must not pass for a signature of the zero address."""
    with reverts(protocol.queue.PermitSignerInvalid, owner=ZERO):
        protocol.queue.requestWithPermit(ZERO, ETHER, relayer, FOREVER, bytes(65), sender=relayer)


def test_somebody_elses_signature_is_refused(protocol, owner, receiver, relayer, held):
    signature = sign(protocol, relayer, owner=owner, shares=ETHER, receiver=receiver)
    with reverts(protocol.queue.PermitSignerInvalid, owner=owner):
        protocol.queue.requestWithPermit(owner, ETHER, receiver, FOREVER, signature, sender=relayer)


# --- ERC-1271 and delegated code ---


def test_a_contract_wallet_signs_through_its_owner(project, protocol, owner, receiver, relayer, held):
    wallet = owner.deploy(project.ContractWallet, owner)
    protocol.token.transfer(wallet, 20 * ETHER, sender=owner)
    signature = sign(protocol, owner, owner=wallet, shares=10 * ETHER, receiver=receiver)
    tx = protocol.queue.requestWithPermit(wallet, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)
    assert tx.events == [
        *requested(protocol, 1, wallet, receiver, 10 * ETHER),
        protocol.token.Transfer(wallet, protocol.queue, 10 * ETHER),
    ]
    assert protocol.queue.nonces(wallet) == 1
    with reverts(protocol.queue.PermitSignerInvalid, owner=wallet):
        protocol.queue.requestWithPermit(wallet, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)


def test_a_contract_wallet_refuses_the_signature_of_a_stranger(project, protocol, owner, receiver, relayer, held):
    wallet = owner.deploy(project.ContractWallet, owner)
    protocol.token.transfer(wallet, 20 * ETHER, sender=owner)
    signature = sign(protocol, relayer, owner=wallet, shares=10 * ETHER, receiver=receiver)
    with reverts(protocol.queue.PermitSignerInvalid, owner=wallet):
        protocol.queue.requestWithPermit(wallet, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)


@pytest.mark.parametrize("answer", range(5), ids=["no", "short", "dirty", "magic in a revert", "empty"])
def test_G2_a_wallet_that_does_not_answer_with_the_magic_word_has_not_signed(
    project, protocol, owner, receiver, relayer, held, answer
):
    wallet = owner.deploy(project.RequestSigner, answer)
    protocol.token.transfer(wallet, 20 * ETHER, sender=owner)
    with reverts(protocol.queue.PermitSignerInvalid, owner=wallet):
        protocol.queue.requestWithPermit(wallet, 10 * ETHER, receiver, FOREVER, b"", sender=relayer)


def test_a_contract_that_knows_nothing_of_signatures_has_not_signed(protocol, receiver, relayer, held):
    with reverts(protocol.queue.PermitSignerInvalid, owner=protocol.weth):
        protocol.queue.requestWithPermit(protocol.weth, ETHER, receiver, FOREVER, b"", sender=relayer)


def test_an_account_with_delegated_code_still_signs_with_its_key(protocol, owner, receiver, relayer, signature):
    """EIP-7702: code at the address of a key. Here it delegates to a contract without ERC-1271."""
    code = "0xef0100" + protocol.weth.address[2:]
    ape.chain.provider.make_request("anvil_setCode", [owner.address, code])
    protocol.queue.requestWithPermit(owner, 10 * ETHER, receiver, FOREVER, signature, sender=relayer)
    assert protocol.queue.ownerOf(1) == receiver


# --- A valid signature does not lift the rules of a request ---


def test_below_the_minimum_it_reverts_and_uses_no_nonce(protocol, owner, receiver, relayer, held):
    minimum = protocol.params.queue.minimum_request
    signature = sign(protocol, owner, owner=owner, shares=minimum - 1, receiver=receiver)
    with reverts(protocol.queue.RequestBelowMinimum, shares=minimum - 1, minimum=minimum):
        protocol.queue.requestWithPermit(owner, minimum - 1, receiver, FOREVER, signature, sender=relayer)
    assert protocol.queue.nonces(owner) == 0


def test_above_the_balance_it_reverts_and_uses_no_nonce(protocol, owner, receiver, relayer, held):
    shares = 100 * ETHER + GWEI
    signature = sign(protocol, owner, owner=owner, shares=shares, receiver=receiver)
    with reverts(protocol.token.ERC20InsufficientBalance, sender=owner, balance=held, needed=shares):
        protocol.queue.requestWithPermit(owner, shares, receiver, FOREVER, signature, sender=relayer)
    assert protocol.queue.nonces(owner) == 0


def test_a_signed_request_for_nobody_or_the_queue_reverts(protocol, owner, relayer, held):
    nobody = sign(protocol, owner, owner=owner, shares=ETHER, receiver=ZERO)
    with reverts(protocol.queue.TransferToZeroAddress):
        protocol.queue.requestWithPermit(owner, ETHER, ZERO, FOREVER, nobody, sender=relayer)
    queue = sign(protocol, owner, owner=owner, shares=ETHER, receiver=protocol.queue)
    with reverts(protocol.queue.RecipientInvalid, recipient=protocol.queue):
        protocol.queue.requestWithPermit(owner, ETHER, protocol.queue, FOREVER, queue, sender=relayer)
