"""docs/accounting.md on the real contracts: every figure of every step, to the wei."""

from __future__ import annotations

import ape

from tests.accounting_example import Figures, Step, exact, read_steps
from tests.helpers import deposit_to_beacon, next_at, now, report_as_oracle, stake, warp_to
from tests.protocol import Protocol


class OnChain:
    """Plays the steps through the contracts, each mined exactly as long after the last report as was waited."""

    def __init__(self, protocol: Protocol) -> None:
        self.p = protocol
        self.reported = 0
        self.waited = 0

    @property
    def figures(self) -> Figures:
        vault = self.p.vault
        return Figures(vault.pooled(), vault.unvested(), self.p.token.totalSupply(), vault.rate())

    def play(self, step: Step) -> Figures:
        if step.verb == "wait":
            return self.wait(int(step.arguments[0]))
        if (time := self.reported + self.waited) > now():
            next_at(time)
        getattr(self, step.verb)(*step.arguments)
        return self.figures

    def seed(self, amount: str) -> None:
        assert self.p.params.vault.seed == exact(amount)

    def stake(self, who: str, amount: str) -> None:
        actors = self.p.actors
        sender = {"A": actors.staker, "B": actors.other, "cover": actors.other}[who]
        stake(self.p, sender, exact(amount), self.p.cover if who == "cover" else sender)
        if who == "cover":
            deposit_to_beacon(self.p, 32 * 10**9)  # what a loss can be reported of

    def wait(self, seconds: int) -> Figures:
        """What the contracts say then; the block is taken back, so that the next step can have its time."""
        self.waited += seconds
        with ape.chain.isolate():
            warp_to(self.reported + self.waited)
            return self.figures

    def report(self, amount: str) -> None:
        at = max(self.reported + self.waited, now() + 1)
        report_as_oracle(self.p, gain=exact(amount.lstrip("+")), at=at)
        self.reported, self.waited = at, 0

    def request(self, _who: str, shares: str) -> None:
        self.p.queue.request(exact(shares), self.p.actors.staker, sender=self.p.actors.staker)

    def finalize(self) -> None:
        self.p.queue.finalize(self.p.queue.lastRequestId(), sender=self.p.actors.stranger)


def test_every_figure_of_the_page_is_what_the_contracts_say(protocol: Protocol) -> None:
    chain = OnChain(protocol)
    for step in read_steps():
        assert chain.play(step) == step.expected, step.text
