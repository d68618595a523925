"""What happens, day by day, on a console."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sluice.demo.story import Moment

PLAIN_WIDTH: Final = 132
"""Columns where the output is no terminal."""


class Teller(Protocol):
    tell: Callable[[Moment], None]


def play(days: Iterator[int], teller: Teller, total: int, console: Console) -> None:
    """To their end, with a bar; what ``teller`` says stands above it."""
    with Progress(
        TextColumn("[bold]day {task.completed:>2.0f} of {task.total}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=not console.is_terminal,
    ) as progress:
        task = progress.add_task("days", total=total)
        teller.tell = lambda moment: progress.console.print(f"  day {moment.day:>2}  {moment.text}")
        for day in days:
            progress.update(task, completed=day)
