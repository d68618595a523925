"""Our validators and preparations, from the events of the validator manager; kept on disk, so each log is read once."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.crypto import keccak

from sluice.chain.node import LOG_RANGE, REORGANISED, Log, Node, call, get_block, get_logs
from sluice.files import write_atomically

VERSION: Final = 1
PREPARED: Final = keccak(text="Prepared(uint256,bytes32)")
PROVEN: Final = keccak(text="Proven(uint256,bytes,uint256,uint256)")
REFUSED: Final = keccak(text="Refused(uint256,bytes,bytes32)")
ABANDONED: Final = keccak(text="Abandoned(uint256,bytes)")


class RegistryError(Exception):
    """What the events say is not what the contract says."""


class DisagreementError(Exception):
    """Nodes that must say the same do not. Nothing is signed until they do."""


@dataclass(frozen=True)
class Happening:
    """One event, in the order of the chain."""

    block: int
    kind: str
    operator: int
    key_hash: str
    pubkey: str = ""
    index: int = -1


@dataclass(frozen=True)
class Ours:
    """As of one block."""

    pubkeys: tuple[bytes, ...]
    """Of all proven validators, by position."""
    indices: tuple[int, ...]
    operators: tuple[int, ...]
    preparations: dict[bytes, int]
    """Key hash -> operator, of what is neither proven, refused nor abandoned."""
    abandoned: tuple[bytes, ...]
    """Keys that can still be proven. No report counts them."""


class Registry:
    """``path`` is a file of its own; without one everything is read anew. ``first`` is the manager's first block."""

    def __init__(self, manager: str, first: int, path: Path | None = None) -> None:
        self.manager = manager
        self._first = first
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._block, self._next = self._first - 1, self._first
        self._hash = ""
        self._happenings: list[Happening] = []

    def sync(self, node: Node, block: int, others: Sequence[Node] = ()) -> None:
        """Read on up to ``block``, the last of them again: they can still be replaced, or a node had not all of their
        events. After a reorganisation beyond that, all anew.

        ``others`` must have the same events: a preparation that one node leaves out shows in no count of the contract.
        Where reading ends in between, the next call goes on from there.
        """
        if self._block < self._first and self._path is not None and self._path.is_file():
            self._load(self._path.read_text())
        if self._hash and "0x" + get_block(node, self._block).hash.hex() != self._hash:
            self._forget()
        if block <= self._block:
            return
        for start in range(self._next, block + 1, LOG_RANGE):
            end = min(start + LOG_RANGE - 1, block)
            found = read(node, self.manager, start, end)
            if any(read(other, self.manager, start, end) != found for other in others):
                raise DisagreementError(
                    f"execution nodes have different events of {self.manager}, blocks {start}-{end}"
                )
            end_hash = "0x" + get_block(node, end).hash.hex()
            self._happenings = [*(each for each in self._happenings if each.block < start), *found]
            self._block, self._hash, self._next = end, end_hash, end + 1
        self._next = max(self._first, self._next - REORGANISED)

    def at(self, node: Node, block: int, others: Sequence[Node] = ()) -> Ours:
        """As of ``block``, checked against the contract's own count and against what ``others`` tell."""
        self.sync(node, block, others)
        proven: list[Happening] = []
        preparations: dict[bytes, int] = {}
        abandoned: dict[bytes, bytes] = {}
        for each in self._until(block):
            key_hash = bytes.fromhex(each.key_hash)
            if each.kind == "prepared":
                preparations[key_hash] = each.operator
            else:
                preparations.pop(key_hash, None)
            if each.kind == "abandoned":
                abandoned[key_hash] = bytes.fromhex(each.pubkey)
            if each.kind == "proven":
                proven.append(each)
                abandoned.pop(key_hash, None)
        (count,) = call(node, self.manager, "count()", returns=["uint256"], block=block)
        if count != len(proven):
            self._forget()
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            raise RegistryError(
                f"the manager has {count} validators at block {block}, its events tell of {len(proven)}: "
                "does the node keep all logs?"
            )
        if self._path is not None:
            write_atomically(self._path, json.dumps(self._as_json()))
        return Ours(
            tuple(bytes.fromhex(each.pubkey) for each in proven),
            tuple(each.index for each in proven),
            tuple(each.operator for each in proven),
            preparations,
            tuple(abandoned.values()),
        )

    def failed(self, after: int, until: int) -> int:
        """Preparations refused or abandoned in the blocks (after, until]."""
        return sum(after < each.block <= until and each.kind in ("refused", "abandoned") for each in self._happenings)

    def _until(self, block: int) -> Iterable[Happening]:
        return (each for each in self._happenings if each.block <= block)

    def _as_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "manager": self.manager,
            "block": self._block,
            "hash": self._hash,
            "happenings": [vars(each) for each in self._happenings],
        }

    def _load(self, text: str) -> None:
        try:
            kept = json.loads(text)
            if (kept["version"], kept["manager"]) != (VERSION, self.manager):
                return
            happenings = [Happening(**each) for each in kept["happenings"]]
            block, block_hash = int(kept["block"]), str(kept["hash"])
        except (ValueError, KeyError, TypeError):
            return  # it can be read from the chain again
        self._block, self._hash, self._happenings = block, block_hash, happenings
        self._next = max(self._first, block + 1 - REORGANISED)


def read(node: Node, manager: str, first: int, last: int) -> list[Happening]:
    """What happened to keys in these blocks, in order."""
    return [_happening(log) for log in get_logs(node, manager, (PREPARED, PROVEN, REFUSED, ABANDONED), first, last)]


def _happening(log: Log) -> Happening:
    topic, operator, *more = log.topics
    who = int.from_bytes(operator, "big")
    if topic == PREPARED:
        return Happening(log.block, "prepared", who, more[0].hex())
    if topic == PROVEN:
        pubkey, index, _ = decode(["bytes", "uint256", "uint256"], log.data)
        return Happening(log.block, "proven", who, keccak(pubkey).hex(), pubkey.hex(), index)
    (pubkey,) = decode(["bytes"], log.data)
    kind = "refused" if topic == REFUSED else "abandoned"
    return Happening(log.block, kind, who, keccak(pubkey).hex(), pubkey.hex())
