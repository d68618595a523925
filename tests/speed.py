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
