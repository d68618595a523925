"""The protocol's own farm, as who stakes and who adds streams see it. Amounts in the least unit of their token."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Self

from eth_utils.address import is_address, to_checksum_address

from sluice.client import format_ether, parse_ether
from sluice.markets.contracts import MarketError
from sluice.markets.instant import Instant
from sluice.units import SECONDS_PER_DAY, SECONDS_PER_YEAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sluice.deploy.chain import Receipt, Sender
    from sluice.deploy.registry import Registry
    from sluice.markets.contracts import Chain, Contract

LP, SLETH, WETH = "slLP", "slETH", "WETH"
MOST_DECIMALS = 36
_WORD = 32
NEWEST = 50
"""Streams that are looked at beside those that an account has chosen: anybody can add any number."""


@dataclass(frozen=True)
class Token:
    """The protocol's own have a name. What others call theirs is not repeated: it may be a lie."""

    address: str
    name: str | None
    decimals: int

    @property
    def label(self) -> str:
        return self.name or self.address

    def parse(self, text: str, what: str) -> int:
        return parse_ether(text, what, self.decimals)

    def show(self, amount: int) -> str:
        """In its least unit where six places would hide all of it."""
        places = min(6, self.decimals)
        if 0 < amount < 10 ** (self.decimals - places):
            return f"{amount:,} {'wei' if self.name else 'least units'} of {self.label}"
        return f"{format_ether(amount, places, self.decimals)} {self.label}"


@dataclass(frozen=True)
class Stream:
    id: int
    stake: Token
    reward: Token
    adder: str
    amount: int
    start: int
    end: int
    eligible: int
    """Stake that it is shared by."""

    @property
    def per_day(self) -> int:
        return self.amount * SECONDS_PER_DAY // (self.end - self.start)


