"""An anvil of its own for tests that need a node but no ape."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.chain.node import HttpNode, NodeUnavailableError
from sluice.chain.system_contracts import system_contracts

DEV = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
"""The first account of the test mnemonic; anvil holds its key."""


@contextmanager
def running_anvil(*options: str) -> Iterator[HttpNode]:
    """A node with the system contracts. ``options`` go to anvil, e.g. ``"--fork-url", uri``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["anvil", "--host", "127.0.0.1", "--port", str(port), "--hardfork", "prague", "--silent", *options]
    with subprocess.Popen(command) as process, HttpNode(f"http://127.0.0.1:{port}") as node:
        try:
            for _ in range(200):
                try:
                    node.request("eth_chainId")
                    break
                except NodeUnavailableError:
                    time.sleep(0.05)
            for address, contract in system_contracts().items():
                if node.request("eth_getCode", address, "latest") != "0x":
                    continue
                for slot, value in contract["storage"].items():
                    node.request("anvil_setStorageAt", address, "0x" + int(slot, 16).to_bytes(32, "big").hex(), value)
                node.request("anvil_setCode", address, contract["code"])
            yield node
        finally:
            process.terminate()
