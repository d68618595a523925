"""What was done: `deployments/artifacts/<network>.json`. Sorted and stable, written after every transaction."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.deploy.errors import RegistryError


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ContractRecord(_Record):
    address: str
    creation_hash: str | None = None
    """keccak of the compiled creation code, without arguments."""
    code_hash: str
    """keccak of what is on the chain, immutables included."""
    constructor_args: dict[str, object] = Field(default_factory=dict)
    salt: str | None = None
    tx_hash: str | None = None
    block: int | None = None
    gas_used: int | None = None


class StepRecord(_Record):
    tx_hash: str | None = None
    block: int | None = None
    gas_used: int | None = None


class Registry(_Record):
    network: str
    chain_id: int
    genesis_hash: str
    params_hash: str
    deployer: str
    genesis_time: int
    first_block: int
    complete: bool = False
    gas_used: int = 0
    contracts: dict[str, ContractRecord] = Field(default_factory=dict)
    configuration: dict[str, StepRecord] = Field(default_factory=dict)

    def address(self, name: str) -> str:
        if name not in self.contracts:
            raise RegistryError(f"{name} is not deployed on {self.network}: run `ape run deploy`")
        return self.contracts[name].address

    def total_gas(self) -> int:
        contracts = sum(record.gas_used or 0 for record in self.contracts.values())
        return contracts + sum(record.gas_used or 0 for record in self.configuration.values())

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"

    def write(self, path: Path) -> None:
        """All of it or nothing: a run that is killed leaves the state before or after."""
        self.gas_used = self.total_gas()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as file:
            file.write(self.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RegistryError(f"nothing is deployed yet ({path} is not there): run `ape run deploy`") from error
        except ValidationError as error:
            raise RegistryError(f"{path} is damaged: {error}") from error
