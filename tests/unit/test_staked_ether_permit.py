"""StakedEther.permit: who may set an allowance with a signature, and every way in which nobody may."""

from __future__ import annotations

from dataclasses import dataclass, replace

import ape
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address
from hexbytes import HexBytes

from sluice.oracle.signing import SECP256K1_ORDER, to_compact
from tests.helpers import ETHER, ZERO, next_at, now, signer, stake
from tests.reverts import reverts

HELD = 10 * ETHER
VALUE = 3 * ETHER
FOREVER = 2**256 - 1


@dataclass(frozen=True)
class Permit:
    """Everything that is signed, the domain included."""

    owner: str
    spender: str
    chain_id: int
    contract: str
    value: int = VALUE
    nonce: int = 0
    deadline: int = FOREVER
    name: str = "Sluice Staked Ether"
    version: str = "1"

    @property
    def message(self):
        return encode_typed_data(
            full_message={
                "types": {
                    "EIP712Domain": [
                        {"name": "name", "type": "string"},
                        {"name": "version", "type": "string"},
                        {"name": "chainId", "type": "uint256"},
                        {"name": "verifyingContract", "type": "address"},
                    ],
                    "Permit": [
                        {"name": "owner", "type": "address"},
                        {"name": "spender", "type": "address"},
                        {"name": "value", "type": "uint256"},
                        {"name": "nonce", "type": "uint256"},
                        {"name": "deadline", "type": "uint256"},
                    ],
                },
                "primaryType": "Permit",
                "domain": {
                    "name": self.name,
                    "version": self.version,
                    "chainId": self.chain_id,
                    "verifyingContract": self.contract,
                },
                "message": {
                    "owner": self.owner,
                    "spender": self.spender,
                    "value": self.value,
                    "nonce": self.nonce,
                    "deadline": self.deadline,
                },
            }
        )

    def signed(self, key) -> bytes:
        """r, s, v: 65 bytes."""
        return bytes(key.sign_message(self.message).signature)

    def recovers(self, signature: bytes) -> str:
        """Whom the contract takes for the signer when it reads this permit."""
        return Account.recover_message(self.message, signature=signature)

    @property
    def arguments(self) -> tuple:
        return self.owner, self.spender, self.value, self.deadline


def vrs(signature: bytes) -> tuple[int, bytes, bytes]:
    return signature[64], signature[:32], signature[32:64]


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def owner(protocol):
    """Holds slETH and is a key."""
    stake(protocol, protocol.actors.staker, HELD)
    return protocol.actors.staker


@pytest.fixture(scope="module")
def key(owner):
    return signer(owner)


@pytest.fixture(scope="module")
def spender(protocol):
    return protocol.actors.other


@pytest.fixture(scope="module")
def relayer(protocol):
    """Submits, and is nobody."""
    return protocol.actors.stranger


@pytest.fixture
def asked(token, owner, spender):
    return Permit(owner.address, spender.address, ape.chain.chain_id, token.address)


@pytest.fixture(scope="module")
def other_key():
    return Account.from_key(keccak(text="somebody else"))


# --- The domain ---


def domain_separator(chain_id, contract):
    kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    words = [
        keccak(text=kind),
        keccak(text="Sluice Staked Ether"),
        keccak(text="1"),
        chain_id.to_bytes(32, "big"),
        bytes(12) + bytes.fromhex(contract[2:]),
    ]
    return keccak(b"".join(words))


def test_domain_is_that_of_chain_and_contract(token):
    assert token.DOMAIN_SEPARATOR() == domain_separator(31337, token.address)


def test_erc5267_describes_the_domain(token):
    domain = token.eip712Domain()
    assert HexBytes(domain.fields) == HexBytes("0x0f")
    assert (domain.name, domain.version, domain.chainId) == ("Sluice Staked Ether", "1", 31337)
    assert domain.verifyingContract == token.address
    assert HexBytes(domain.salt) == HexBytes(bytes(32))
    assert list(domain.extensions) == []


@pytest.fixture
def chain_id_one():
    """The chain after a fork that took another id. Isolation does not undo this, so it is undone here."""
    request = ape.chain.provider.make_request
    request("anvil_setChainId", [1])
    yield 1
    request("anvil_setChainId", [31337])


