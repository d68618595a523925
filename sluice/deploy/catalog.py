"""What is deployed: one entry a contract, in the order of deployment.

An entry says how it is constructed, who may call its restricted functions, and what it must answer afterwards.
Adding a contract to the protocol is adding one entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from sluice.beacon.proofs import ProofsConfig, layout
from sluice.beacon.spec import PRESETS
from sluice.deploy.addresses import create_address
from sluice.units import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.deploy.abi import Abi
    from sluice.deploy.params import OpenTerms, Params


class Role(IntEnum):
    """Roles of the access manager and their ids. The admin has id 0 in every AccessManager."""

    ADMIN = 0
    GOVERNOR = 1
    UPGRADER = 2
    GUARDIAN = 3
    REGISTRAR = 5
    SEALED = 6
    """Held by nobody: functions that must not be called."""
    RELEASER = 7
    CHALLENGER = 8
    REBALANCER = 9
    """Held by nobody at first: governance gives it to a contract that exchanges tokens of the basket."""

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Resolved:
    """What the parameters leave to the moment of the first transaction. Recorded, so that it never changes again."""

    genesis_time: int  # seconds


@dataclass(frozen=True)
class Context:
    """What entries are computed from."""

    params: Params
    resolved: Resolved
    deployer: str
    addresses: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.addresses[name]


Values = dict[str, object]


def _nothing(_: Context) -> Values:
    return {}


@dataclass(frozen=True)
class Entry:
    name: str
    arguments: Callable[[Context], Values] = _nothing
    """Constructor arguments by name; structs as mappings of their fields."""
    state: Callable[[Context], Values] = _nothing
    """View function (with its arguments in brackets, if any) -> what it must answer."""
    restricted: Mapping[str, Role] = field(default_factory=dict)
    """Function -> the one role that may call it through the access manager."""
    value: Callable[[Params], int] = lambda _: 0
    """Ether for the constructor, wei."""
    wanted: Callable[[Params], bool] = lambda _: True


@dataclass(frozen=True)
class Derived:
    """A contract that another one creates."""

    name: str
    parent: str
    nonce: int
    abi: Abi
    state: Callable[[Context], Values] = _nothing
    restricted: Mapping[str, Role] = field(default_factory=dict)

    def address(self, addresses: Mapping[str, str]) -> str:
        return create_address(addresses[self.parent], self.nonce)


def _entry(kind: str, name: str, inputs: Mapping[str, str], **more: object) -> dict[str, Any]:
    items = [{"name": each, "type": type_} for each, type_ in inputs.items()]
    return {"type": kind, "name": name, "inputs": items, **more}


PROXY_ADMIN_ABI: Abi = (
    _entry("function", "owner", {}, outputs=[{"name": "", "type": "address"}], stateMutability="view"),
    _entry(
        "function",
        "upgradeAndCall",
        {"proxy": "address", "implementation": "address", "data": "bytes"},
        outputs=[],
        stateMutability="payable",
    ),
    _entry(
        "function",
        "transferOwnership",
        {"newOwner": "address"},
        outputs=[],
        stateMutability="nonpayable",
    ),
    _entry("function", "renounceOwnership", {}, outputs=[], stateMutability="nonpayable"),
    _entry("error", "OwnableUnauthorizedAccount", {"account": "address"}),
)

ACCESS = "ProtocolAccessManager"
PROXY = "WithdrawalGatewayProxy"
PROXY_IMPLEMENTATION = "WithdrawalGateway"
PROXY_ADMIN = "ProxyAdmin"


def weth(context: Context) -> str:
    return context.params.external.weth or context["WrappedEther"]


def _committee(context: Context) -> tuple[list[str], list[str]]:
    members = context.params.oracle.members
    return [each.member for each in members], [each.key for each in members]


def _credentials(gateway: str) -> bytes:
    return b"\x02" + bytes(11) + bytes.fromhex(gateway[2:])


def _limits(context: Context) -> Values:
    limits = context.params.report_limits
    return {
        "yearlyGain": limits.yearly_gain,
        "loss": limits.loss,
        "validatorsPerDay": limits.validators_per_day,
        "minAge": limits.minimum_age,
        "maxAge": limits.maximum_age,
        "gainAllowance": limits.gain_allowance // 10**9,
    }


def _split(context: Context) -> Values:
    split = context.params.fee_split
    return {
        "treasury": split.treasury,
        "operators": split.operators,
        "cover": split.cover,
        "referrers": split.referrers,
    }


def _open_terms(terms: OpenTerms) -> Values:
    return {
        "stakeCap": terms.stake_cap // 10**18,
        "weight": terms.weight,
        "bond": terms.bond,
        "fee": terms.fee,
        "threshold": 0,
    }


def _depositors(context: Context) -> list[str]:
    depositor = context.params.local_depositor
    return [context["ValidatorManager"], *([depositor] if depositor else [])]


def _vault_arguments(context: Context) -> Values:
    vault = context.params.vault
    return {
        "config": {
            "authority": context[ACCESS],
            "token": context["StakedEther"],
            "queue": context["WithdrawalQueue"],
            "gateway": context[PROXY],
            "rewardsVault": context["RewardsVault"],
            "depositContract": context.params.external.deposit_contract,
            "oracle": context["ReportOracle"],
            "bonds": context["OperatorBonds"],
            "cover": context["CoverFund"],
            "feeRecipient": context["FeeSplitter"],
            "fee": vault.fee,
            "minStake": vault.minimum_stake,
            "vestingPeriod": vault.vesting_period,
            "limitBurst": vault.limit_burst,
            "limitGrowth": vault.limit_growth_per_second,
            "depositors": _depositors(context),
        }
    }


def _vault_state(context: Context) -> Values:
    vault = context.params.vault
    return {
        "authority": context[ACCESS],
        "share": context["StakedEther"],
        "QUEUE": context["WithdrawalQueue"],
        "GATEWAY": context[PROXY],
        "CREDENTIALS": _credentials(context[PROXY]),
        "rewardsVault": context["RewardsVault"],
        "depositContract": context.params.external.deposit_contract,
        "MIN_STAKE": vault.minimum_stake,
        "VESTING_PERIOD": vault.vesting_period,
        "oracle": context["ReportOracle"],
        "bonds": context["OperatorBonds"],
        "cover": context["CoverFund"],
        "feeRecipient": context["FeeSplitter"],
        "fee": vault.fee,
        **{f"isDepositor({account})": True for account in _depositors(context)},
    }


def _proofs(context: Context) -> ProofsConfig:
    beacon = context.params.beacon
    preset = PRESETS[beacon.preset]
    return ProofsConfig(
        tuple(layout(each.fork, preset, Slot(each.slot)) for each in beacon.forks),
        Slot(beacon.end_slot),
        preset.slots_per_historical_root,
        Slot(beacon.capella_slot),
    )


def _challenge_arguments(context: Context) -> Values:
    challenge = context.params.challenge
    return {
        "config": {
            "token": context["StakedEther"],
            "vault": context["StakingVault"],
            "oracle": context["ReportOracle"],
            "manager": context["ValidatorManager"],
            "bond": challenge.bond,
            "delay": challenge.delay,
            "answerTime": challenge.answer_time,
            "demandFee": challenge.demand_fee,
        }
    }


def _pool_terms(context: Context) -> Values:
    pool = context.params.pool
    return {
        "minFee": pool.min_fee,
        "maxFee": pool.max_fee,
        "treasuryPart": pool.treasury_part,
        "target": pool.target,
    }


def _manager_arguments(context: Context) -> Values:
    validators = context.params.validators
    return {
        "config": {
            "authority": context[ACCESS],
            "vault": context["StakingVault"],
            "queue": context["WithdrawalQueue"],
            "gateway": context[PROXY],
            "registry": context["OperatorRegistry"],
            "bonds": context["OperatorBonds"],
            "proofs": context["BeaconProofs"],
            "genesisTime": context.resolved.genesis_time,
            "secondsPerSlot": context.params.oracle.slot,
            "slotsPerEpoch": PRESETS[context.params.beacon.preset].slots_per_epoch,
            "abandonAfter": validators.abandon_after,
            "overdueAfter": validators.overdue_after,
            "keepers": list(context.params.validators.keepers),
        }
    }


def _oracle_arguments(context: Context) -> Values:
    oracle = context.params.oracle
    members, keys = _committee(context)
    return {
        "config": {
            "authority": context[ACCESS],
            "vault": context["StakingVault"],
            "limits": context["ReportLimits"],
            "challenge": context["ReportChallenge"],
            "genesisTime": context.resolved.genesis_time,
            "secondsPerSlot": oracle.slot,
            "firstSlot": oracle.first_slot,
            "frameSlots": oracle.frame,
            "members": members,
            "keys": keys,
            "quorum": oracle.quorum,
            "validators": 0,
        }
    }


def _oracle_state(context: Context) -> Values:
    oracle = context.params.oracle
    members, keys = _committee(context)
    return {
        "authority": context[ACCESS],
        "vault": context["StakingVault"],
        "limits": context["ReportLimits"],
        "CHALLENGE": context["ReportChallenge"],
        "GENESIS_TIME": context.resolved.genesis_time,
        "SECONDS_PER_SLOT": oracle.slot,
        "FIRST_SLOT": oracle.first_slot,
        "FRAME_SLOTS": oracle.frame,
        "quorum": oracle.quorum,
        "members": members,
        **{f"keyOf({member})": key for member, key in zip(members, keys, strict=True)},
        **{f"memberOf({key})": member for member, key in zip(members, keys, strict=True)},
    }


CATALOG: tuple[Entry, ...] = (
    Entry(ACCESS, arguments=lambda c: {"initialAdmin": c.deployer}),
    Entry(
        "StakedEther",
        arguments=lambda c: {"vault_": c["StakingVault"], "queue": c["WithdrawalQueue"]},
        state=lambda c: {"VAULT": c["StakingVault"], "QUEUE": c["WithdrawalQueue"]},
    ),
    Entry(
        "RewardsVault",
        arguments=lambda c: {"vault_": c["StakingVault"]},
        state=lambda c: {"VAULT": c["StakingVault"]},
    ),
    Entry(
        PROXY_IMPLEMENTATION,
        arguments=lambda c: {"vault_": c["StakingVault"], "manager_": c["ValidatorManager"]},
        state=lambda c: {"VAULT": c["StakingVault"], "MANAGER": c["ValidatorManager"]},
    ),
    Entry(
        PROXY,
        arguments=lambda c: {
            "implementation": c[PROXY_IMPLEMENTATION],
            "accessManager": c[ACCESS],
        },
    ),
    Entry("RequestDescriptor"),
    Entry(
        "WithdrawalQueue",
        arguments=lambda c: {
            "token_": c["StakedEther"],
            "vault_": c["StakingVault"],
            "descriptor_": c["RequestDescriptor"],
            "minRequest": c.params.queue.minimum_request,
            "finalizeWindow": c.params.queue.finalize_window,
            "staleAfter": c.params.queue.stale_after,
        },
        state=lambda c: {
            "token": c["StakedEther"],
            "vault": c["StakingVault"],
            "descriptor": c["RequestDescriptor"],
            "MIN_REQUEST": c.params.queue.minimum_request,
            "FINALIZE_WINDOW": c.params.queue.finalize_window,
            "STALE_AFTER": c.params.queue.stale_after,
        },
    ),
    Entry(
        "StakingVault",
        arguments=_vault_arguments,
        state=_vault_state,
        value=lambda params: params.vault.seed,
        restricted={
            "setOracle": Role.GOVERNOR,
            "setBonds": Role.GOVERNOR,
            "setCover": Role.GOVERNOR,
            "setFee": Role.GOVERNOR,
            "setStakeLimit": Role.GOVERNOR,
            "pauseStaking": Role.GUARDIAN,
            # with pauseStaking(0) a guardian could end a pause anyway
            "resumeStaking": Role.GUARDIAN,
            "setDepositor": Role.GOVERNOR,
            "cancelUnvested": Role.CHALLENGER,
        },
    ),
    Entry(
        "CoverFund",
        arguments=lambda c: {
            "authority_": c[ACCESS],
            "token_": c["StakedEther"],
            "vault_": c["StakingVault"],
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "token": c["StakedEther"],
            "VAULT": c["StakingVault"],
        },
        restricted={"migrate": Role.GOVERNOR},
    ),
    Entry(
        "ReportLimits",
        arguments=lambda c: {"authority_": c[ACCESS], "frame": c.params.oracle.frame_seconds, "limits_": _limits(c)},
        state=lambda c: {
            "authority": c[ACCESS],
            "FRAME": c.params.oracle.frame_seconds,
            "limits": tuple(_limits(c).values()),
        },
        restricted={"release": Role.RELEASER, "setLimits": Role.GOVERNOR},
    ),
    Entry(
        "ReportOracle",
        arguments=_oracle_arguments,
        state=_oracle_state,
        restricted={
            "addMember": Role.GOVERNOR,
            "removeMember": Role.GOVERNOR,
            "setQuorum": Role.GOVERNOR,
            "setLimits": Role.GOVERNOR,
            "resume": Role.GOVERNOR,
        },
    ),
    Entry(
        "ReportChallenge",
        arguments=_challenge_arguments,
        state=lambda c: {
            "token": c["StakedEther"],
            "vault": c["StakingVault"],
            "oracle": c["ReportOracle"],
            "manager": c["ValidatorManager"],
            "BOND": c.params.challenge.bond,
            "DELAY": c.params.challenge.delay,
            "ANSWER_TIME": c.params.challenge.answer_time,
            "DEMAND_FEE": c.params.challenge.demand_fee,
        },
    ),
    Entry(
        "FeeSplitter",
        arguments=lambda c: {
            "authority_": c[ACCESS],
            "token_": c["StakedEther"],
            "treasury_": c.params.treasury,
            "cover_": c["CoverFund"],
            "split_": _split(c),
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "token": c["StakedEther"],
            "treasury": c.params.treasury,
            "cover": c["CoverFund"],
            "split": tuple(_split(c).values()),
        },
        restricted={
            "setWeight": Role.REGISTRAR,
            "setSplit": Role.GOVERNOR,
            "setTreasury": Role.GOVERNOR,
            "setCover": Role.GOVERNOR,
        },
    ),
    Entry(
        "OperatorRegistry",
        arguments=lambda c: {
            "authority_": c[ACCESS],
            "solo": _open_terms(c.params.operators.solo),
            "cluster": _open_terms(c.params.operators.cluster),
            "memberCap_": c.params.operators.member_cap // 10**18,
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "openTerms": (
                tuple(_open_terms(c.params.operators.solo).values()),
                tuple(_open_terms(c.params.operators.cluster).values()),
            ),
            "memberCap": c.params.operators.member_cap // 10**18,
        },
        restricted={
            "add": Role.REGISTRAR,
            "setTerms": Role.REGISTRAR,
            "setActive": Role.REGISTRAR,
            "setOpenTerms": Role.GOVERNOR,
            "setMemberCap": Role.GOVERNOR,
        },
    ),
    Entry(
        "OperatorBonds",
        arguments=lambda c: {
            "config": {
                "authority": c[ACCESS],
                "token": c["StakedEther"],
                "vault": c["StakingVault"],
                "registry": c["OperatorRegistry"],
                "manager": c["ValidatorManager"],
                "delay": c.params.bonds.delay,
                "window": c.params.bonds.window,
            }
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "token": c["StakedEther"],
            "vault": c["StakingVault"],
            "registry": c["OperatorRegistry"],
            "manager": c["ValidatorManager"],
            "DELAY": c.params.bonds.delay,
            "WINDOW": c.params.bonds.window,
        },
        restricted={"cancel": Role.GUARDIAN, "setManager": Role.GOVERNOR},
    ),
    Entry(
        "BeaconProofs",
        arguments=lambda c: {"config": _proofs(c).as_mapping()},
        state=lambda c: {
            "END_SLOT": c.params.beacon.end_slot,
            "SLOTS_PER_HISTORICAL_ROOT": _proofs(c).slots_per_historical_root,
            "FIRST_SUMMARY_SLOT": c.params.beacon.capella_slot,
            **{f"layoutAt({each.first_slot})": each.as_tuple() for each in _proofs(c).layouts},
        },
    ),
    Entry(
        "ValidatorManager",
        arguments=_manager_arguments,
        state=lambda c: {
            "authority": c[ACCESS],
            "vault": c["StakingVault"],
            "queue": c["WithdrawalQueue"],
            "gateway": c[PROXY],
            "registry": c["OperatorRegistry"],
            "bonds": c["OperatorBonds"],
            "proofs": c["BeaconProofs"],
            "CREDENTIALS": _credentials(c[PROXY]),
            "GENESIS_TIME": c.resolved.genesis_time,
            "SECONDS_PER_SLOT": c.params.oracle.slot,
            "SLOTS_PER_EPOCH": PRESETS[c.params.beacon.preset].slots_per_epoch,
            "ABANDON_AFTER": c.params.validators.abandon_after,
            "OVERDUE_AFTER": c.params.validators.overdue_after,
            **{f"isKeeper({account})": True for account in c.params.validators.keepers},
        },
        restricted={
            "setKeeper": Role.GOVERNOR,
            "setProofs": Role.GOVERNOR,
        },
    ),
    Entry(
        "RebasingStakedEther",
        arguments=lambda c: {"vault_": c["StakingVault"]},
        state=lambda c: {"vault": c["StakingVault"], "token": c["StakedEther"]},
    ),
    Entry("WrappedEther", wanted=lambda params: params.external.weth is None),
    Entry(
        "AsyncRedeemVault",
        arguments=lambda c: {
            "asset_": weth(c),
            "vault_": c["StakingVault"],
            "queue_": c["WithdrawalQueue"],
        },
        state=lambda c: {
            "asset": weth(c),
            "vault": c["StakingVault"],
            "queue": c["WithdrawalQueue"],
            "share": c["StakedEther"],
        },
    ),
    Entry(
        "InstantPool",
        arguments=lambda c: {
            "authority": c[ACCESS],
            "vault_": c["StakingVault"],
            "treasury_": c["FeeSplitter"],
            "maxRateAge": c.params.pool.max_rate_age,
            "terms_": _pool_terms(c),
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "vault": c["StakingVault"],
            "token": c["StakedEther"],
            "queue": c["WithdrawalQueue"],
            "treasury": c["FeeSplitter"],
            "MAX_RATE_AGE": c.params.pool.max_rate_age,
            "terms": tuple(_pool_terms(c).values()),
        },
        value=lambda params: params.pool.seed,
        restricted={
            "setTerms": Role.GOVERNOR,
            "setTreasury": Role.GOVERNOR,
            "pause": Role.GUARDIAN,
            "resume": Role.GUARDIAN,
        },
    ),
    Entry(
        "LstBasket",
        arguments=lambda c: {
            "authority_": c[ACCESS],
            "name_": "Sluice Basket",
            "symbol_": "slBASKET",
            "lpFee_": c.params.basket.lp_fee,
            "vault": c["StakingVault"],
            "maxRateAge": c.params.basket.max_rate_age,
        },
        state=lambda c: {
            "authority": c[ACCESS],
            "name": "Sluice Basket",
            "symbol": "slBASKET",
            "VAULT": c["StakingVault"],
            "MAX_RATE_AGE": c.params.basket.max_rate_age,
            "lpFee": c.params.basket.lp_fee,
        },
        restricted={
            "addToken": Role.GOVERNOR,
            "configureToken": Role.GOVERNOR,
            "removeToken": Role.GOVERNOR,
            "releaseIncentive": Role.GOVERNOR,
            "setLpFee": Role.GOVERNOR,
            "rebalance": Role.REBALANCER,
            "cutOff": Role.GUARDIAN,
            "restore": Role.GUARDIAN,
        },
    ),
    Entry("Farm"),
    Entry(
        "RateFeed",
        arguments=lambda c: {"vault_": c["StakingVault"]},
        state=lambda c: {"vault": c["StakingVault"]},
    ),
)

DERIVED: tuple[Derived, ...] = (
    Derived(
        PROXY_ADMIN,
        parent=PROXY,
        nonce=1,
        abi=PROXY_ADMIN_ABI,
        state=lambda c: {"owner": c[ACCESS]},
        restricted={
            "upgradeAndCall": Role.UPGRADER,
            # either would take the proxy out of reach of the delay
            "transferOwnership": Role.SEALED,
            "renounceOwnership": Role.SEALED,
        },
    ),
)
