"""The protocol and the exact model side by side: every step is made in both, and everything they say is compared.

A step that the model refuses must fail in the contracts with the same error and arguments. Time, the consensus
layer and ether that third parties force anywhere are kept here; nothing of the contracts is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from sluice.chain.beacon_roots import BEACON_ROOTS, entries
from sluice.model import (
    ESCROW,
    FEE_RECIPIENT,
    SEED_HOLDER,
    ConsensusFigures,
    Outcome,
    QueueModel,
    QueueTerms,
    Refused,
    ReportOutcome,
    VaultModel,
    VaultTerms,
)
from sluice.oracle.report import ConsensusView, Limits, VaultView, build_report, forecast
from sluice.oracle.signing import OracleDomain, gather, sign
from sluice.units import Gwei, Shares, Slot, Timestamp, Wei
from tests.backends import Backend, Failed

ETHER = 10**18
GWEI = 10**9
DAY = 86_400
ZERO = "0x" + "00" * 20
BONDS = "bonds"
COVER = "cover"
PURSE = ETHER
"""Wei that a user keeps for gas."""
DUST = 4
"""Wei, or shares at the rate of the moment, that the roundings of one step may leave to all others together."""


@dataclass(frozen=True)
class Addresses:
    """Where the contracts are."""

    token: str
    vault: str
    queue: str
    oracle: str
    limits: str
    rewards: str
    gateway: str
    deposit_contract: str
    fees: str
    bonds: str
    cover: str
    seed: str
    guardian: str
    depositor: str
    stranger: str


@dataclass(frozen=True)
class Site:
    """A deployment that pairs start from."""

    at: Addresses
    users: dict[str, LocalAccount]
    committee: Sequence[LocalAccount]
    terms: VaultTerms
    queue_terms: QueueTerms
    seed: int
    limits: Limits
    genesis: int
    frame: int  # seconds
    seconds_per_slot: int


@dataclass
class Validators:
    """The consensus layer, gwei: what is there, what was paid to the gateway, what others deposited."""

    balance: int = 0
    paid: int = 0
    foreign: int = 0
    provision: int = 0
    faults: int = 0  # ever
    count: int = 0


@dataclass(frozen=True)
class Captured:
    """Both sides at a reference slot."""

    slot: int
    time: int
    consensus: ConsensusView
    total: int
    supply: int
    open_shares: int
    deposited: int
    rewards: int
    faults: int  # gwei, ever


@dataclass
class Pair:
    """``chain`` does what ``vault`` and ``queue`` (the models) do."""

    chain: Backend
    site: Site
    vault: VaultModel = field(init=False)
    queue: QueueModel = field(init=False)
    validators: Validators = field(default_factory=Validators)
    deposits: int = field(init=False)  # wei in the deposit contract before
    gateway: int = 0  # wei
    rewards: int = 0  # wei in the rewards vault
    forced: dict[str, int] = field(init=False)  # wei, by address
    captured: Captured | None = None
    faults: int = 0  # gwei, ever, as of the newest report
    staked: int = 0  # wei that users ever paid in
    paid_out: int = 0  # wei that users ever got
    profits: int = 0  # wei, of all reports
    ether: dict[str, int] = field(default_factory=dict)  # what users must hold

    def __post_init__(self) -> None:
        at = self.site.at
        read = self.chain.read
        self.vault = VaultModel(
            self.site.terms,
            deployed_at=read(at.vault, "referenceTime"),
            seed=self.site.seed,
            bonds=BONDS,
            cover=COVER,
        )
        self.queue = QueueModel(self.vault, self.site.queue_terms)
        self.ether = {name: self.chain.balance(key.address) for name, key in self.site.users.items()}
        self.forced = {at.vault: self.chain.balance(at.vault) - self.site.seed}
        self.deposits = self.chain.balance(at.deposit_contract)

    # --- Time ---

    @property
    def now(self) -> int:
        return self.chain.now

    def tick(self, seconds: int = 1) -> None:
        """The next transaction comes ``seconds`` later. Reference slots on the way are captured."""
        end = self.now + seconds
        site = self.site
        boundary = site.genesis + (end - site.genesis) // site.frame * site.frame
        if boundary > self.now:
            self.chain.now = boundary
            self.chain.settle()
            self.capture(boundary)
            end = max(end, boundary + 1)  # a block of the reference slot itself has been captured
        self.chain.now = end

    def wait(self, seconds: int) -> None:
        """Time passes and nothing happens."""
        self.tick(seconds)
        self.chain.settle()

    def capture(self, time: int) -> None:
        read, at, side = self.chain.read, self.site.at, self.validators
        slot = (time - self.site.genesis) // self.site.seconds_per_slot
        for place, value in entries(Timestamp(time + self.site.seconds_per_slot), slot.to_bytes(32, "big")):
            self.chain.store(BEACON_ROOTS, place, value)
        consensus = ConsensusView(
            slot=Slot(slot),
            beacon_root=slot.to_bytes(32, "big"),
            balances_root=side.balance.to_bytes(32, "big"),
            validators=side.count,
            balance=Gwei(side.balance),
            provision=Gwei(side.provision),
            withdrawn=Gwei(side.paid),
            deposits=Gwei(self.vault.deposited + side.foreign),
        )
        self.captured = Captured(
            slot=slot,
            time=time,
            consensus=consensus,
            total=read(at.vault, "totalAssets"),
            supply=read(at.vault, "supply"),
            open_shares=read(at.queue, "openShares"),
            deposited=self.vault.deposited,
            rewards=self.rewards,
            faults=side.faults,
        )

    # --- Both at once ---

    def both(self, model: Callable[[], Any], chain: Callable[[], int], payer: str | None = None) -> Any:
        """The model's outcome; None where both refuse.

        INV-ACC-05: the rate of that second does not fall, and rises by dust only, but for a loss that a report shares.
        """
        total, supply = self.vault.total(self.now), self.vault.supply
        try:
            outcome = model()
        except Refused as refused:
            paid = fails_alike(refused, chain)
            if payer is not None:
                self.ether[payer] -= paid
            return None
        gas = chain()
        if payer is not None:
            self.ether[payer] -= gas
        stayed = min(supply, self.vault.supply)
        moved = (self.vault.rate(self.now) - total / supply) * stayed  # for all who stayed together, wei
        shared = outcome.shared if isinstance(outcome, ReportOutcome) else 0
        assert -shared <= moved, f"{outcome}: {moved}"
        assert shared or moved < DUST * max(1, total / supply), f"{outcome}: {moved}"
        return outcome

    def key(self, name: str) -> LocalAccount:
        return self.site.users[name]

    def address(self, name: str) -> str:
        at = self.site.at
        fixed = {
            ESCROW: at.queue,
            FEE_RECIPIENT: at.fees,
            SEED_HOLDER: at.seed,
            BONDS: at.bonds,
            COVER: at.cover,
        }
        return fixed.get(name) or self.key(name).address

    # --- Stake ---

    def affords(self, who: str, wei: int) -> bool:
        """Nobody can send what they do not have: such a transaction reaches neither side."""
        return wei + PURSE <= self.ether[who]

    def stake(self, who: str, assets: int, receiver: str | None = None) -> Outcome | None:
        receiver = receiver or who
        self.tick()
        if not self.affords(who, assets):
            return None
        sender, vault = self.address(who), self.site.at.vault
        outcome: Outcome | None = self.both(
            lambda: self.vault.stake(receiver, assets, self.now),
            lambda: self.chain.write(sender, vault, "stake", self.address(receiver), 0, ZERO, value=assets),
            who,
        )
        if outcome is not None:
            self.ether[who] -= assets
            self.staked += assets
        return outcome

    def mint(self, who: str, shares: int, spare: int = 0) -> Outcome | None:
        """``spare`` wei more than needed, which come back."""
        self.tick()
        sender, vault = self.address(who), self.site.at.vault
        cost = self.vault.to_assets_up(shares, self.now).integer
        if not self.affords(who, cost + spare):
            return None
        outcome: Outcome | None = self.both(
            lambda: self.vault.mint(who, shares, self.now),
            lambda: self.chain.write(sender, vault, "mint", shares, sender, value=cost + spare),
            who,
        )
        if outcome is not None:
            self.ether[who] -= cost
            self.staked += cost
        return outcome

    def transfer(self, sender: str, receiver: str, shares: int) -> None:
        self.tick()
        token = self.site.at.token
        self.both(
            lambda: self.vault.transfer(sender, receiver, shares),
            lambda: self.chain.write(self.address(sender), token, "transfer", self.address(receiver), shares),
            sender,
        )

    # --- Queue ---

    def request(self, who: str, shares: int, receiver: str | None = None) -> int | None:
        receiver = receiver or who
        self.tick()
        queue = self.site.at.queue
        done: int | None = self.both(
            lambda: self.queue.request(who, shares, receiver, self.now),
            lambda: self.chain.write(self.address(who), queue, "request", shares, self.address(receiver)),
            who,
        )
        return done

    def request_batch(self, who: str, shares: list[int], receiver: str) -> int | None:
        self.tick()
        queue = self.site.at.queue
        done: int | None = self.both(
            lambda: self.queue.request_batch(who, shares, receiver, self.now),
            lambda: self.chain.write(self.address(who), queue, "requestBatch", shares, self.address(receiver)),
            who,
        )
        return done

    def request_with_permit(self, owner: str, shares: int, receiver: str, submitter: str) -> int | None:
        self.tick()
        queue = self.site.at.queue
        nonce = self.chain.read(queue, "nonces", self.address(owner))
        deadline = self.now
        message = {
            "owner": self.address(owner),
            "shares": shares,
            "receiver": self.address(receiver),
            "nonce": nonce,
            "deadline": deadline,
        }
        types = {"owner": "address", "receiver": "address"}
        signable = encode_typed_data(
            domain_data={
                "name": "Sluice Withdrawal Request",
                "version": "1",
                "chainId": self.chain.chain_id,
                "verifyingContract": queue,
            },
            message_types={"Request": [{"name": n, "type": types.get(n, "uint256")} for n in message]},
            message_data=message,
        )
        signature = bytes(self.key(owner).sign_message(signable).signature)
        arguments = (message["owner"], shares, message["receiver"], deadline, signature)
        done: int | None = self.both(
            lambda: self.queue.request(owner, shares, receiver, self.now),
            lambda: self.chain.write(self.address(submitter), queue, "requestWithPermit", *arguments),
            submitter,
        )
        return done

    def transfer_request(self, request_id: int, receiver: str) -> None:
        """By its owner."""
        owner = self.queue.requests[request_id - 1].owner
        self.tick()
        arguments = (self.address(owner), self.address(receiver), request_id)
        self.both(
            lambda: self.queue.transfer(request_id, receiver),
            lambda: self.chain.write(self.address(owner), self.site.at.queue, "transferFrom", *arguments),
            owner,
        )

    def finalize(self, up_to: int, caller: str) -> Outcome | None:
        self.tick()
        outcome: Outcome | None = self.both(
            lambda: self.queue.finalize(up_to, self.now),
            lambda: self.chain.write(self.address(caller), self.site.at.queue, "finalize", up_to),
            caller,
        )
        return outcome

    def claim(self, request_id: int, caller: str, hint: int | None = None) -> Outcome | None:
        """To its owner, whoever calls."""
        self.tick()
        owner = self.queue.requests[request_id - 1].owner
        arguments = (request_id,) if hint is None else (request_id, hint, self.address(owner))
        outcome: Outcome | None = self.both(
            lambda: self.queue.claim(request_id, hint),
            lambda: self.chain.write(self.address(caller), self.site.at.queue, "claim", *arguments),
            caller,
        )
        if outcome is not None:
            self.ether[owner] += outcome.integer
            self.paid_out += outcome.integer
        return outcome

    # --- The consensus side ---

    def deposit_to_beacon(self, amount: int) -> None:
        """Gwei to the real deposit contract, for a validator each."""
        self.tick()
        at = self.site.at
        key = self.validators.count.to_bytes(48, "big")
        done = self.both(
            lambda: self.vault.deposit_to_beacon(amount, Fraction(self.queue.open_shares), self.now) or True,
            lambda: self.chain.write(at.depositor, at.vault, "depositToBeacon", [(key, bytes(96), amount)]),
        )
        if done:
            self.validators.balance += amount
            self.validators.count += 1

    def earn(self, amount: int) -> None:
        self.validators.balance += amount

    @property
    def unreported(self) -> int:
        """Gwei that the consensus side has gained (lost, below zero) and no report has counted."""
        side = self.validators
        return side.balance + side.paid - side.provision - self.vault.deposited - self.vault.profit

    def earnable(self) -> int:
        """Gwei that validators may still earn: in all half of what the limits let pass, gifts aside."""
        limits = replace(self.site.limits, gain_allowance=Gwei(0))
        elapsed = self.now - self.vault.reference_time
        most = limits.most_gain(int(self.vault.total(self.now)), elapsed) // 2
        return max(0, most // GWEI - max(0, self.unreported))

    def lose(self, amount: int, by_fault: bool = True) -> int:
        """At most what is there; returns what was lost."""
        amount = min(amount, self.validators.balance - self.validators.provision)
        self.validators.balance -= amount
        self.validators.faults += amount * by_fault
        return amount

    def exit(self, amount: int) -> None:
        """Consensus balance becomes ether of the gateway; no code runs."""
        amount = min(amount, self.validators.balance - self.validators.provision)
        self.validators.balance -= amount
        self.validators.paid += amount
        self.chain.give(self.site.at.gateway, amount * GWEI)
        self.gateway += amount * GWEI

    def foreign_deposit(self, amount: int) -> None:
        """A third party tops one of our validators up."""
        self.validators.balance += amount
        self.validators.foreign += amount

    def sweep(self, caller: str) -> None:
        self.tick()
        amount = self.vault.sweepable(self.gateway)
        self.both(
            lambda: self.vault.receive_sweep(amount),
            lambda: self.chain.write(self.address(caller), self.site.at.gateway, "sweep"),
            caller,
        )
        self.gateway -= amount * GWEI

    # --- Third parties ---

    def donate(self, address: str, wei: int) -> None:
        """Ether that arrives without a call."""
        self.chain.give(address, wei)
        if address == self.site.at.gateway:
            self.gateway += wei
        elif address == self.site.at.rewards:
            self.rewards += wei
        else:
            self.forced[address] = self.forced.get(address, 0) + wei

    # --- Reports ---

    def vault_view(self) -> VaultView:
        seen = self.captured
        assert seen is not None
        model = self.vault
        return VaultView(
            reference_time=Timestamp(seen.time),
            total=Wei(seen.total),
            supply=Shares(seen.supply),
            open_shares=Shares(seen.open_shares),
            deposited=Gwei(seen.deposited),
            rewards_balance=Wei(seen.rewards),
            profit=Gwei(model.profit),
            previous_time=Timestamp(model.reference_time),
            validators=self.chain.read(self.site.at.oracle, "validators"),
            deposited_now=Gwei(model.deposited),
            swept_now=Gwei(model.swept),
            gateway_balance_now=Wei(self.gateway),
        )

    def report(self) -> ReportOutcome | Failed | None:
        """Build, sign by a quorum and submit the report of the frame that runs, when its slot is old enough.

        None where it has one already, or comes too late. Else, INV-ORC-04, an honest report fails only for a loss above
        the limit.
        """
        at, model = self.site.at, self.vault
        while True:
            seen = self.captured
            if seen is None or seen.time <= model.reference_time:
                return None
            self.tick(max(1, seen.time + self.site.limits.min_age - self.now))
            if self.captured is seen:
                break
        report = build_report(seen.consensus, self.vault_view(), self.site.limits, Gwei(seen.faults - self.faults))
        model.received = model.swept + self.gateway // GWEI
        figures = ConsensusFigures(
            reference_time=seen.time,
            consensus_balance=report.consensus_balance,
            withdrawn=report.withdrawn,
            deposited=report.deposited,
            provision=report.provision,
            faults=report.faults,
            rewards=report.rewards,
        )
        domain = OracleDomain(self.chain.chain_id, to_checksum_address(at.oracle))
        signatures = gather((sign(report, domain, key) for key in self.site.committee), compact=True)

        def refused(error: str, **arguments: int) -> Failed:
            failed = failure_of(
                lambda: self.chain.write(at.stranger, at.oracle, "submit", report.as_tuple(), signatures)
            )
            assert failed is not None, f"it passed: {error} {arguments}"
            assert (failed.error, failed.arguments) == (error, arguments)
            return failed

        age, oldest = self.now - seen.time, self.site.limits.max_age
        if age > oldest:
            refused("ReferenceTooOld", age=age, limit=oldest)
            return None
        loss = -forecast(report, self.vault_view(), self.site.limits, Timestamp(self.now)).profit
        limit = self.site.limits.most_loss(int(model.total(self.now)), seen.time - model.reference_time)
        if loss > limit:
            return refused("LossAboveLimit", loss=loss, limit=limit)
        outcome: ReportOutcome | None = self.both(
            lambda: model.report(figures, self.now),
            lambda: self.chain.write(at.stranger, at.oracle, "submit", report.as_tuple(), signatures),
        )
        assert outcome is not None, "an honest report was refused"
        self.faults = seen.faults
        self.rewards -= report.rewards
        self.profits += outcome.profit
        swept = model.sweepable(self.gateway)
        model.receive_sweep(swept)
        self.gateway -= swept * GWEI
        return outcome

    # --- Comparing ---

    def check(self) -> None:
        """Everything the contracts say is what the model says, to the wei."""
        read, at, now, model = self.chain.read, self.site.at, self.now, self.vault
        seen = {
            "pooled": read(at.vault, "pooled"),
            "supply": read(at.token, "totalSupply"),
            "unvested": read(at.vault, "unvested"),
            "total": read(at.vault, "totalAssets"),
            "rate": read(at.vault, "rate"),
            "outside": read(at.vault, "outside"),
            "buffer": read(at.vault, "buffer"),
            "limit": read(at.vault, "stakeLimit"),
            "consensus": read(at.vault, "consensus"),
            "requests": read(at.queue, "lastRequestId"),
            "finalized": read(at.queue, "lastFinalizedId"),
            "checkpoints": read(at.queue, "lastCheckpoint"),
            "open": read(at.queue, "openShares"),
            "finalizable": read(at.queue, "finalizable"),
        }
        assert seen == {
            "pooled": model.pooled,
            "supply": model.supply,
            "unvested": model.unvested(now),
            "total": model.total(now),
            "rate": model.rate_view(now),
            "outside": model.outside,
            "buffer": model.buffer,
            "limit": model.stake_limit(now),
            "consensus": (model.profit, model.deposited, model.swept, model.reference_time),
            "requests": self.queue.last_request_id,
            "finalized": self.queue.last_finalized_id,
            "checkpoints": len(self.queue.checkpoints),
            "open": self.queue.open_shares,
            "finalizable": self.queue.finalizable(now),
        }
        for name, balance in model.balances.items():
            assert read(at.token, "balanceOf", self.address(name)) == balance, name

    def check_conversions(self, amount: int) -> None:
        """Previews say what happens; a way there and back never gains (INV-ACC-07)."""
        read, vault, model, now = self.chain.read, self.site.at.vault, self.vault, self.now
        shares_down = model.to_shares_down(amount, now).integer
        assets_down = model.to_assets_down(amount, now).integer
        assert read(vault, "convertToShares", amount) == shares_down == read(vault, "previewDeposit", amount)
        assert read(vault, "convertToAssets", amount) == assets_down == read(vault, "previewRedeem", amount)
        assert read(vault, "previewMint", amount) == model.to_assets_up(amount, now).integer
        assert read(vault, "previewWithdraw", amount) == model.to_shares_up(amount, now).integer
        assert read(vault, "convertToAssets", shares_down) <= amount
        assert read(vault, "convertToShares", assets_down) <= amount

    def check_requests(self, ids: Sequence[int]) -> None:
        for request_id in ids:
            owner, shares, requested_at, assets, finalized, claimed = self.chain.read(
                self.site.at.queue, "getRequest", request_id
            )
            request = self.queue.requests[request_id - 1]
            assert (shares, requested_at, claimed) == (request.shares, request.requested_at, request.claimed)
            assert finalized == (request_id <= self.queue.last_finalized_id)
            expected = (
                self.queue.claimable(request_id) if finalized else self.vault.to_assets_down(request.shares, self.now)
            )
            assert assets == expected.integer
            if not claimed:
                assert owner == self.address(request.owner).lower()

    def check_ether(self) -> None:
        """Every wei is where the books say it is."""
        at, model = self.site.at, self.vault
        balances = {name: self.chain.balance(a) for name, a in vars(at).items() if name in HOLDS_ETHER}
        assert balances == {
            "vault": model.buffer + self.forced.get(at.vault, 0),
            "queue": self.queue.locked + self.forced.get(at.queue, 0),
            "gateway": self.gateway,
            "rewards": self.rewards,
            "token": self.forced.get(at.token, 0),
        }
        assert self.chain.balance(at.deposit_contract) - self.deposits == model.deposited * GWEI
        for name, wei in self.ether.items():
            assert self.chain.balance(self.address(name)) == wei, name
        assert model.pooled + self.queue.locked + self.paid_out == self.site.seed + self.staked + self.profits


HOLDS_ETHER = ("vault", "queue", "gateway", "rewards", "token")


def fails_alike(refused: Refused, action: Callable[[], Any]) -> int:
    """The contracts give the model's reason and, where the model names them, its values; returns the gas paid."""
    failed = failure_of(action)
    assert failed is not None, f"the model refuses: {refused}"
    given = {name: failed.arguments.get(name) for name in refused.values}
    assert (failed.error, given) == (refused.reason, refused.values)
    return failed.paid


def failure_of(action: Callable[[], Any]) -> Failed | None:
    try:
        action()
    except Failed as failed:
        return failed
    return None


def users(count: int) -> dict[str, LocalAccount]:
    """Accounts whose keys tests hold; the backend gives them ether."""
    return {f"user{n}": Account.from_key(b"user".ljust(31, b"\0") + bytes([n])) for n in range(count)}
