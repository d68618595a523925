"""Branches for the contract `BeaconProofs`, and where each kind of state keeps what is proven.

Branches are short: of a list only the siblings below the top of what is filled, then its length, then those up to the
root of the state. :func:`full_branch` has them as any other verifier wants them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Final

from pydantic.alias_generators import to_camel

from sluice.beacon import ssz
from sluice.beacon.containers import NO_DEPOSIT, BlockHeader, PendingDeposit, ValidatorRecord
from sluice.beacon.merkle import ZERO_ROOTS, Tree, fold, length_chunk
from sluice.beacon.spec import Fork, Preset, beacon_state
from sluice.beacon.state import StateTree
from sluice.units import Gwei, Slot

BALANCE_BYTES: Final = 8


class ProofError(ValueError):
    """What is asked cannot be proven from this state."""


# --- Layouts ---


@dataclass(frozen=True)
class StateLayout:
    """The Solidity struct of the same name, field by field and in its order."""

    first_slot: Slot
    validators: int
    validators_depth: int
    balances: int
    balances_depth: int
    pending_deposits: int
    pending_deposits_depth: int
    historical_summaries: int
    historical_summaries_depth: int
    block_roots: int

    def as_tuple(self) -> tuple[int, ...]:
        """As contracts take it."""
        return astuple(self)

    def as_mapping(self) -> dict[str, int]:
        """By the names of the Solidity struct."""
        return {to_camel(name): value for name, value in asdict(self).items()}


def layout(fork: Fork, preset: Preset, first_slot: Slot) -> StateLayout:
    """Where states of ``fork`` keep what is proven. A field's generalized index is 2 ** depth + its number."""
    kind = beacon_state(fork, preset)
    fields = dict(kind.fields)

    def place(name: str) -> int:
        return int(2**kind.depth) + kind.index(name)

    def depth(name: str) -> int:
        field = fields[name]
        if not isinstance(field, ssz.List):
            raise TypeError(f"{name} is no list")
        return ssz.chunk_depth(field)

    return StateLayout(
        first_slot,
        place("validators"),
        depth("validators"),
        place("balances"),
        depth("balances"),
        place("pending_deposits"),
        depth("pending_deposits"),
        place("historical_summaries"),
        depth("historical_summaries"),
        place("block_roots"),
    )


@dataclass(frozen=True)
class ProofsConfig:
    """The Solidity struct ``BeaconProofs.Config``."""

    layouts: tuple[StateLayout, ...]
    end_slot: Slot
    slots_per_historical_root: int
    first_summary_slot: Slot

    def as_mapping(self) -> dict[str, object]:
        """As the constructor takes it, by name."""
        return {
            "layouts": [item.as_mapping() for item in self.layouts],
            "endSlot": self.end_slot,
            "slotsPerHistoricalRoot": self.slots_per_historical_root,
            "firstSummarySlot": self.first_summary_slot,
        }

    def as_tuple(self) -> tuple[list[tuple[int, ...]], int, int, int]:
        """As the constructor takes it."""
        layouts = [item.as_tuple() for item in self.layouts]
        return (layouts, self.end_slot, self.slots_per_historical_root, self.first_summary_slot)


# --- Proofs ---


@dataclass(frozen=True)
class ValidatorProof:
    header: BlockHeader
    index: int
    record: ValidatorRecord
    branch: list[bytes]


@dataclass(frozen=True)
class BalanceProof:
    header: BlockHeader
    index: int
    balances: bytes
    """The chunk of four that the balance is in."""
    branch: list[bytes]

    @property
    def balance(self) -> Gwei:
        at = self.index % 4 * BALANCE_BYTES
        return Gwei(int.from_bytes(self.balances[at : at + BALANCE_BYTES], "little"))


@dataclass(frozen=True)
class PendingDepositProof:
    header: BlockHeader
    index: int
    deposit: PendingDeposit
    branch: list[bytes]


@dataclass(frozen=True)
class CountProof:
    header: BlockHeader
    count: int
    branch: list[bytes]


@dataclass(frozen=True)
class BlockProof:
    """That ``block`` was the newest at or before ``slot``."""

    header: BlockHeader
    slot: Slot
    block: BlockHeader
    branch: list[bytes]


def header_of(tree: StateTree) -> BlockHeader:
    """The header of the block that the loaded state is the state after."""
    return tree.state.latest_block_header(tree.root)


def validator_proof(tree: StateTree, index: int) -> ValidatorProof:
    record = tree.state.validator(index)
    return ValidatorProof(header_of(tree), index, record, _list_branch(tree, "validators", index))


