"""The committee of a local chain: keys from a mnemonic, the quorum's signatures, and when a report is due.

Real members sign with keys of their own, each with its own process; only a local chain has them all in one place.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from sluice.chain.interface import ConsensusLayer
from sluice.chain.node import Node, call
from sluice.oracle.report import Report
from sluice.oracle.signing import gather, sign
from sluice.oracle.views import Contracts, Expected, read_expected, read_limits
from sluice.units import Slot

TEST_MNEMONIC: Final = "test test test test test test test test test test test junk"
"""Known to everybody: never use its accounts but on a local chain."""


class QuorumMissingError(Exception):
    """Fewer keys are here than a report needs."""


def local_keys(count: int = 40, mnemonic: str = TEST_MNEMONIC) -> list[LocalAccount]:
    """The first accounts of a mnemonic, in the order anvil and ape have them."""
    Account.enable_unaudited_hdwallet_features()
    return [Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{n}") for n in range(count)]


def committee_keys(node: Node, contracts: Contracts, candidates: Iterable[LocalAccount]) -> list[LocalAccount]:
    """Those that sign for a member now."""
    members = call(node, contracts.oracle, "members()", returns=["address[]"])[0]
    signers = {
        to_checksum_address(call(node, contracts.oracle, "keyOf(address)", [member], ["address"])[0])
        for member in members
    }
    return [key for key in candidates if key.address in signers]


def sign_with_quorum(
    node: Node, contracts: Contracts, report: Report, keys: Sequence[LocalAccount], *, compact: bool = True
) -> list[bytes]:
    """As many signatures as the oracle asks for, ordered as it wants them."""
    quorum: int = call(node, contracts.oracle, "quorum()", returns=["uint256"])[0]
    if len(keys) < quorum:
        raise QuorumMissingError(f"{len(keys)} keys of members are here, a report needs {quorum}")
    return gather((sign(report, contracts.domain, key) for key in keys[:quorum]), compact=compact)


def advance_to_report(layer: ConsensusLayer, node: Node, contracts: Contracts) -> Expected:
    """Let time pass until the next report can be made: the frame's slot old enough, nothing reported for it."""
    layer.sync()
    expected = read_expected(node, contracts)
    start = expected.deadline if expected.reported else expected.time
    earliest = start + read_limits(node, contracts).min_age
    slot = Slot(-(-(earliest - layer.spec.genesis_time) // layer.spec.seconds_per_slot))
    if slot > layer.slot:
        layer.advance_to(slot)
    return read_expected(node, contracts)
