"""SSZ types as far as a beacon state needs them, and hash_tree_root straight from bytes: no objects are made.

Values of fixed size are hashed by columns: rows of bytes in, a root for each row out.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from sluice.beacon.hasher import BLOCK, DIGEST, Bytes2D, hash_blocks
from sluice.beacon.merkle import log2_up, merkleize, mix_in_length

OFFSET: Final = 4
_SLAB: Final = 4096
"""Rows that are hashed at a time: their nodes stay in the cache."""


class SszError(ValueError):
    """Bytes that are not what their type says."""


@dataclass(frozen=True)
class Uint:
    """Little endian; a boolean is one of one byte."""

    size: int


@dataclass(frozen=True)
class ByteVector:
    size: int


@dataclass(frozen=True)
class ByteList:
    limit: int


@dataclass(frozen=True)
class Bitvector:
    length: int


@dataclass(frozen=True)
class Vector:
    element: "SszType"
    length: int


@dataclass(frozen=True)
class List:
    element: "SszType"
    limit: int


@dataclass(frozen=True)
class Container:
    name: str
    fields: tuple[tuple[str, "SszType"], ...]

    def index(self, field: str) -> int:
        return [name for name, _ in self.fields].index(field)

    @property
    def depth(self) -> int:
        return log2_up(len(self.fields))


SszType = Uint | ByteVector | ByteList | Bitvector | Vector | List | Container

BOOLEAN: Final = Uint(1)
UINT8: Final = Uint(1)
UINT64: Final = Uint(8)
UINT256: Final = Uint(32)
BYTES4: Final = ByteVector(4)
BYTES20: Final = ByteVector(20)
BYTES32: Final = ByteVector(32)
BYTES48: Final = ByteVector(48)
BYTES96: Final = ByteVector(96)


def fixed_size(kind: SszType) -> int | None:
    """Bytes of a value, or None where that depends on the value."""
    match kind:
        case Uint(size) | ByteVector(size):
            return size
        case Bitvector(length):
            return (length + 7) // 8
        case Vector(element, length):
            each = fixed_size(element)
            return None if each is None else each * length
        case Container(fields=fields):
            sizes = [fixed_size(field) for _, field in fields]
            return None if None in sizes else sum(size for size in sizes if size is not None)
        case List() | ByteList():
            return None


def chunk_depth(kind: List | Vector) -> int:
    """Depth of the tree below a list's length, or of a vector."""
    limit = kind.limit if isinstance(kind, List) else kind.length
    return log2_up(-(-limit * kind.element.size // DIGEST) if isinstance(kind.element, Uint) else limit)


# --- Parts ---


def parts(kind: Container, data: memoryview) -> dict[str, memoryview]:
    """The bytes of every field. Offsets are checked: fields lie one behind the other and fill ``data``."""
    sizes = [fixed_size(field) for _, field in kind.fields]
    head = sum(OFFSET if size is None else size for size in sizes)
    if len(data) < head:
        raise SszError(f"{kind.name} has {len(data)} bytes, its fixed part alone {head}")
    found: dict[str, memoryview] = {}
    variable: list[tuple[str, int]] = []
    at = 0
    for (name, _), size in zip(kind.fields, sizes, strict=True):
        if size is None:
            variable.append((name, int.from_bytes(data[at : at + OFFSET], "little")))
            at += OFFSET
        else:
            found[name] = data[at : at + size]
            at += size
    ends = [offset for _, offset in variable[1:]] + [len(data)]
    expected = head
    for (name, start), end in zip(variable, ends, strict=True):
        if start > end or (expected and start != expected) or end > len(data):
            raise SszError(f"{kind.name}.{name} lies from {start} to {end} of {len(data)} bytes")
        expected = 0  # only the first offset has a place of its own
        found[name] = data[start:end]
    if not variable and head != len(data):
        raise SszError(f"{kind.name} has {len(data)} bytes instead of {head}")
    return {name: found[name] for name, _ in kind.fields}


def element_size(kind: List | Vector) -> int:
    size = fixed_size(kind.element)
    if size is None:
        raise TypeError(f"elements of {kind} have no fixed size")
    return size


def count_of(kind: List | Vector, data: memoryview) -> int:
    """Elements in ``data``, checked against the limit."""
    count, rest = divmod(len(data), element_size(kind))
    if rest:
        raise SszError(f"{len(data)} bytes are no whole number of elements of {element_size(kind)}")
    if isinstance(kind, Vector) and count != kind.length:
        raise SszError(f"{count} elements in a vector of {kind.length}")
    if isinstance(kind, List) and count > kind.limit:
        raise SszError(f"{count} elements in a list of at most {kind.limit}")
    return count


def rows(data: memoryview, size: int) -> Bytes2D:
    """``data`` as rows of ``size`` bytes, without a copy."""
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def chunks(data: memoryview) -> Bytes2D:
    """``data`` in chunks of 32 bytes, the last filled up; a copy only where it must be filled up."""
    if len(data) % DIGEST == 0:
        return rows(data, DIGEST)
    padded: Bytes2D = np.zeros(-(-len(data) // DIGEST) * DIGEST, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    return padded.reshape(-1, DIGEST)


# --- Roots ---


def leaves(kind: List | Vector, data: memoryview) -> Bytes2D:
    """The leaves of the tree of a list or vector: chunks of packed integers, or a root for every element."""
    if isinstance(kind.element, Uint):
        return chunks(data)
    return roots(kind.element, rows(data, element_size(kind)))


def root(kind: SszType, data: memoryview) -> bytes:
    """hash_tree_root of the value that ``data`` is."""
    match kind:
        case List():
            count = count_of(kind, data)
            return mix_in_length(merkleize(leaves(kind, data), chunk_depth(kind)), count)
        case Vector():
            count_of(kind, data)
            return merkleize(leaves(kind, data), chunk_depth(kind))
        case ByteList(limit):
            if len(data) > limit:
                raise SszError(f"{len(data)} bytes in a list of at most {limit}")
            return mix_in_length(merkleize(chunks(data), log2_up(-(-limit // DIGEST))), len(data))
        case Container() if fixed_size(kind) is None:
            of = parts(kind, data)
            fields = b"".join(root(field, of[name]) for name, field in kind.fields)
            return merkleize(rows(memoryview(fields), DIGEST), kind.depth)
        case _:
            size = fixed_size(kind)
            if size != len(data):
                raise SszError(f"{len(data)} bytes instead of {size}")
            return bytes(roots(kind, rows(data, size))[0].tobytes())


def roots(kind: SszType, values: Bytes2D) -> Bytes2D:
    """hash_tree_root of each row, a value of fixed size."""
    if not len(values):
        return np.empty((0, DIGEST), np.uint8)
    if len(values) <= _SLAB:
        return _roots(kind, values)
    out: Bytes2D = np.empty((len(values), DIGEST), np.uint8)
    for start in range(0, len(values), _SLAB):
        out[start : start + _SLAB] = _roots(kind, values[start : start + _SLAB])
    return out


def _roots(kind: SszType, values: Bytes2D) -> Bytes2D:
    match kind:
        case Container(fields=fields):
            nodes: Bytes2D = np.zeros((len(values), 1 << kind.depth, DIGEST), np.uint8)
            at = 0
            for place, (_, field) in enumerate(fields):
                size = fixed_size(field)
                if size is None:
                    raise TypeError(f"{kind.name} has no fixed size")
                column = values[:, at : at + size]
                if isinstance(field, Uint | ByteVector | Bitvector) and size <= DIGEST:
                    nodes[:, place, :size] = column
                else:
                    nodes[:, place] = _roots(field, column)
                at += size
            return _reduce(nodes)
        case Vector(element, length) if not isinstance(element, Uint):
            each = element_size(kind)
            inner = _roots(element, np.ascontiguousarray(values).reshape(-1, each))
            return _reduce(_widened(inner.reshape(len(values), length, DIGEST)))
        case Uint() | ByteVector() | Bitvector() | Vector():
            count = -(-values.shape[1] // DIGEST)
            padded: Bytes2D = np.zeros((len(values), (1 << log2_up(count)) * DIGEST), np.uint8)
            padded[:, : values.shape[1]] = values
            return _reduce(padded.reshape(len(values), 1 << log2_up(count), DIGEST))
        case List() | ByteList():
            raise TypeError(f"{kind} has no fixed size")


def _widened(nodes: Bytes2D) -> Bytes2D:
    """With zero chunks up to a power of two."""
    count = 1 << log2_up(nodes.shape[1])
    if count == nodes.shape[1]:
        return nodes
    wide: Bytes2D = np.zeros((len(nodes), count, DIGEST), np.uint8)
    wide[:, : nodes.shape[1]] = nodes
    return wide


def _reduce(nodes: Bytes2D) -> Bytes2D:
    """The roots of trees side by side: shape (trees, leaves, 32) to (trees, 32)."""
    count = len(nodes)
    while nodes.shape[1] > 1:
        nodes = hash_blocks(nodes.reshape(-1, BLOCK)).reshape(count, -1, DIGEST)
    return nodes[:, 0]