def balance_proof(tree: StateTree, index: int) -> BalanceProof:
    count = tree.state.count("balances")
    if not 0 <= index < count:
        raise ProofError(f"balance {index} of {count}")
    chunk = tree.tree("balances").leaves[index // 4].tobytes()
    return BalanceProof(header_of(tree), index, chunk, _list_branch(tree, "balances", index // 4))


def pending_deposit_proof(tree: StateTree, index: int) -> PendingDepositProof:
    deposit = tree.state.pending_deposit(index)
    return PendingDepositProof(header_of(tree), index, deposit, _list_branch(tree, "pending_deposits", index))


def next_deposit_proof(tree: StateTree) -> tuple[PendingDeposit, list[bytes]]:
    """The first pending deposit and its branch; one without a key and the branch of their count where none is pending.
    ``proveReturned`` of the manager takes both.
    """
    if len(tree.state.pending_deposits):
        proof = pending_deposit_proof(tree, 0)
        return proof.deposit, proof.branch
    return NO_DEPOSIT, pending_deposit_count_proof(tree).branch


def validator_count_proof(tree: StateTree) -> CountProof:
    return _count_proof(tree, "validators")


def pending_deposit_count_proof(tree: StateTree) -> CountProof:
    return _count_proof(tree, "pending_deposits")


def block_proof(tree: StateTree, slot: Slot, block: BlockHeader) -> BlockProof:
    """By the block roots of the loaded state: slots before its own, as many as it keeps."""
    header = header_of(tree)
    period = tree.state.preset.slots_per_historical_root
    if not max(0, header.slot - period) <= slot < header.slot:
        raise ProofError(f"the state of slot {header.slot} has no block root of slot {slot}")
    roots = tree.tree("block_roots")
    _same_block(roots.leaves[slot % period].tobytes(), block, slot)
    return BlockProof(
        header, slot, block, roots.branch(slot % period) + roots.rest() + _field_branch(tree, "block_roots")
    )


def historical_block_proof(
    tree: StateTree, slot: Slot, block: BlockHeader, block_roots: Sequence[bytes], first_summary_slot: Slot
) -> BlockProof:
    """By the historical summaries of the loaded state.

    ``block_roots`` are those of the whole period that ``slot`` is in: :func:`period_roots`.
    """
    period = tree.state.preset.slots_per_historical_root
    if len(block_roots) != period:
        raise ProofError(f"{len(block_roots)} block roots in place of {period}")
    number = (slot - first_summary_slot) // period
    count = tree.state.count("historical_summaries")
    if not 0 <= number < count:
        raise ProofError(f"slot {slot} is in period {number}; the state has summaries of {count}")
    roots = Tree(ssz.chunk_depth(ssz.Vector(ssz.BYTES32, period)))
    roots.update(ssz.rows(memoryview(b"".join(block_roots)), 32))
    summary = bytes(tree.state.fields["historical_summaries"][number * 64 : (number + 1) * 64])
    if roots.root != summary[:32]:
        raise ProofError(f"these are not the block roots of period {number}")
    _same_block(block_roots[slot % period], block, slot)
    branch = [
        *roots.branch(slot % period),
        summary[32:],
        *_list_branch(tree, "historical_summaries", number),
    ]
    return BlockProof(header_of(tree), slot, block, branch)


def period_roots(blocks: Mapping[int, bytes], first: Slot, length: int, before: bytes | None = None) -> list[bytes]:
    """The block roots of ``length`` slots from ``first`` on; a slot without a block has that of the newest before it.

    ``before`` is the root of the newest block before ``first``, needed where that slot was missed.
    """
    found = []
    for slot in range(first, first + length):
        before = blocks.get(slot, before)
        if before is None:
            raise ProofError(f"no block is known at or before slot {slot}")
        found.append(before)
    return found


def full_branch(branch: Sequence[bytes], below: int, count: int, depth: int) -> list[bytes]:
    """A short branch in a list with every sibling that it leaves out.

    :param below: steps from the leaf to the root of the element
    :param count: of chunks in the list
    :param depth: of the list
    """
    filled = max(0, count - 1).bit_length()
    return [*branch[: below + filled], *ZERO_ROOTS[filled:depth], *branch[below + filled :]]


def verify(leaf: bytes, path: int, branch: Sequence[bytes], root: bytes) -> bool:
    """Whether a full branch leads from ``leaf`` to ``root``; ``path`` is its generalized index."""
    return path.bit_length() - 1 == len(branch) and fold(leaf, list(branch), path) == root


def _same_block(root: bytes, block: BlockHeader, slot: Slot) -> None:
    if root != block.root():
        raise ProofError(f"the block at slot {block.slot} is not the newest at or before slot {slot}")


def _field_branch(tree: StateTree, name: str) -> list[bytes]:
    top = tree.top
    return top.branch(tree.state.kind.index(name)) + top.rest()


def _list_branch(tree: StateTree, name: str, chunk: int) -> list[bytes]:
    count = length_chunk(tree.state.count(name))
    return [*tree.tree(name).branch(chunk), count, *_field_branch(tree, name)]


def _count_proof(tree: StateTree, name: str) -> CountProof:
    branch = [tree.tree(name).root, *_field_branch(tree, name)]
    return CountProof(header_of(tree), tree.state.count(name), branch)
