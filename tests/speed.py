"""What makes ape (0.8.51) quicker for tests, put in place by conftest."""

from __future__ import annotations

from typing import Any


def remember_settings() -> None:
    """ape reads its settings anew, environment included, five times a transaction: half of a test's time."""
    from ape_foundry import FoundryProvider

    read = FoundryProvider.settings.fget
    known: dict[tuple[int, str], tuple[FoundryProvider, Any]] = {}  # with the provider, so that its id stays its own

    def settings(self: FoundryProvider) -> Any:
        key = (id(self), repr(self.provider_settings))
        if key not in known:
            known[key] = (self, read(self))
        return known[key][1]

    FoundryProvider.settings = property(settings)


def ask_no_environment() -> None:
    """requests looks for proxies in the environment each time: a sixth of a request to a node on this machine."""
    from requests import Session

    begin = Session.__init__

    def without_environment(self: Session) -> None:
        begin(self)
        self.trust_env = False

    Session.__init__ = without_environment


def remember_contracts() -> None:
    """ape asks before every call and transaction whether its contract is one. What was one is not asked again."""
    from ape.contracts.base import ContractMethodHandler

    validate = ContractMethodHandler._validate_is_contract
    known: set[str] = set()

    def validate_once(self: ContractMethodHandler) -> None:
        if self.contract.address not in known:
            validate(self)
            known.add(self.contract.address)

    ContractMethodHandler._validate_is_contract = validate_once


def remember_mining() -> None:
    """ape asks the node twice a transaction whether it mines by itself. It does, until a test says otherwise."""
    from ape_foundry import FoundryProvider

    told: dict[int, bool] = {}
    write = FoundryProvider.auto_mine.fset

    def set_mining(self: FoundryProvider, value: bool) -> None:
        write(self, value)
        told[id(self)] = value

    FoundryProvider.auto_mine = property(lambda self: told.get(id(self), True), set_mining)