def test_G2_domain_follows_the_chain_id_after_a_fork(token, asked, key, chain_id_one):
    """An old signature does not count on the new chain, one for the new chain does."""
    assert token.DOMAIN_SEPARATOR() == domain_separator(1, token.address)
    assert token.eip712Domain().chainId == 1
    old = asked.signed(key)
    expected = replace(asked, chain_id=1)
    with reverts(token.ERC2612InvalidSigner, signer=expected.recovers(old), owner=asked.owner):
        token.permit.call(*asked.arguments, old)
    token.permit.call(*asked.arguments, expected.signed(key))


# --- A permit that counts ---


@pytest.mark.parametrize("value", [0, 1, VALUE, FOREVER])
@pytest.mark.parametrize("form", ["v, r, s", "bytes"])
def test_permit_sets_the_allowance_whoever_submits_it(token, asked, key, owner, spender, relayer, value, form):
    permit = replace(asked, value=value)
    signature = permit.signed(key)
    tx = token.permit(*permit.arguments, *(vrs(signature) if form == "v, r, s" else (signature,)), sender=relayer)
    assert tx.events == [token.Approval(owner=owner, spender=spender, value=value)]
    assert token.allowance(owner, spender) == value
    assert token.nonces(owner) == 1
    assert token.balanceOf(owner) == HELD


def test_permit_is_spent_by_the_spender(token, asked, key, owner, spender):
    token.permit(*asked.arguments, asked.signed(key), sender=spender)
    token.transferFrom(owner, spender, VALUE, sender=spender)
    assert token.balanceOf(spender) == VALUE
    assert token.allowance(owner, spender) == 0


def test_permits_follow_each_other_by_nonce(token, asked, key, owner, spender, relayer):
    for nonce, value in enumerate((5, 0, 7)):
        permit = replace(asked, nonce=nonce, value=value)
        token.permit(*permit.arguments, permit.signed(key), sender=relayer)
        assert token.allowance(owner, spender) == value
    assert token.nonces(owner) == 3


def test_permit_counts_until_the_last_second_of_its_deadline(token, asked, key, owner, spender, relayer):
    deadline = now() + 100
    permit = replace(asked, deadline=deadline)
    next_at(deadline)
    tx = token.permit(*permit.arguments, permit.signed(key), sender=relayer)
    assert tx.timestamp == deadline
    assert token.allowance(owner, spender) == VALUE


def test_G2_permit_reverts_a_second_after_its_deadline(token, asked, key, owner, relayer):
    deadline = now() + 100
    permit = replace(asked, deadline=deadline)
    next_at(deadline + 1)
    with reverts(token.ERC2612ExpiredSignature, deadline=deadline):
        token.permit(*permit.arguments, permit.signed(key), sender=relayer)
    assert token.nonces(owner) == 0


# --- Permits that do not count ---


def test_G2_permit_counts_once(token, asked, key, owner, relayer):
    signature = asked.signed(key)
    token.permit(*asked.arguments, signature, sender=relayer)
    taken_for = replace(asked, nonce=1).recovers(signature)
    with reverts(token.ERC2612InvalidSigner, signer=taken_for, owner=owner):
        token.permit(*asked.arguments, signature, sender=relayer)
    with reverts(token.ERC2612InvalidSigner, signer=taken_for, owner=owner):
        token.permit(*asked.arguments, *vrs(signature), sender=relayer)
    assert token.nonces(owner) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"contract": ZERO},
        {"contract": "vault"},
        {"name": "Sluice Staked ether"},
        {"version": "2"},
        {"nonce": 1},
        {"value": VALUE + 1},
        {"deadline": FOREVER - 1},
        {"spender": "vault"},
    ],
    ids=lambda change: "-".join(map(str, next(iter(change.items())))),
)
def test_G2_permit_signed_for_anything_else_reverts(protocol, token, asked, key, owner, relayer, change):
    ((field, value),) = change.items()
    signed = replace(asked, **{field: protocol.vault.address if value == "vault" else value})
    signature = signed.signed(key)
    with reverts(token.ERC2612InvalidSigner, signer=asked.recovers(signature), owner=owner):
        token.permit(*asked.arguments, signature, sender=relayer)
    assert token.nonces(owner) == 0


