"""Parameters of a deployment: `deployments/params/<network>.yaml`, validated before anything else happens.

`deployments/params/README.md` explains every field.
"""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from eth_utils.crypto import keccak
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sluice.beacon.spec import Fork
from sluice.deploy.errors import ParamsError
from sluice.deploy.quantities import Address, BasisPoints, Count, Seconds, Shares, Slots, Wei, parse_count

ETHER = 10**18
GWEI = 10**9
HOUR = 3_600
DAY = 24 * HOUR


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class External(_Section):
    """Contracts that are on the chain already."""

    deposit_contract: Address
    weth: Address | None = None


class Vault(_Section):
    seed: Wei = Field(ge=ETHER, le=1_000 * ETHER)
    fee: BasisPoints = Field(ge=0, le=2_000)
    minimum_stake: Wei = Field(ge=GWEI, le=ETHER)
    vesting_period: Seconds = Field(ge=3_600, le=30 * DAY)
    limit_burst: Wei = Field(ge=ETHER, le=(2**56 - 1) * GWEI, multiple_of=GWEI)
    limit_growth_per_second: Wei = Field(ge=GWEI, le=(2**32 - 1) * GWEI, multiple_of=GWEI)


class Queue(_Section):
    minimum_request: Shares = Field(ge=GWEI, le=ETHER)
    finalize_window: Seconds = Field(ge=600, le=12 * 3_600)
    stale_after: Seconds = Field(ge=DAY, le=60 * DAY)


class Member(_Section):
    member: Address
    key: Address


def _genesis(value: object) -> object:
    return value if value == "deployment" else parse_count(value)


class Oracle(_Section):
    genesis_time: Annotated[Literal["deployment"] | int, BeforeValidator(_genesis)]
    slot: Seconds = Field(ge=1, le=3_600)
    first_slot: Count = Field(ge=0, lt=2**40)
    frame: Slots = Field(ge=1, le=1_000_000)
    quorum: Count = Field(ge=1, le=32)
    members: tuple[Member, ...] = Field(min_length=1, max_length=32)

    @property
    def frame_seconds(self) -> int:
        return self.frame * self.slot

    @model_validator(mode="after")
    def _committee(self) -> Self:
        count = len(self.members)
        if not count < self.quorum * 2 <= count * 2:
            raise ValueError(f"quorum {self.quorum} must be more than half of the {count} members and at most all")
        for what in ("member", "key"):
            named = [getattr(member, what) for member in self.members]
            twice = sorted({address for address in named if named.count(address) > 1})
            if twice:
                raise ValueError(f"members: {what} {', '.join(twice)} is named twice")
        return self


class ReportLimits(_Section):
    yearly_gain: BasisPoints = Field(ge=1, le=10_000)
    loss: BasisPoints = Field(ge=1, le=5_000)
    validators_per_day: Count = Field(ge=1, lt=2**32)
    minimum_age: Seconds = Field(ge=0, lt=2**32)
    maximum_age: Seconds = Field(ge=0, lt=2**32)
    gain_allowance: Wei = Field(ge=0, le=1_000 * ETHER, multiple_of=GWEI)


class FeeSplit(_Section):
    """Parts of the fee; together all of it."""

    treasury: BasisPoints = Field(ge=0, le=10_000)
    operators: BasisPoints = Field(ge=0, le=10_000)
    cover: BasisPoints = Field(ge=0, le=10_000)
    referrers: BasisPoints = Field(ge=0, le=10_000)

    @model_validator(mode="after")
    def _all_of_it(self) -> Self:
        total = self.treasury + self.operators + self.cover + self.referrers
        if total != 10_000:
            raise ValueError(f"the parts are {total} bps together; they must be 10000 bps")
        return self


class OpenTerms(_Section):
    """Terms on which anybody may register as an operator; a stake cap of zero closes that way in."""

    stake_cap: Wei = Field(ge=0, lt=2**32 * ETHER, multiple_of=ETHER)
    weight: Count = Field(ge=0, lt=2**32)
    bond: BasisPoints = Field(ge=0, le=10_000)
    fee: BasisPoints = Field(ge=0, le=10_000)

    @model_validator(mode="after")
    def _room_for_a_validator(self) -> Self:
        if 0 < self.stake_cap < 32 * ETHER:
            raise ValueError(f"stake_cap {self.stake_cap} wei must be 0 or at least 32 ether, one validator")
        return self


class Operators(_Section):
    solo: OpenTerms
    cluster: OpenTerms
    member_cap: Wei = Field(ge=0, lt=2**32 * ETHER, multiple_of=ETHER)


class ForkSlot(_Section):
    fork: Fork
    slot: Count = Field(ge=0, lt=2**64)


