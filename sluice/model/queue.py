"""The withdrawal queue as ``IWithdrawalQueue`` promises it, in exact arithmetic."""

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from sluice.model.rounding import Outcome, Refused
from sluice.model.vault import ZERO, VaultModel
from sluice.units import WEI_PER_GWEI

ESCROW: Final = "queue"


@dataclass(frozen=True)
class QueueTerms:
    min_request: int  # wei of slETH
    finalize_window: int  # seconds
    stale_after: int  # seconds


@dataclass(frozen=True)
class RequestModel:
    owner: str
    shares: int  # wei, whole gwei
    requested_at: int
    claimed: bool = False


@dataclass(frozen=True)
class CheckpointModel:
    first_id: int
    last_id: int
    shares: int
    assets: Fraction


@dataclass
class QueueModel:
    """Request ``i`` (from 1) is ``requests[i - 1]``, checkpoint ``j`` (from 1) ``checkpoints[j - 1]``."""

    vault: VaultModel
    terms: QueueTerms
    requests: list[RequestModel] = field(default_factory=list)
    checkpoints: list[CheckpointModel] = field(default_factory=list)
    locked: Fraction = ZERO  # wei set aside and not claimed

    # --- Reading ---

    @property
    def last_request_id(self) -> int:
        return len(self.requests)

    @property
    def last_finalized_id(self) -> int:
        return self.checkpoints[-1].last_id if self.checkpoints else 0

    @property
    def open_shares(self) -> int:
        return sum(r.shares for r in self.requests[self.last_finalized_id :])

    def request_of(self, request_id: int) -> RequestModel:
        if not 1 <= request_id <= self.last_request_id:
            raise Refused("RequestUnknown", id=request_id)
        return self.requests[request_id - 1]

    def find_checkpoint(self, request_id: int) -> int:
        self.request_of(request_id)
        if request_id > self.last_finalized_id:
            raise Refused("RequestNotFinalized", id=request_id)
        return bisect_left(self.checkpoints, request_id, key=lambda c: c.last_id) + 1

    def covered(self, request_id: int, now: int) -> bool:
        """A report newer than the request has just been applied, or none came for too long."""
        at = self.request_of(request_id).requested_at
        fresh = at <= self.vault.reference_time and now <= self.vault.applied_at + self.terms.finalize_window
        stale = now >= max(at, self.vault.reference_time) + self.terms.stale_after
        return fresh or (stale and now >= self.vault.slashing_pending_until)

    def finalizable(self, now: int) -> int:
        """The highest id that ``finalize`` accepts, 0 for none."""
        best = 0
        shares = 0
        for request_id in range(self.last_finalized_id + 1, self.last_request_id + 1):
            shares += self.requests[request_id - 1].shares
            needed = self.vault.to_assets_down(shares, now).value
            if not self.covered(request_id, now) or needed > self.vault.buffer:
                break
            best = request_id
        return best

    def claimable(self, request_id: int) -> Outcome:
        """Its part of what its checkpoint holds, rounded down. Fixed once finalised."""
        checkpoint = self.checkpoints[self.find_checkpoint(request_id) - 1]
        exact = checkpoint.assets * self.request_of(request_id).shares / checkpoint.shares
        return Outcome(exact, self.vault.rounding.down(exact))

    # --- What users do ---

    def request(self, sender: str, shares: int, receiver: str, now: int) -> int:
        """Escrow ``shares`` rounded down to whole gwei; the rest stays with ``sender``."""
        if shares < self.terms.min_request:
            raise Refused("RequestBelowMinimum", shares=shares, minimum=self.terms.min_request)
        counted = shares // WEI_PER_GWEI * WEI_PER_GWEI
        self.vault.transfer(sender, ESCROW, counted)
        self.requests.append(RequestModel(receiver, counted, now))
        return self.last_request_id

    def request_batch(self, sender: str, shares: list[int], receiver: str, now: int) -> int:
        """All or nothing."""
        if not shares:
            raise Refused("EmptyBatch")
        for amount in shares:
            if amount < self.terms.min_request:
                raise Refused("RequestBelowMinimum", shares=amount, minimum=self.terms.min_request)
        needed = sum(amount // WEI_PER_GWEI * WEI_PER_GWEI for amount in shares)
        balance = self.vault.balance_of(sender)
        if balance < needed:
            raise Refused("ERC20InsufficientBalance", balance=int(balance), needed=needed)
        first = self.last_request_id + 1
        for amount in shares:
            self.request(sender, amount, receiver, now)
        return first

    def transfer(self, request_id: int, receiver: str) -> None:
        self.requests[request_id - 1] = replace(self.request_of(request_id), owner=receiver)

    def finalize(self, up_to: int, now: int) -> Outcome:
        """Redeem all open requests up to ``up_to`` at the rate of the moment."""
        first = self.last_finalized_id + 1
        if not first <= up_to <= self.last_request_id:
            raise Refused("RequestNotOpen", upTo=up_to, firstOpen=first, lastOpen=self.last_request_id)
        if not self.covered(up_to, now):
            raise Refused(
                "RequestNotCovered",
                requestedAt=self.request_of(up_to).requested_at,
                referenceTime=self.vault.reference_time,
            )
        shares = sum(r.shares for r in self.requests[first - 1 : up_to])
        assets = self.vault.redeem(ESCROW, Fraction(shares), now)
        self.checkpoints.append(CheckpointModel(first, up_to, shares, assets.value))
        self.locked += assets.value
        return assets

    def claim(self, request_id: int, hint: int | None = None) -> Outcome:
        """Pay a finalised request once. Only the checkpoint that settled it is accepted as a hint."""
        request = self.request_of(request_id)
        checkpoint = self.find_checkpoint(request_id)
        if hint is not None and hint != checkpoint:
            raise Refused("CheckpointInvalid", id=request_id, checkpoint=hint)
        if request.claimed:
            raise Refused("RequestUnknown", id=request_id)
        assets = self.claimable(request_id)
        self.requests[request_id - 1] = replace(request, claimed=True)
        self.locked -= assets.value
        return assets
