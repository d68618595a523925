"""What one account does with a deployed protocol: stake, request, claim, look. No key and no ape in here.

A call is tried on the node before it is sent, so that what would fail is explained instead of paid for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from sluice.deploy.abi import Abi, canonical_type, decode_items, decode_result, encode_call, function
from sluice.deploy.chain import Reverted

if TYPE_CHECKING:
    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.chain import Reader, Receipt, Sender
    from sluice.deploy.registry import Registry

PROXIED = {"WithdrawalGatewayProxy": "WithdrawalGateway"}
"""Contracts that are spoken to through the functions of another."""

MOST_DIGITS = 37
"""After the first: whatever is counted here has less units than 10^38, and fits into 128 bits."""

NEXT_STEPS = {
    "StakingIsPaused": "Staking is paused; it goes on by itself at that time. Withdrawals work.",
    "StakeBelowMinimum": "Stake at least the minimum (wei).",
    "StakeAboveLimit": "Stake less, or wait: the limit comes back with time.",
    "SharesBelowMinimum": "The rate or the pool has moved since; try again.",
    "AssetsBelowMinimum": "The pool has moved since; try again.",
    "LiquidityBelowMinimum": "The pool has moved since; try again.",
    "PoolIsPaused": "The pool is paused; it goes on by itself at that time. The queue works: `ape run request`.",
    "SlashingPending": "A proven slashing is not in the rate yet: wait for the next report, or `ape run request`.",
    "RateTooOld": "The pool sells no ether at a rate that old: wait for a report, or `ape run request`.",
    "EtherTooLow": "The pool has less ether than that: sell less, or `ape run request`.",
    "SharesTooLow": "The pool has less slETH than that.",
    "AmountIsZero": "It is too little to count: give more.",
    "RequestFinalized": "Its ether is there already: `ape run claim`.",
    "RequestTooSmall": "The pool buys requests of at least the minimum (wei of slETH); this one waits in the queue.",
    "RequestToCollect": "Requests of the pool were paid and are not counted yet; run the command again.",
    "StreamUnknown": "`ape run farm` lists the streams.",
    "StreamOver": "It pays nobody any more: `ape run farm` lists those that do.",
    "StreamEnabled": "The stake counts for it already.",
    "StreamOfAnotherToken": "It is for another token: see --token.",
    "TransferFailed": "The token refuses; other streams go without it: choose them with --stream.",
    "TooManyStreams": "A stake counts for that many at once: choose with --stream.",
    "RequestBelowMinimum": "Ask for at least the minimum (wei of slETH).",
    "ERC20InsufficientBalance": "The account holds less slETH than that: `ape run status --account ...` shows it.",
    "RequestNotFinalized": "Ether is not set aside yet: wait for a report, then `ape run claim --finalize`.",
    "RequestNotCovered": "The newest report does not cover the request yet: wait for the next one.",
    "RequestUnknown": "There is no such request, or it was claimed: `ape run status --account ...` lists them.",
    "NotOwnerOrApproved": "Only the owner of a request may choose another recipient.",
    "BufferTooLow": "The vault holds less ether than that: it comes back from validators with the next reports.",
}


class ActionError(Exception):
    """Something cannot be done; the message says why and what to do next."""


@dataclass(frozen=True)
class Call:
    to: str
    data: bytes
    value: int = 0  # wei


@dataclass(frozen=True)
class Request:
    id: int
    owner: str
    shares: int  # wei of slETH
    requested_at: int  # seconds
    assets: int  # wei
    finalized: bool
    claimed: bool


@dataclass(frozen=True)
class Frame:
    reference_slot: int
    reference_time: int  # seconds
    deadline: int  # seconds
    reported: bool


@dataclass(frozen=True)
class Status:
    """The protocol at one block."""

    block: int
    time: int  # seconds
    rate: int  # ether per share, 1e18 = 1
    pooled: int  # wei, as all below
    unvested: int
    buffer: int
    outside: int
    stake_limit: int
    paused_until: int  # seconds, 0 where never paused
    supply: int  # wei of slETH
    open_shares: int  # wei of slETH
    last_request: int
    last_finalized: int
    finalizable: int
    reference_time: int  # seconds, of the newest report
    frame: Frame | None  # None before the first


@dataclass(frozen=True)
class Holding:
    account: str
    ether: int  # wei
    shares: int  # wei of slETH
    worth: int  # wei
    requests: tuple[Request, ...]


class Client:
    def __init__(self, reader: Reader, registry: Registry, artifacts: Mapping[str, Artifact]) -> None:
        self._reader = reader
        self._registry = registry
        self._artifacts = artifacts

    # --- Reading ---

    def abi(self, contract: str) -> Abi:
        return self._artifacts[PROXIED.get(contract, contract)].abi

    def address(self, contract: str) -> str:
        return self._registry.address(contract)

    def view(self, contract: str, name: str, *arguments: object) -> Any:  # noqa: ANN401  what the ABI says
        """One value, or a tuple of several."""
        entry = function(self.abi(contract), name)
        values = decode_result(entry, self._call(Call(self.address(contract), encode_call(entry, arguments))))
        return values[0] if len(values) == 1 else values

    def status(self) -> Status:
        block, time = self._reader.head()

        def vault(name: str) -> int:
            return int(self.view("StakingVault", name))

        def queue(name: str) -> int:
            return int(self.view("WithdrawalQueue", name))

        return Status(
            block=block,
            time=time,
            rate=vault("rate"),
            pooled=vault("pooled"),
            unvested=vault("unvested"),
            buffer=vault("buffer"),
            outside=vault("outside"),
            stake_limit=vault("stakeLimit"),
            paused_until=vault("stakingPausedUntil"),
            supply=int(self.view("StakedEther", "totalSupply")),
            open_shares=queue("openShares"),
            last_request=queue("lastRequestId"),
            last_finalized=queue("lastFinalizedId"),
            finalizable=queue("finalizable"),
            reference_time=vault("referenceTime"),
            frame=self._frame(),
        )

    def _frame(self) -> Frame | None:
        entry = function(self.abi("ReportOracle"), "expected")
        try:
            answer = self._reader.call(self.address("ReportOracle"), encode_call(entry))
        except Reverted as revert:
            if self.explain(revert).startswith("FirstFrameNotStarted"):
                return None
            raise
        slot, time, deadline, reported = decode_result(entry, answer)
        return Frame(int(str(slot)), int(str(time)), int(str(deadline)), bool(reported))

    def holding(self, account: str) -> Holding:
        shares = int(self.view("StakedEther", "balanceOf", account))
        return Holding(
            account,
            self._reader.balance(account),
            shares,
            int(self.view("StakingVault", "convertToAssets", shares)),
            tuple(self.requests(account)),
        )

    def request(self, request_id: int) -> Request:
        owner, shares, requested_at, assets, finalized, claimed = self.view("WithdrawalQueue", "getRequest", request_id)
        return Request(request_id, owner, shares, requested_at, assets, finalized, claimed)

    def requests(self, account: str) -> list[Request]:
        """Those that are not claimed yet."""
        last = int(self.view("WithdrawalQueue", "lastRequestId"))
        return [self.request(i) for i in self.view("WithdrawalQueue", "requestsOf", account, 1, last)]

    # --- Acting ---

    def call(self, contract: str, name: str, *arguments: object, value: int = 0) -> Call:
        return Call(self.address(contract), encode_call(function(self.abi(contract), name), arguments), value)

    def stake(self, assets: int, receiver: str) -> Call:
        shares = int(self.view("StakingVault", "convertToShares", assets))
        least = shares * 9_999 // 10_000  # the rate rises a little until the transaction is mined
        return self.call("StakingVault", "stake", receiver, least, "0x" + "00" * 20, value=assets)

    def request_withdrawal(self, shares: Sequence[int], receiver: str) -> Call:
        if len(shares) == 1:
            return self.call("WithdrawalQueue", "request", shares[0], receiver)
        return self.call("WithdrawalQueue", "requestBatch", list(shares), receiver)

    def finalize(self) -> Call | None:
        """For everything that can be finalised now; `None` where there is nothing."""
        up_to = int(self.view("WithdrawalQueue", "finalizable"))
        return self.call("WithdrawalQueue", "finalize", up_to) if up_to else None

    def claim(self, ids: Sequence[int], recipient: str) -> Call:
        for request_id in ids:
            request = self.request(request_id)
            if request.claimed:
                raise ActionError(f"Request {request_id} was claimed already.")
            if not request.finalized:
                raise ActionError(f"Request {request_id}: {NEXT_STEPS['RequestNotFinalized']}")
        hints = list(self.view("WithdrawalQueue", "findCheckpoints", list(ids)))
        if len(ids) == 1:
            return self.call("WithdrawalQueue", "claim(uint256,uint256,address)", ids[0], hints[0], recipient)
        return self.call("WithdrawalQueue", "claimBatch", list(ids), hints, recipient)

    def send(self, sender: Sender, call: Call) -> Receipt:
        """Try the call first, then send it."""
        balance = self._reader.balance(sender.address)
        if balance <= call.value:
            raise ActionError(
                f"{sender.address} holds {format_ether(balance)} ether and needs more than "
                f"{format_ether(call.value)}: choose another account or less ether."
            )
        self._call(call, sender=sender.address)
        receipt = sender.send(call.to, call.data, call.value)
        if not receipt.success:
            raise ActionError(f"Transaction {receipt.tx_hash} failed on the chain, though it passed when tried.")
        return receipt

    # --- Internal ---

    def _call(self, call: Call, sender: str | None = None) -> bytes:
        try:
            return self._reader.call(call.to, call.data, sender=sender, value=call.value)
        except Reverted as revert:
            raise ActionError(self.explain(revert, call.to)) from revert

    def explain(self, revert: Reverted, called: str = "") -> str:
        """In the words of the contract that was called, where another has the same error with other names in it."""
        named = (name for name, each in self._registry.contracts.items() if each.address.lower() == called.lower())
        return explain(revert, self._artifacts, next((PROXIED.get(name, name) for name in named), None))


def explain(revert: Reverted, artifacts: Mapping[str, Artifact], first: str | None = None) -> str:
    """`StakeBelowMinimum(given=1, minimum=1000): Stake at least ...`."""
    if not revert.data:
        return f"The call fails without a reason ({revert})."
    for artifact in sorted(artifacts.values(), key=lambda each: each.name != first):
        for entry in artifact.abi:
            if entry["type"] == "error" and _error_selector(entry) == revert.data[:4]:
                return _describe(entry, revert.data[4:])
    return f"The call fails with unknown data 0x{revert.data.hex()}."


def _error_selector(entry: Mapping[str, Any]) -> bytes:
    types = ",".join(canonical_type(item) for item in entry["inputs"])
    return keccak(text=f"{entry['name']}({types})")[:4]


def _describe(entry: Mapping[str, Any], data: bytes) -> str:
    try:
        values = decode_items(entry["inputs"], data)
    except DecodingError:
        return f"{entry['name']} with data 0x{data.hex()}"
    names = [item["name"] for item in entry["inputs"]]
    text = f"{entry['name']}({', '.join(f'{n}={v}' for n, v in zip(names, values, strict=True))})"
    hint = NEXT_STEPS.get(entry["name"])
    return f"{text}: {hint}" if hint else text


def parse_ether(text: str, what: str = "amount", decimals: int = 18) -> int:
    """`"1.5"` -> wei; exact. Of a token with other decimals: its least unit."""
    try:
        amount = Decimal(text.replace("_", ""))
    except ArithmeticError as error:
        raise ActionError(f"{what} {text!r} is not a number, for example 1.5") from error
    wrong = ActionError(f"{what} {text!r} must be above zero and have at most {decimals} decimals")
    # its size before its digits: those of 1e-999999 and 1e999999 are not to be written out
    if not amount.is_finite() or amount <= 0 or amount.adjusted() < -decimals:
        raise wrong
    if amount.adjusted() + decimals > MOST_DIGITS:
        raise ActionError(f"{what} {text!r} is more than there can be: give less")
    units = Fraction(amount) * 10**decimals
    if units.denominator != 1:
        raise wrong
    return int(units)


def format_ether(wei: int, places: int = 6, decimals: int = 18) -> str:
    """Rounded down, so that nobody is told more than there is."""
    unit = Decimal(1).scaleb(-places)
    return f"{Decimal(wei).scaleb(-decimals).quantize(unit, rounding=ROUND_DOWN):,f}"