class Beacon(_Section):
    """The consensus layer, as far as proofs need it."""

    preset: Literal["mainnet", "minimal"]
    forks: tuple[ForkSlot, ...] = Field(min_length=1, max_length=4)
    end_slot: Count = Field(ge=1, lt=2**64)
    capella_slot: Count = Field(ge=0, lt=2**64)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        slots = [each.slot for each in self.forks]
        if slots != sorted(set(slots)):
            raise ValueError(f"forks: slots {slots} must rise")
        if self.end_slot <= slots[-1]:
            raise ValueError(f"end_slot {self.end_slot} must be after the newest fork's slot {slots[-1]}")
        return self


class Validators(_Section):
    abandon_after: Seconds = Field(ge=DAY, le=180 * DAY)
    overdue_after: Seconds = Field(ge=DAY, le=60 * DAY)
    keepers: tuple[Address, ...] = Field(min_length=1)


class Challenge(_Section):
    bond: Shares = Field(ge=0, lt=2**96)
    delay: Seconds = Field(ge=7 * DAY, le=180 * DAY)
    answer_time: Seconds = Field(ge=600, le=DAY)
    demand_fee: Wei = Field(ge=0, le=ETHER)


class Bonds(_Section):
    delay: Seconds = Field(ge=7 * DAY, le=180 * DAY)
    window: Seconds = Field(ge=3_600, le=30 * DAY)

    @model_validator(mode="after")
    def _settled_before_it_leaves(self) -> Self:
        if self.window >= self.delay:
            raise ValueError(f"window {self.window} s must be shorter than delay {self.delay} s")
        return self


