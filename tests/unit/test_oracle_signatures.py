"""ReportOracle.submit: signatures that must not count, and those that do no harm (D2, D3, G2)."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest

from sluice.oracle.signing import SECP256K1_ORDER, OracleDomain, to_compact
from tests.helpers import ZERO, advance_frame, domain_of, report_of, signatures_of, stake, submit
from tests.reverts import reverts
from tests.voting import another, as_sorted, recovered, signatures_by

QUORUM = 5


@pytest.fixture(scope="module")
def oracle(protocol):
    return protocol.oracle


@pytest.fixture(scope="module")
def keys(protocol):
    """Members' keys by address, as the oracle wants their signatures."""
    return sorted(protocol.actors.keys, key=lambda key: int(key.address, 16))


@pytest.fixture(scope="module")
def report(protocol):
    stake(protocol, protocol.actors.staker, 1_000 * 10**18)
    advance_frame(protocol)
    return report_of(protocol, gain=10**15)


@pytest.fixture
def good(protocol, report, keys):
    return signatures_by(protocol, report, keys[:QUORUM])


def test_the_good_ones_are_good(protocol, oracle, report, good):
    submit(protocol, report, good)
    assert oracle.lastReferenceSlot() == report.reference_slot


# --- Too few ---


@pytest.mark.parametrize("count", range(QUORUM))
def test_D2_fewer_than_a_quorum_change_nothing(protocol, oracle, report, good, count):
    with reverts(oracle.QuorumNotReached, given=count, needed=QUORUM):
        submit(protocol, report, good[:count])
    assert oracle.expected().reported is False


@pytest.mark.parametrize("outsiders", [1, 5])
def test_D2_strangers_do_not_fill_a_quorum(protocol, oracle, report, keys, outsiders):
    actors = protocol.actors
    strangers = [actors.stranger, actors.governor, actors.admin, actors.members[0], actors.deployer][:outsiders]
    signatures = as_sorted(protocol, report, signatures_by(protocol, report, [*keys[: QUORUM - 1], *strangers]))
    with reverts(oracle.QuorumNotReached, given=QUORUM - 1, needed=QUORUM):
        submit(protocol, report, signatures)


def test_a_stranger_beside_a_quorum_does_no_harm(protocol, oracle, report, keys):
    """So a key that was rotated a moment ago cannot spoil the submission that still carries it."""
    signatures = signatures_by(protocol, report, [*keys[:QUORUM], protocol.actors.stranger])
    submit(protocol, report, as_sorted(protocol, report, signatures))
    assert oracle.expected().reported is True


def test_D2_a_member_that_rotates_its_key_counts_once(protocol, oracle, report, keys):
    """Old key and new key signed: one member."""
    actors = protocol.actors
    member = actors.members[actors.keys.index(keys[0])]
    oracle.rotateKey(actors.treasury, sender=member)
    four = signatures_by(protocol, report, [*keys[: QUORUM - 1], actors.treasury])
    with reverts(oracle.QuorumNotReached, given=QUORUM - 1, needed=QUORUM):
        submit(protocol, report, as_sorted(protocol, report, four))
    five = signatures_by(protocol, report, [*keys[:QUORUM], actors.treasury])
    submit(protocol, report, as_sorted(protocol, report, five))
    assert oracle.expected().reported is True


def test_D2_members_sign_with_their_keys_not_with_their_own_accounts(protocol, oracle, report):
    signatures = signatures_of(protocol, report, protocol.actors.members)
    with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
        submit(protocol, report, signatures)


# --- Order ---


@pytest.mark.parametrize("position", range(QUORUM - 1))
def test_unsorted_signers_are_refused(protocol, oracle, report, keys, good, position):
    signatures = list(good)
    signatures[position], signatures[position + 1] = signatures[position + 1], signatures[position]
    with reverts(oracle.SignersNotSorted, previous=keys[position + 1], signer=keys[position]):
        submit(protocol, report, signatures)


@pytest.mark.parametrize("compact", [True, False])
def test_D2_a_signer_that_appears_twice_is_refused(protocol, oracle, report, keys, good, compact):
    """In its other form, too: it is the signer that is compared, not the bytes."""
    again = to_compact(good[1]) if compact else good[1]
    with reverts(oracle.SignersNotSorted, previous=keys[1], signer=keys[1]):
        submit(protocol, report, [good[0], good[1], again, good[2], good[3]])


def test_D2_a_second_signature_of_a_key_over_the_same_report_is_refused(protocol, oracle, report, keys, good):
    """A signer can make as many different signatures as it likes by choosing another nonce k; here by hand."""
    twin = _with_nonce(protocol, report, keys[0], 12345)
    assert twin != good[0]
    assert recovered(protocol, report, twin) == keys[0]
    with reverts(oracle.SignersNotSorted, previous=keys[0], signer=keys[0]):
        submit(protocol, report, [good[0], twin, *good[1:4]])


def _with_nonce(protocol, report, key, k: int) -> bytes:
    """ECDSA as in the books: r = (kG).x, s = (digest + r d) / k."""
    from eth_keys.backends.native.ecdsa import fast_multiply
    from eth_keys.constants import SECPK1_G

    order = SECP256K1_ORDER
    x, y = fast_multiply(SECPK1_G, k)
    digest = int.from_bytes(bytes(protocol.oracle.digest(report.as_tuple())), "big")
    s = (digest + x * int(key.private_key, 16)) * pow(k, -1, order) % order
    odd = y % 2
    if s > order // 2:
        s, odd = order - s, 1 - odd
    return x.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])


