"""Starts both halves, waits until they are ready, ends them."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from sluice.beacon.client import BeaconClient
from sluice.chain.node import HttpNode, NodeError, NodeUnavailableError
from sluice.devnet.controls import Controls, Status
from sluice.devnet.genesis import dev_accounts, execution_genesis
from sluice.devnet.processes import NODE_SIDE, ROOT, DevnetError, Process, check_node_side, find_tool, free_ports
from sluice.devnet.settings import VIRTUAL_GENESIS, Backend, DevnetSettings
from sluice.units import Slot, Timestamp, Wei

ETHEREUMJS: Final = ROOT / "node_modules" / "@ethereumjs" / "client" / "dist" / "esm" / "bin" / "cli.js"
MOST_EMPTY_SLOTS: Final = 64
SLOTS_PER_EPOCH: Final = {"minimal": 8, "mainnet": 32}
PERSISTED_STATES: Final = 512
"""Of old blocks, on disk, besides those in memory: each is the whole state, about a megabyte with Sluice deployed."""


class Devnet(Controls):
    """``with Devnet() as devnet:`` both halves run until the block ends, however it ends.

    Transactions wait for the block of the next slot: ``devnet.advance()``.
    """

    def __init__(self, settings: DevnetSettings | None = None, logs: Path | None = None) -> None:
        """``logs`` is a folder for the processes' output; without one it is thrown away at the end."""
        self.settings = settings or DevnetSettings()
        self.accounts: tuple[LocalAccount, ...] = dev_accounts(self.settings.accounts)
        self.execution_url = ""
        self.beacon_urls: tuple[str, ...] = ()
        self.genesis_time = self.settings.genesis_time or (
            Timestamp(int(time.time())) if self.settings.realtime else VIRTUAL_GENESIS
        )
        self.processes: list[Process] = []
        self._logs = logs
        self._stack = ExitStack()

    # --- Life ---

    def start(self) -> Self:
        check_node_side()
        if self.settings.backend is Backend.ETHEREUMJS and self.settings.hardfork != "prague":
            raise DevnetError("ethereumjs builds blocks up to Prague: take the anvil backend for other hard forks")
        try:
            folder = self._folder()
            execution = self._start_execution(folder)
            ready = self._start_consensus(folder, execution)
            self.execution_url = ready["execution_url"]
            self.beacon_urls = tuple(ready["beacon_urls"])
            super().__init__(self.beacon_urls[0])
            self._stack.callback(super().close)
            self.node = self._stack.enter_context(HttpNode(self.execution_url))
            self.beacon = self._stack.enter_context(BeaconClient(self.beacon_urls[0]))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End both processes, by their ids. May be called twice."""
        self._stack.close()

    close = stop

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Raise with the last lines of its log where one of the halves has died."""
        for process in self.processes:
            process.check()

    def _folder(self) -> Path:
        """For what the processes read and write; their logs too unless these are to be kept."""
        folder = Path(tempfile.mkdtemp(prefix="sluice-devnet-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        return folder

    def _start(self, name: str, command: list[str], folder: Path) -> Process:
        process = Process(name, command, (self._logs or folder) / f"{name}.log", folder)
        self.processes.append(process)
        self._stack.callback(process.stop)
        return process

    def _start_execution(self, folder: Path) -> Process:
        genesis = folder / "genesis.json"
        genesis.write_text(json.dumps(execution_genesis(self.settings, self.genesis_time)))
        if self.settings.backend is Backend.ANVIL:
            return self._start_anvil(folder, genesis)
        return self._start_ethereumjs(folder, genesis)

    def _start_anvil(self, folder: Path, genesis: Path) -> Process:
        port = self.settings.execution_port or free_ports(1)[0]
        command = [
            find_tool("anvil"), "--host", "127.0.0.1", "--port", str(port), "--no-mining", "--init", str(genesis),
            "--timestamp", str(self.genesis_time), "--hardfork", self.settings.hardfork,
            "--chain-id", str(self.settings.chain_id), "--slots-in-an-epoch", str(self.slots_per_epoch),
            "--accounts", str(self.settings.accounts), "--balance", str(self.settings.account_balance // 10**18),
            "--cache-path", str(folder / "states"), "--max-persisted-states", str(PERSISTED_STATES), "--silent",
        ]  # fmt: skip
        process = self._start("anvil", command, folder)
        self._rpc_url = f"http://127.0.0.1:{port}"
        self._consensus_options = ["--backend", "anvil"]
        process.wait_for(lambda: answers(self._rpc_url), self.settings.start_timeout)
        return process

    def _start_ethereumjs(self, folder: Path, genesis: Path) -> Process:
        rpc, engine, peers = free_ports(3)
        secret = folder / "jwt.hex"
        secret.write_text("0x" + "5a" * 32)  # both ends are ours, on the loopback
        command = [
            find_tool("node"),
            "--import", str(NODE_SIDE / "preload" / "loopback.mjs"),
            "--import", str(NODE_SIDE / "preload" / "params.mjs"),
            str(ETHEREUMJS), "--gethGenesis", str(genesis), "--dataDir", str(folder / "data"),
            "--rpc", "--rpcAddr", "127.0.0.1", "--rpcPort", str(rpc),
            "--rpcEngine", "--rpcEngineAddr", "127.0.0.1", "--rpcEnginePort", str(engine), "--jwtSecret", str(secret),
            "--sync", "none", "--isSingleNode", "--discV4=false", "--discDns=false", "--port", str(peers),
            "--maxPeers", "0", "--logFile=false", "--logLevel", "warn",
        ]  # fmt: skip
        process = self._start("ethereumjs", command, folder)
        self._rpc_url = f"http://127.0.0.1:{rpc}"
        self._consensus_options = [
            "--backend", "engine", "--engine-url", f"http://127.0.0.1:{engine}", "--jwt-secret", str(secret),
            "--rpc-port", str(self.settings.execution_port),
        ]  # fmt: skip
        process.wait_for(lambda: answers(self._rpc_url), self.settings.start_timeout)
        return process

    def _start_consensus(self, folder: Path, execution: Process) -> dict[str, Any]:
        settings = self.settings
        command = [
            find_tool("node"), str(NODE_SIDE / "main.mjs"), *self._consensus_options,
            "--execution-url", self._rpc_url, "--preset", settings.preset, "--fork", settings.fork,
            "--hardfork", settings.hardfork, "--validators", str(settings.validators),
            "--seconds-per-slot", str(settings.seconds_per_slot), "--genesis-time", str(self.genesis_time),
            "--ports", ",".join(map(str, settings.beacon_ports)), "--keep-states", str(settings.keep_states),
            "--mode", "realtime" if settings.realtime else "manual",
            "--guarded", "--execution-pid", str(execution.pid),
            *(word for name, value in settings.config.items() for word in ("--config", f"{name}={value}")),
        ]  # fmt: skip
        process = self._start("consensus", command, folder)

        def ready() -> dict[str, Any] | None:
            execution.check()
            line = next((line for line in process.output().splitlines() if line.startswith("ready {")), None)
            return None if line is None else json.loads(line.removeprefix("ready "))

        return process.wait_for(ready, settings.start_timeout)

    # --- Time, beyond the controls ---

    @property
    def beacon_url(self) -> str:
        return self.beacon_urls[0]

    @property
    def slots_per_epoch(self) -> int:
        return SLOTS_PER_EPOCH[self.settings.preset]

    @property
    def finalized_slot(self) -> Slot:
        return self.status().finalized_slot

    def time_of(self, slot: int) -> Timestamp:
        return Timestamp(self.genesis_time + slot * self.settings.seconds_per_slot)

    def advance_to(self, slot: int) -> Status:
        """Up to this slot, a block in each on the way."""
        now = self.status().slot
        if slot < now:
            raise DevnetError(f"slot {slot} has passed: it is slot {now}")
        return self.advance(slot - now)

    def advance_epochs(self, epochs: int) -> Status:
        """To the first slot of the epoch that is so many after this one."""
        return self.advance_to((self.status().slot // self.slots_per_epoch + epochs) * self.slots_per_epoch)

    def advance_block(self) -> Status:
        """Until there is one more block: a slot whose proposer is slashed or offline stays empty."""
        for _ in range(MOST_EMPTY_SLOTS):
            if (status := self.advance()).blocks:
                return status
        raise DevnetError(f"no block in {MOST_EMPTY_SLOTS} slots: too many validators are slashed or offline")

    def finalize(self, slot: int, most_epochs: int = 16) -> Status:
        """Until ``slot`` is finalised."""
        for _ in range(most_epochs):
            if (status := self.status()).finalized_slot >= slot:
                return status
            self.advance_epochs(1)
        raise DevnetError(f"slot {slot} is not finalised after {most_epochs} epochs: more than a third do not attest")

    # --- Transactions ---

    def send(
        self, sender: LocalAccount, to: str | None, *, data: bytes = b"", value: Wei | int = 0, gas: int = 1_000_000
    ) -> str:
        """Sign and hand in; it is in the next block. Returns the hash."""
        block = self.node.request("eth_getBlockByNumber", "latest", False)
        tip = 10**9
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self.settings.chain_id,
            "nonce": int(self.node.request("eth_getTransactionCount", sender.address, "pending"), 16),
            **({} if to is None else {"to": to}),
            "data": data,
            "value": int(value),
            "gas": gas,
            "maxFeePerGas": 2 * int(block["baseFeePerGas"], 16) + tip,
            "maxPriorityFeePerGas": tip,
        }
        signed = sender.sign_transaction(transaction)
        return str(self.node.request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex().removeprefix("0x")))

    def transact(self, sender: LocalAccount, to: str, data: bytes, value: int, gas: int) -> dict[str, Any]:
        """In a block of its own; the receipt."""
        sent = self.send(sender, to_checksum_address(to), data=data, value=value, gas=gas)
        self.advance_block()
        return self.receipt(sent)

    @property
    def waiting(self) -> int:
        """Transactions that the next block can take."""
        return int(self.node.request("txpool_status")["pending"], 16)

    @contextmanager
    def mining(self) -> Iterator[None]:
        """Blocks come while transactions wait for one."""
        stop = threading.Event()
        failed: list[Exception] = []

        def mine() -> None:
            try:
                while not stop.wait(0.02):
                    if self.waiting:
                        self.advance_block()
            except Exception as error:  # noqa: BLE001 - raised where it is looked at
                failed.append(error)

        thread = threading.Thread(target=mine)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failed:
            raise failed[0]

    def receipt(self, transaction: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self.node.request("eth_getTransactionReceipt", transaction)
        if found is None:
            raise DevnetError(f"transaction {transaction} is in no block yet: advance()")
        return found


def answers(url: str) -> bool | None:
    """True as soon as a JSON-RPC server answers there."""
    try:
        with HttpNode(url, timeout=5.0) as node:
            node.request("eth_chainId")
    except (NodeUnavailableError, NodeError):
        return None
    return True
