"""Signatures over reports: the digest by hand, both forms, the order the contract wants."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from sluice.oracle.report import Report
from sluice.oracle.signing import (
    SECP256K1_ORDER,
    OracleDomain,
    SignatureError,
    digest,
    gather,
    recover,
    sign,
    to_compact,
    to_full,
)
from sluice.units import Gwei, Slot, Wei

DOMAIN = OracleDomain(31_337, to_checksum_address("0x" + "c0" * 20))
REPORT = Report(
    reference_slot=Slot(7_200),
    beacon_root=b"\x11" * 32,
    balances_root=b"\x22" * 32,
    validators=3,
    consensus_balance=Gwei(96_000_000_001),
    provision=Gwei(5),
    faults=Gwei(12),
    withdrawn=Gwei(7),
    deposited=Gwei(96_000_000_000),
    rewards=Wei(123_456_789),
)
KEYS = [Account.from_key(bytes([n]) * 32) for n in range(1, 10)]


def test_digest_is_what_eip_712_says():
    type_hash = keccak(
        text="Report(uint64 referenceSlot,bytes32 beaconRoot,bytes32 balancesRoot,uint64 validators,"
        "uint64 consensusBalance,uint64 provision,uint64 faults,uint64 withdrawn,uint64 deposited,uint96 rewards)"
    )
    domain_hash = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    separator = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [domain_hash, keccak(text="Sluice Report Oracle"), keccak(text="1"), 31_337, DOMAIN.oracle],
        )
    )
    struct = keccak(
        encode(
            ["bytes32", "uint64", "bytes32", "bytes32", *["uint64"] * 6, "uint96"],
            [type_hash, *REPORT.as_tuple()],
        )
    )
    assert digest(REPORT, DOMAIN) == keccak(b"\x19\x01" + separator + struct)


@pytest.mark.parametrize(
    "change",
    [
        {"reference_slot": 7_201},
        {"beacon_root": b"\x12" * 32},
        {"balances_root": b"\x12" * 32},
        {"validators": 4},
        {"consensus_balance": 1},
        {"provision": 6},
        {"faults": 6},
        {"withdrawn": 8},
        {"deposited": 1},
        {"rewards": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_digest_binds_every_field(change):
    assert digest(replace(REPORT, **change), DOMAIN) != digest(REPORT, DOMAIN)


def test_digest_binds_chain_and_oracle():
    other = OracleDomain(DOMAIN.chain_id, to_checksum_address("0x" + "c1" * 20))
    digests = {digest(REPORT, d) for d in (DOMAIN, replace(DOMAIN, chain_id=1), other)}
    assert len(digests) == 3


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.address[:8])
def test_both_forms_recover_to_the_signer(key):
    signed = sign(REPORT, DOMAIN, key)
    compact = to_compact(signed.signature)
    assert (len(signed.signature), len(compact)) == (65, 64)
    assert to_full(compact) == signed.signature
    assert recover(REPORT, DOMAIN, signed.signature) == key.address == signed.address
    assert recover(REPORT, DOMAIN, compact) == key.address


def test_gathered_signatures_rise_by_signer_and_count_once():
    signed = [sign(REPORT, DOMAIN, key) for key in KEYS]
    gathered = gather([*signed, signed[0], *reversed(signed)])
    signers = [int(recover(REPORT, DOMAIN, item), 16) for item in gathered]
    assert signers == sorted({int(key.address, 16) for key in KEYS})
    assert [to_full(item) for item in gather(signed, compact=True)] == gathered


def test_malleable_signature_is_refused():
    signature = sign(REPORT, DOMAIN, KEYS[0]).signature
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    flipped = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    with pytest.raises(SignatureError, match="upper half"):
        recover(REPORT, DOMAIN, flipped)


@pytest.mark.parametrize("length", [0, 63, 66])
def test_signature_of_another_length_is_refused(length):
    with pytest.raises(SignatureError, match=f"{length} bytes"):
        to_compact(b"\x01" * length)


def test_parity_must_be_27_or_28():
    signature = sign(REPORT, DOMAIN, KEYS[0]).signature
    with pytest.raises(SignatureError, match="v is 0"):
        to_full(signature[:64] + b"\0")