# --- Form ---


def _malleable(signature: bytes) -> bytes:
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


MALFORMED = {
    "malleable s": _malleable,
    "v of 0 or 1": lambda s: s[:64] + bytes([s[64] - 27]),
    "v of 29": lambda s: s[:64] + b"\x1d",
    "v of 255": lambda s: s[:64] + b"\xff",
    "66 bytes": lambda s: s + b"\x00",
    "63 bytes": lambda s: s[:63],
    "32 bytes": lambda s: s[:32],
    "empty": lambda _: b"",
    "65 zeros": lambda _: bytes(65),
    "64 zeros": lambda _: bytes(64),
    "r of zero": lambda s: bytes(32) + s[32:],
    "s of zero": lambda s: s[:32] + bytes(32) + s[64:],
    "r beyond the field": lambda s: b"\xff" * 32 + s[32:],
    "two signatures": lambda s: s + s,
}


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("position", [0, 4])
def test_G2_a_malformed_signature_is_refused_and_named(protocol, oracle, report, good, kind, position):
    signatures = list(good)
    signatures[position] = MALFORMED[kind](signatures[position])
    with reverts(oracle.SignatureInvalid, index=position):
        submit(protocol, report, signatures)


@pytest.mark.parametrize("compact", [True, False])
def test_G2_with_the_other_parity_it_is_somebody_elses(protocol, oracle, report, good, compact):
    """v 27 for 28 is well formed, in ERC-2098 the highest bit of s; it recovers an account that nobody has."""
    if compact:
        short = to_compact(good[0])
        flipped = short[:32] + bytes([short[32] ^ 0x80]) + short[33:]
    else:
        flipped = good[0][:64] + bytes([55 - good[0][64]])
    signatures = as_sorted(protocol, report, [flipped, *good[1:]])
    with reverts(oracle.QuorumNotReached, given=QUORUM - 1, needed=QUORUM):
        submit(protocol, report, signatures)


# --- G2, D3: signed for something else ---


@pytest.mark.parametrize("index", range(9))
def test_D3_signatures_over_a_report_count_for_no_other(protocol, oracle, report, good, index):
    """Whichever of the nine fields differs."""
    changed = list(report.as_tuple())
    value = changed[index]
    changed[index] = bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value + 1
    other = type(report)(*changed)
    with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
        submit(protocol, other, as_sorted(protocol, other, good))


@pytest.mark.parametrize("where", ["chain", "contract", "nowhere"])
def test_G2_signatures_for_another_chain_or_deployment_do_not_count(protocol, oracle, report, keys, where):
    domain = domain_of(protocol)
    elsewhere = {
        "chain": OracleDomain(1, domain.oracle),
        "contract": OracleDomain(domain.chain_id, protocol.vault.address),
        "nowhere": OracleDomain(0, ZERO),
    }[where]
    signatures = signatures_by(protocol, report, keys[:QUORUM], elsewhere)
    with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
        submit(protocol, report, as_sorted(protocol, report, signatures))


def test_G2_after_a_fork_with_another_chain_id_old_signatures_are_void(protocol, oracle, report, keys, good):
    provider = ape.chain.provider
    stranger = protocol.actors.stranger
    domain = OracleDomain(31338, oracle.address)
    forked = signatures_by(protocol, report, keys[:QUORUM], domain)
    before = bytes(oracle.digest(report.as_tuple()))
    provider.make_request("anvil_setChainId", [31338])
    try:
        assert bytes(oracle.digest(report.as_tuple())) != before
        oracle.submit.call(report.as_tuple(), forked, sender=stranger)
        with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
            oracle.submit.call(report.as_tuple(), as_sorted(protocol, report, good, domain), sender=stranger)
    finally:
        provider.make_request("anvil_setChainId", [31337])
    assert bytes(oracle.digest(report.as_tuple())) == before


def test_D3_signatures_for_the_next_frame_are_of_no_use_in_this_one(protocol, oracle, report, keys):
    early = replace(report, reference_slot=report.reference_slot + 7_200)
    signatures = signatures_by(protocol, early, keys[:QUORUM])
    with reverts(oracle.ReferenceSlotUnexpected, given=early.reference_slot, expected=report.reference_slot):
        submit(protocol, early, signatures)
    with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
        submit(protocol, report, as_sorted(protocol, report, signatures))


def test_D3_a_quorum_split_between_two_reports_accepts_neither(protocol, oracle, report, keys):
    other = another(report)
    for signed, signers in ((report, keys[:4]), (other, keys[5:])):
        with reverts(oracle.QuorumNotReached, given=4, needed=QUORUM):
            submit(protocol, signed, signatures_by(protocol, signed, signers))
    assert oracle.expected().reported is False


def test_signatures_are_judged_before_the_frame(protocol, oracle, report, good):
    """A report for another frame without signatures is refused for these: nothing else is looked at."""
    wrong = replace(report, reference_slot=1)
    with reverts(oracle.QuorumNotReached, given=0, needed=QUORUM):
        submit(protocol, wrong, [])
