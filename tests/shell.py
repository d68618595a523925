"""The ape scripts as a person at a local chain runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ape
import click
from click.testing import CliRunner

from tests.protocol import Protocol


@dataclass(frozen=True)
class Shell:
    registry: Path

    def run(self, command: click.Command, *words: str) -> tuple[int, str]:
        """Exit code and everything printed, lines joined."""
        arguments = [*words, "--network", str(ape.chain.provider.uri), "--registry", str(self.registry)]
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        return result.exit_code, result.output

    def ok(self, command: click.Command, *words: str) -> str:
        code, output = self.run(command, *words)
        assert code == 0, output
        return output

    def refused(self, command: click.Command, *words: str) -> str:
        code, output = self.run(command, *words)
        assert code == 1, output
        return output


def shell_of(protocol: Protocol, folder: Path) -> Shell:
    """At the deployment of the tests, whose record it keeps in ``folder``."""
    path = folder / "local.json"
    protocol.result.registry.model_copy(deep=True).write(path)
    return Shell(path)