def test_G2_permit_signed_by_somebody_else_reverts(token, asked, other_key, owner, relayer):
    with reverts(token.ERC2612InvalidSigner, signer=other_key.address, owner=owner):
        token.permit(*asked.arguments, asked.signed(other_key), sender=relayer)


def test_G2_permit_with_malleable_s_reverts(token, asked, key, owner, relayer):
    v, r, s = vrs(asked.signed(key))
    flipped = (SECP256K1_ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=owner):
        token.permit(*asked.arguments, 55 - v, r, flipped, sender=relayer)
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=owner):
        token.permit(*asked.arguments, r + flipped + bytes([55 - v]), sender=relayer)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_G2_permit_with_another_v_reverts(token, asked, key, owner, relayer, v):
    _, r, s = vrs(asked.signed(key))
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=owner):
        token.permit(*asked.arguments, v, r, s, sender=relayer)


@pytest.mark.parametrize("length", [0, 1, 64, 66])
def test_G2_permit_with_a_signature_of_another_length_reverts(token, asked, key, owner, relayer, length):
    signature = (asked.signed(key) + b"\0")[:length]
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=owner):
        token.permit(*asked.arguments, signature, sender=relayer)


def test_G2_permit_takes_no_compact_signature(token, asked, key, owner, relayer):
    """One signature, one form: ERC-2098 would be a second one for the same permit."""
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=owner):
        token.permit(*asked.arguments, to_compact(asked.signed(key)), sender=relayer)


@pytest.mark.parametrize("signature", [bytes(65), bytes(64) + b"\x1b", b"\xff" * 65])
def test_G2_permit_for_the_zero_address_reverts(token, spender, relayer, signature):
    """What recovers to nobody must not pass for nobody's signature."""
    with reverts(token.ERC2612InvalidSigner, signer=ZERO, owner=ZERO):
        token.permit(ZERO, spender, 1, FOREVER, signature, sender=relayer)


def test_permit_for_a_zero_spender_reverts(token, asked, key, owner, relayer):
    permit = replace(asked, spender=ZERO)
    with reverts(token.ERC20InvalidSpender, spender=ZERO):
        token.permit(*permit.arguments, permit.signed(key), sender=relayer)
    assert token.nonces(owner) == 0


def test_G1_front_run_permit_leaves_the_spender_its_allowance(protocol, token, asked, key, owner, relayer):
    """Whoever submits first does the owner's work; what needs the allowance goes on."""
    permit = replace(asked, spender=protocol.rebasing.address)
    signature = permit.signed(key)
    token.permit(*permit.arguments, signature, sender=relayer)
    protocol.rebasing.wrapWithPermit(VALUE, FOREVER, signature, sender=owner)
    assert protocol.rebasing.sharesOf(owner) == VALUE


# --- Contracts as owners (ERC-1271) ---


@pytest.fixture(scope="module")
def wallet(protocol, owner):
    """Accepts what `owner` signs; holds slETH."""
    wallet = owner.deploy(ape.project.ContractWallet, owner)
    stake(protocol, owner, HELD, receiver=wallet)
    return wallet


@pytest.mark.parametrize("form", ["v, r, s", "bytes"])
def test_permit_of_a_contract_counts_where_it_accepts_the_signature(
    token, wallet, asked, key, owner, spender, relayer, form
):
    permit = replace(asked, owner=wallet.address)
    signature = permit.signed(key)
    tx = token.permit(*permit.arguments, *(vrs(signature) if form == "v, r, s" else (signature,)), sender=relayer)
    assert tx.events == [token.Approval(owner=wallet, spender=spender, value=VALUE)]
    assert token.nonces(wallet) == 1
    assert token.nonces(owner) == 0
    assert token.allowance(owner, spender) == 0


