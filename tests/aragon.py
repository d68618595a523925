"""What stands before stETH on mainnet: Aragon's own kernel and proxy, from the package that they are published in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ape.contracts import ContractContainer
from eth_utils import keccak
from ethpm_types import ContractType

BUILT = Path(__file__).parents[1] / "node_modules" / "@aragon" / "os" / "build" / "contracts"
BASES = keccak(text="base")
"""Kernel's namespace for what proxies run."""
APP = keccak(text="lido.aragonpm.eth")


def container(name: str) -> ContractContainer:
    built = json.loads((BUILT / f"{name}.json").read_text())
    code = {"bytecode": built["bytecode"]}
    return ContractContainer(ContractType(contractName=name, abi=built["abi"], deploymentBytecode=code))


def contract_at(kind: ContractContainer, there: Any, address: Any = None) -> Any:
    """Of a kind, at the address of ``there`` or another one, on a node or in process as ``there`` is."""
    if hasattr(there, "process"):
        return type(there)(there.process, address or there.address, kind.contract_type)
    return kind.at(address or there.address)


class Dao:
    """A kernel whose founder says what its one app runs."""

    def __init__(self, founder: Any) -> None:
        self.founder = founder
        proxy = founder.deploy(container("KernelProxy"), founder.deploy(container("Kernel"), True))
        self.kernel = contract_at(container("Kernel"), proxy)
        base = founder.deploy(container("ACL"))
        self.kernel.initialize(base, founder, sender=founder)
        acl = contract_at(container("ACL"), base, self.kernel.acl())
        acl.createPermission(founder, self.kernel, self.kernel.APP_MANAGER_ROLE(), founder, sender=founder)

    def set_code(self, logic: Any) -> None:
        self.kernel.setApp(BASES, APP, logic, sender=self.founder)

    def install(self, logic: Any) -> Any:
        self.set_code(logic)
        return self.founder.deploy(container("AppProxyUpgradeable"), self.kernel, APP, b"")