@dataclass(frozen=True)
class Farm:
    contract: Contract
    instant: Instant
    weth: Contract
    first_block: int

    @classmethod
    def at(cls, chain: Chain, registry: Registry) -> Self:
        adapter = chain.own("AsyncRedeemVault", registry.address("AsyncRedeemVault"))
        contract, weth = chain.own("Farm", registry.address("Farm")), chain.own("WrappedEther", adapter.read("asset"))
        return cls(contract, Instant.at(chain, registry), weth, registry.first_block)

    # --- Tokens ---

    @property
    def chain(self) -> Chain:
        return self.contract.chain

    @cached_property
    def known(self) -> dict[str, str]:
        """The protocol's own by their address."""
        return {self.instant.pool.address: LP, self.instant.sleth: SLETH, self.weth.address: WETH}

    def token(self, word: str) -> Token:
        """By `lp`, `sleth`, `weth` or its address."""
        names = {"lp": LP, "sleth": SLETH, "weth": WETH}
        if word.lower() in names:
            name = names[word.lower()]
            return Token(next(each for each, known in self.known.items() if known == name), name, 18)
        if not is_address(word):
            raise MarketError(f"{word!r} is neither lp, sleth, weth nor the address of a token.")
        address = to_checksum_address(word)
        if not self.chain.reader.code(address):
            raise MarketError(f"{address} is no contract.")
        try:
            balance = self.chain.call(address, self.chain.token(address).data("balanceOf", address))
        except MarketError as error:
            raise MarketError(f"{address} is no token.") from error
        if len(balance) != _WORD:
            raise MarketError(f"{address} is no token.")
        return self._token(address)

    def worth(self, token: Token, amount: int) -> int | None:
        """Wei of ether; None where nobody here knows."""
        if token.name == SLETH:
            return self.instant.worth(amount)
        if token.name == LP:
            return self.instant.worth_of_liquidity(amount)
        return amount if token.name == WETH else None

    # --- Streams ---

    def stream(self, stream_id: int) -> Stream:
        stake, reward, adder, amount, start, end, _, eligible, *_ = self.contract.read("stream", stream_id)
        tokens = self._token(stake), self._token(reward)
        return Stream(stream_id, *tokens, to_checksum_address(adder), amount, start, end, eligible)

    def newest(self) -> list[int]:
        last = int(self.contract.read("lastStreamId"))
        return list(range(max(1, last - NEWEST + 1), last + 1))

    def ever_chosen(self, account: str) -> list[int]:
        events = self.contract.events("Enabled", None, account, first_block=self.first_block)
        return sorted({event["id"] for event in events})

    def ever_staked(self, account: str) -> list[Token]:
        events = self.contract.events("Staked", None, account, first_block=self.first_block)
        return [self.token(each) for each in dict.fromkeys(event["token"] for event in events)]

    def added_by(self, account: str) -> list[int]:
        """Streams that the account pays."""
        events = self.contract.events("StreamAdded", first_block=self.first_block)
        return [event["id"] for event in events if to_checksum_address(event["adder"]) == account]

    def yearly(self, stream: Stream) -> Fraction | None:
        """What a stake earns in a year of such days, of its worth; None where that cannot be said."""
        pays, on = self.worth(stream.reward, stream.amount), self.worth(stream.stake, stream.eligible)
        if pays is None or not on:
            return None
        return Fraction(pays * SECONDS_PER_YEAR, on * (stream.end - stream.start))

    def worth_choosing(self, token: Token, account: str, now: int) -> list[Stream]:
        """Streams that pay tokens of the protocol, the best first, as many as there is room for.

        Others are chosen by hand: a stake counts for few at once, and streams of nothing cost nothing to add.
        """
        chosen = {each.id: each for each in map(self.stream, self.chosen(token, account))}
        room = int(self.contract.read("MAX_STREAMS")) - sum(each.end > now for each in chosen.values())
        found = [
            (worth, each)
            for each in map(self.stream, (i for i in self.newest() if i not in chosen))
            if each.stake == token and each.end > now and (worth := self.worth(each.reward, each.per_day))
        ]
        found.sort(key=lambda pair: (-pair[0], pair[1].id))
        return [stream for _, stream in found[:room]]

    # --- An account ---

    def staked(self, token: Token, account: str) -> int:
        return int(self.contract.read("stakeOf", token.address, account))

    def chosen(self, token: Token, account: str) -> list[int]:
        return list(self.contract.read("streamsOf", token.address, account))

    def earned(self, stream_id: int, account: str) -> int:
        return int(self.contract.read("earned", stream_id, account))

    def earning(self, account: str) -> dict[int, int]:
        """What can be claimed, by the stream."""
        found = {stream_id: self.earned(stream_id, account) for stream_id in self.ever_chosen(account)}
        return {stream_id: amount for stream_id, amount in found.items() if amount}

    # --- Acting ---

    def stake(
        self, sender: Sender, token: Token, amount: int, ids: Sequence[int], deadline: int, permit: bytes | None
    ) -> Receipt:
        if permit is not None:
            r, s, v = permit[:32], permit[32:64], permit[64]
            arguments = token.address, amount, sender.address, list(ids), deadline, v, r, s
            return self.contract.send(sender, "stakeWithPermit", *arguments)
        self.chain.allow(sender, token.address, self.contract.address, amount, exact=True)
        return self.contract.send(sender, "stake", token.address, amount, sender.address, list(ids))

    def choose(self, sender: Sender, token: Token, ids: Sequence[int]) -> Receipt:
        return self.contract.send(sender, "enable", token.address, list(ids))

    def claim(self, sender: Sender, ids: Sequence[int]) -> Receipt:
        return self.contract.send(sender, "claim", list(ids), sender.address)

    def exit(self, sender: Sender, token: Token) -> Receipt:
        return self.contract.send(sender, "exit", token.address, sender.address)

    def unstake(self, sender: Sender, token: Token, amount: int) -> Receipt:
        """A part: its streams stay chosen, and what it has earned stays to be claimed."""
        return self.contract.send(sender, "unstake", token.address, amount, sender.address)

    def add(self, sender: Sender, token: Token, reward: Token, amount: int, start: int, end: int) -> int:
        """The new stream's id."""
        self.chain.allow(sender, reward.address, self.contract.address, amount, exact=True)
        arguments = token.address, reward.address, amount, start, end
        receipt = self.contract.send(sender, "addStream", *arguments)
        made = self.contract.events("StreamAdded", first_block=receipt.block)
        return int(next(each["id"] for each in made if each["adder"].lower() == sender.address.lower()))

    # --- Internal ---

    def _token(self, address: str) -> Token:
        address = to_checksum_address(address)
        if name := self.known.get(address):
            return Token(address, name, 18)
        return Token(address, None, self._decimals(address))

    def _decimals(self, address: str) -> int:
        """0 where the token does not say: amounts are then in its least unit."""
        try:
            said = self.chain.call(address, self.chain.token(address).data("decimals"))
        except MarketError:
            return 0
        decimals = int.from_bytes(said[:32], "big")
        return decimals if decimals <= MOST_DECIMALS else 0