class Pool(_Section):
    """The instant pool."""

    seed: Wei = Field(ge=ETHER // 10, le=1_000 * ETHER)
    min_fee: BasisPoints = Field(ge=1, le=1_000)
    max_fee: BasisPoints = Field(ge=1, le=1_000)
    treasury_part: BasisPoints = Field(ge=0, le=5_000)
    target: Wei = Field(ge=ETHER // 100, le=10 * ETHER)
    max_rate_age: Seconds = Field(ge=DAY, le=30 * DAY)

    @model_validator(mode="after")
    def _fee_rises(self) -> Self:
        if self.min_fee > self.max_fee:
            raise ValueError(f"min_fee {self.min_fee} bps must be at most max_fee {self.max_fee} bps")
        return self


class Basket(_Section):
    """The basket of staking tokens."""

    lp_fee: BasisPoints = Field(ge=1, le=100)
    max_rate_age: Seconds = Field(ge=DAY, le=30 * DAY)


class Holder(_Section):
    """Who holds a role, how long it must wait between announcing and acting, and how long a new holder waits."""

    account: Address
    delay: Seconds = Field(ge=0, le=90 * DAY)
    grant_delay: Seconds = Field(ge=0, le=90 * DAY)


class Immediate(_Section):
    """A role that acts at once, because what it may do is bounded by the contracts."""

    account: Address
    grant_delay: Seconds = Field(ge=0, le=90 * DAY)

    @property
    def delay(self) -> int:
        return 0


class Admin(_Section):
    account: Address
    delay: Seconds = Field(ge=0, le=90 * DAY)


class Governance(_Section):
    admin: Admin
    governor: Holder
    upgrader: Holder
    guardian: Immediate
    registrar: Holder
    releaser: Holder
    target_admin_delay: Seconds = Field(ge=0, le=90 * DAY)

    @property
    def accounts(self) -> tuple[str, ...]:
        return (
            self.admin.account,
            self.governor.account,
            self.upgrader.account,
            self.guardian.account,
            self.registrar.account,
            self.releaser.account,
        )

    @model_validator(mode="after")
    def _admin_is_slowest(self) -> Self:
        # the admin can give itself every role; whatever is promised to be slow is as fast as the admin
        for name, delay in (
            ("governor.delay", self.governor.delay),
            ("upgrader.delay", self.upgrader.delay),
            ("registrar.delay", self.registrar.delay),
            ("releaser.delay", self.releaser.delay),
            ("target_admin_delay", self.target_admin_delay),
            ("governor.grant_delay", self.governor.grant_delay),
            ("upgrader.grant_delay", self.upgrader.grant_delay),
            ("guardian.grant_delay", self.guardian.grant_delay),
            ("registrar.grant_delay", self.registrar.grant_delay),
            ("releaser.grant_delay", self.releaser.grant_delay),
        ):
            if self.admin.delay < delay:
                raise ValueError(f"admin.delay {self.admin.delay} s must be at least {name} {delay} s")
        if self.upgrader.delay < self.governor.delay:
            raise ValueError(
                f"upgrader.delay {self.upgrader.delay} s must be at least governor.delay {self.governor.delay} s"
            )
        slow = (self.admin.account, self.governor.account, self.upgrader.account, self.releaser.account)
        if self.guardian.account in slow:
            raise ValueError("guardian.account must not be one of those it can cancel")
        return self


class Params(_Section):
    network: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    chain_id: Count = Field(ge=1, lt=2**63)
    local: bool = False
    salt_namespace: str = Field(min_length=1, max_length=64)
    local_depositor: Address | None = None
    treasury: Address
    external: External
    vault: Vault
    queue: Queue
    oracle: Oracle
    report_limits: ReportLimits
    fee_split: FeeSplit
    beacon: Beacon
    operators: Operators
    validators: Validators
    bonds: Bonds
    challenge: Challenge
    pool: Pool
    basket: Basket
    governance: Governance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        frame = self.oracle.frame_seconds
        if self.governance.releaser.delay > frame // 2:
            raise ValueError(
                f"governance.releaser.delay {self.governance.releaser.delay} s must be at most half a frame "
                f"({frame // 2} s): a released report is accepted in its own frame only"
            )
        if self.queue.stale_after < 2 * frame:
            raise ValueError(
                f"queue.stale_after {self.queue.stale_after} s must be at least two frames ({2 * frame} s): "
                "one missed report must not open the path without reports"
            )
        for section, age in (("pool", self.pool.max_rate_age), ("basket", self.basket.max_rate_age)):
            if age < 2 * frame:
                raise ValueError(
                    f"{section}.max_rate_age {age} s must be at least two frames ({2 * frame} s): "
                    f"one missed report must not close the {section}"
                )
        limits = self.report_limits
        if limits.minimum_age > frame // 4:
            raise ValueError(
                f"report_limits.minimum_age {limits.minimum_age} s must be at most a quarter of a frame "
                f"({frame // 4} s), so that there is time to report"
            )
        if limits.maximum_age < frame // 2:
            raise ValueError(
                f"report_limits.maximum_age {limits.maximum_age} s must be at least half a frame ({frame // 2} s), "
                "so that there is time to report"
            )
        window = frame + limits.minimum_age - limits.maximum_age
        if self.challenge.answer_time + HOUR > window:
            raise ValueError(
                f"report_limits.maximum_age {limits.maximum_age} s leaves {window} s until the next report can come; "
                f"challenge.answer_time {self.challenge.answer_time} s and an hour must fit in, or a false report is "
                "replaced before anybody can show it"
            )
        longest = max(30 * DAY, frame) + self.challenge.answer_time
        if self.challenge.delay < longest:
            raise ValueError(
                f"challenge.delay {self.challenge.delay} s must be at least {longest} s: a bond stays for as long as "
                "what its member has signed can be challenged"
            )
        if not self.local and self.challenge.bond == 0:
            raise ValueError("challenge.bond is 0: only on a local chain members answer for nothing")
        if not self.local and self.local_depositor is not None:
            raise ValueError("local_depositor: elsewhere the validator manager alone deposits")
        if not self.local and self.external.weth is None:
            raise ValueError("external.weth is missing: only a local chain gets its own")
        if not self.local and self.oracle.genesis_time == "deployment":
            raise ValueError("oracle.genesis_time: only a local chain begins with its deployment")
        if not self.local:
            keys = {member.key for member in self.oracle.members}
            both = sorted(keys.intersection(chain(self.governance.accounts)))
            if both:
                raise ValueError(f"oracle.members: key {', '.join(both)} holds a governance role too")
        return self

    @property
    def hash(self) -> str:
        """Of the values, whatever the file's layout and comments."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return "0x" + keccak(text=text).hex()


class _Loader(yaml.BaseLoader):
    """Every scalar stays text (`0x...` is no number), a key given twice is an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_scalar(key_node)
        if key in result:
            line = key_node.start_mark.line + 1
            raise ParamsError(f"line {line}: the field {key!r} is given twice")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse_params(text: str, source: str = "parameters") -> Params:
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506  BaseLoader builds text, lists and dicts only
    except yaml.YAMLError as error:
        raise ParamsError(f"{source} is not YAML: {error}") from error
    except ParamsError as error:
        raise ParamsError(f"{source}: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{source} holds no fields")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in item['loc']) or 'file'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise ParamsError("\n".join([f"{source} is refused:", *lines])) from error


def load_params(path: Path) -> Params:
    if not path.is_file():
        known = ", ".join(sorted(other.name for other in path.parent.glob("*.yaml"))) or "none"
        raise ParamsError(f"there is no parameter file {path}; in its folder: {known}")
    return parse_params(path.read_text(encoding="utf-8"), str(path))