def test_G2_permit_of_a_contract_counts_once(token, wallet, asked, key, owner, relayer):
    permit = replace(asked, owner=wallet.address)
    signature = permit.signed(key)
    token.permit(*permit.arguments, signature, sender=relayer)
    taken_for = replace(permit, nonce=1).recovers(signature)
    with reverts(token.ERC2612InvalidSigner, signer=taken_for, owner=wallet):
        token.permit(*permit.arguments, signature, sender=relayer)


def test_G2_permit_of_a_contract_reverts_where_somebody_else_signed(token, wallet, asked, other_key, relayer):
    permit = replace(asked, owner=wallet.address)
    with reverts(token.ERC2612InvalidSigner, signer=other_key.address, owner=wallet):
        token.permit(*permit.arguments, permit.signed(other_key), sender=relayer)


def test_G2_permit_of_one_wallet_does_not_count_for_another_of_the_same_key(token, wallet, asked, key, owner, relayer):
    twin = owner.deploy(ape.project.ContractWallet, owner)
    permit = replace(asked, owner=wallet.address)
    signature = permit.signed(key)
    taken_for = replace(permit, owner=twin.address).recovers(signature)
    with reverts(token.ERC2612InvalidSigner, signer=taken_for, owner=twin):
        token.permit(twin, *permit.arguments[1:], signature, sender=relayer)


@pytest.mark.parametrize("answer", range(5), ids=["no", "four bytes", "dirty", "reverts", "empty"])
def test_G2_permit_of_a_contract_that_does_not_say_yes_reverts(token, asked, key, owner, relayer, answer):
    wallet = owner.deploy(ape.project.RequestSigner, answer)
    permit = replace(asked, owner=wallet.address)
    with reverts(token.ERC2612InvalidSigner, signer=owner, owner=wallet):
        token.permit(*permit.arguments, permit.signed(key), sender=relayer)


@pytest.mark.parametrize("name", ["vault", "queue", "cover", "rewards", "gateway", "token"])
def test_J5_nobody_permits_for_the_protocol(protocol, token, asked, key, owner, relayer, name):
    permit = replace(asked, owner=getattr(protocol, name).address)
    with reverts(token.ERC2612InvalidSigner, signer=owner, owner=permit.owner):
        token.permit(*permit.arguments, permit.signed(key), sender=relayer)


# --- Accounts with delegated code (EIP-7702) ---


@pytest.fixture
def delegated(token, wallet, relayer):
    """A key whose account runs the wallet's code, set by a transaction of type 4 that the relayer pays."""
    delegating = Account.from_key(keccak(text="delegates its code"))
    web3 = ape.chain.provider.web3
    authorization = delegating.sign_authorization({"chainId": 31337, "address": wallet.address, "nonce": 0})
    transaction = signer(relayer).sign_transaction(
        {
            "chainId": 31337,
            "to": to_checksum_address(ZERO),
            "value": 0,
            "gas": 200_000,
            "nonce": relayer.nonce,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 0,
            "authorizationList": [authorization],
        }
    )
    web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(transaction.raw_transaction))
    code = bytes(web3.eth.get_code(delegating.address))
    assert code == bytes.fromhex("ef0100" + wallet.address[2:])
    return delegating


def test_permit_of_a_delegated_account_counts_with_its_own_key(token, delegated, asked, spender, relayer):
    """Its code would refuse: it accepts the wallet's owner alone. The key is still the account."""
    permit = replace(asked, owner=delegated.address)
    tx = token.permit(*permit.arguments, permit.signed(delegated), sender=relayer)
    assert tx.events == [token.Approval(owner=delegated.address, spender=spender, value=VALUE)]


def test_permit_of_a_delegated_account_counts_where_its_code_accepts(token, delegated, asked, key, spender, relayer):
    permit = replace(asked, owner=delegated.address)
    tx = token.permit(*permit.arguments, permit.signed(key), sender=relayer)
    assert tx.events == [token.Approval(owner=delegated.address, spender=spender, value=VALUE)]


def test_G2_permit_of_a_delegated_account_reverts_for_anybody_else(token, delegated, asked, other_key, relayer):
    permit = replace(asked, owner=delegated.address)
    with reverts(token.ERC2612InvalidSigner, signer=other_key.address, owner=delegated):
        token.permit(*permit.arguments, permit.signed(other_key), sender=relayer)
