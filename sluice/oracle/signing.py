"""Signatures over reports (EIP-712), as ``ReportOracle.submit`` takes them: sorted by signer, each signer once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from sluice.oracle.report import Report

DOMAIN_NAME: Final = "Sluice Report Oracle"
DOMAIN_VERSION: Final = "1"
REPORT_TYPE: Final = (
    ("referenceSlot", "uint64"),
    ("beaconRoot", "bytes32"),
    ("balancesRoot", "bytes32"),
    ("validators", "uint64"),
    ("consensusBalance", "uint64"),
    ("provision", "uint64"),
    ("faults", "uint64"),
    ("withdrawn", "uint64"),
    ("deposited", "uint64"),
    ("rewards", "uint96"),
)
SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
COMPACT_LENGTH: Final = 64
FULL_LENGTH: Final = 65


class SignatureError(ValueError):
    """Bytes that no oracle contract would accept as a signature."""


@dataclass(frozen=True)
class OracleDomain:
    """Binds a signature to one chain and one oracle."""

    chain_id: int
    oracle: ChecksumAddress


@dataclass(frozen=True, order=True)
class SignedReport:
    """A signer (20 bytes, what the contract sorts by) and the signature, 65 bytes."""

    signer: bytes
    signature: bytes

    @property
    def address(self) -> ChecksumAddress:
        return to_checksum_address(self.signer)


def typed_data(report: Report, domain: OracleDomain) -> dict[str, Any]:
    """The JSON object that any wallet signs."""
    values = report.as_tuple()
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Report": [{"name": name, "type": kind} for name, kind in REPORT_TYPE],
        },
        "primaryType": "Report",
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.oracle,
        },
        "message": dict(zip((name for name, _ in REPORT_TYPE), values, strict=True)),
    }


def signable(report: Report, domain: OracleDomain) -> SignableMessage:
    return encode_typed_data(full_message=typed_data(report, domain))


def digest(report: Report, domain: OracleDomain) -> bytes:
    """What is signed: equal to the contract's ``digest(report)``."""
    message = signable(report, domain)
    return keccak(b"\x19" + message.version + message.header + message.body)


def sign(report: Report, domain: OracleDomain, key: LocalAccount) -> SignedReport:
    signed = key.sign_message(signable(report, domain))
    return SignedReport(bytes.fromhex(key.address[2:]), bytes(signed.signature))


def to_compact(signature: bytes) -> bytes:
    """ERC-2098: 64 bytes, the parity in the highest bit of s."""
    r, s, parity = _split(signature)
    return r.to_bytes(32, "big") + (s | parity << 255).to_bytes(32, "big")


def to_full(signature: bytes) -> bytes:
    """r, s and v (27 or 28): 65 bytes."""
    r, s, parity = _split(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])


def recover(report: Report, domain: OracleDomain, signature: bytes) -> ChecksumAddress:
    """Who signed; raises :class:`SignatureError` for what no oracle contract would accept."""
    try:
        address: ChecksumAddress = Account.recover_message(signable(report, domain), signature=to_full(signature))
    except (BadSignature, ValidationError) as error:
        raise SignatureError(f"it recovers to nobody: {error}") from error
    return address


def gather(signed: Iterable[SignedReport], *, compact: bool = False) -> list[bytes]:
    """The second argument of ``submit``: by signer ascending, one of each."""
    by_signer = {item.signer: item.signature for item in signed}
    chosen = (by_signer[signer] for signer in sorted(by_signer))
    return [to_compact(item) if compact else to_full(item) for item in chosen]


def _split(signature: bytes) -> tuple[int, int, int]:
    if len(signature) == COMPACT_LENGTH:
        r = int.from_bytes(signature[:32], "big")
        vs = int.from_bytes(signature[32:], "big")
        s, parity = vs & (2**255 - 1), vs >> 255
    elif len(signature) == FULL_LENGTH:
        r = int.from_bytes(signature[:32], "big")
        s = int.from_bytes(signature[32:64], "big")
        if signature[64] not in (27, 28):
            raise SignatureError(f"v is {signature[64]} instead of 27 or 28")
        parity = signature[64] - 27
    else:
        raise SignatureError(f"{len(signature)} bytes instead of 65 or 64")
    if s > SECP256K1_ORDER // 2:
        raise SignatureError("s lies in the upper half of the order")
    return r, s, parity
