"""StakingVault: what governance can set, within which bounds, and what a new vault refuses to be."""

from __future__ import annotations

import ape
import pytest

from tests.helpers import (
    DAY,
    ETHER,
    GWEI,
    ZERO,
    consensus_report,
    deposit_to_beacon,
    next_at,
    now,
    report_as_oracle,
    stake,
    warp_to,
)
from tests.reverts import reverts


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def governor(protocol):
    return protocol.actors.governor


def of_vault(protocol, tx):
    """Its events; the access manager's come before them."""
    assert [event.event_name for event in tx.events if event.contract_address == protocol.access.address] == [
        "OperationExecuted"
    ]
    return [event for event in tx.events if event.contract_address != protocol.access.address]


# --- What was set at deployment ---


def test_vault_says_what_it_was_deployed_with(protocol, vault):
    params = protocol.params.vault
    assert vault.authority() == protocol.access
    assert vault.share() == protocol.token
    assert vault.QUEUE() == protocol.queue
    assert vault.GATEWAY() == protocol.gateway
    assert vault.rewardsVault() == protocol.rewards
    assert vault.depositContract() == protocol.deposit_contract
    assert vault.oracle() == protocol.oracle
    assert vault.cover() == protocol.cover
    assert vault.bonds() == protocol.bonds
    assert (vault.feeRecipient(), vault.fee()) == (protocol.splitter, params.fee)
    assert vault.MIN_STAKE() == params.minimum_stake
    assert (vault.VESTING_PERIOD(), vault.MAX_VESTING_PERIOD()) == (params.vesting_period, 30 * DAY)
    assert (vault.MAX_PAUSE(), vault.MAX_FEE(), vault.MIN_SEED()) == (14 * DAY, 2_000, ETHER)
    assert (vault.pooled(), vault.supply(), vault.buffer(), vault.outside()) == (
        params.seed,
        params.seed,
        params.seed,
        0,
    )
    assert vault.rate() == 10**18


# --- Fee ---


@pytest.mark.parametrize("fee", [0, 1, 1_999, 2_000])
def test_set_fee_within_the_bound(protocol, vault, fee):
    recipient = protocol.actors.treasury
    tx = protocol.as_governor(vault.setFee, recipient, fee)
    assert of_vault(protocol, tx) == [
        vault.FeeChanged(oldRecipient=protocol.splitter, oldFee=1_000, recipient=recipient, fee=fee)
    ]
    assert (vault.feeRecipient(), vault.fee()) == (recipient, fee)


@pytest.mark.parametrize("fee", [2_001, 10_000, 2**16, 2**16 + 1_000, 2**256 - 1])
def test_J4_fee_above_the_bound_reverts(protocol, vault, fee):
    """L5: also where the lower sixteen bits would be within."""
    with reverts(vault.FeeAboveMaximum, fee=fee, maximum=2_000):
        protocol.as_governor(vault.setFee, protocol.splitter, fee)


def test_fee_for_nobody_or_for_the_token_reverts(protocol, vault):
    """Neither can be minted to: the next report with a gain would fail."""
    for recipient in (ZERO, protocol.token.address):
        with reverts(vault.FeeRecipientInvalid, recipient=recipient):
            protocol.as_governor(vault.setFee, recipient, 1_000)


# --- Modules ---


def test_set_oracle_hands_reports_over(protocol, vault):
    successor = protocol.actors.deployer.deploy(ape.project.ReenteringCover, protocol.token)
    tx = protocol.as_governor(vault.setOracle, successor)
    assert of_vault(protocol, tx) == [vault.OracleChanged(oldOracle=protocol.oracle, oracle=successor)]
    old = protocol.impersonate(protocol.oracle)
    with reverts(vault.CallerNotAllowed, caller=old, allowed=successor):
        vault.report(consensus_report(protocol), sender=old)
    report_as_oracle(protocol)  # as whoever the oracle is
    assert vault.referenceTime() == now()


@pytest.mark.parametrize("account", [ZERO, "stranger"])
def test_set_oracle_to_an_account_without_code_reverts(protocol, vault, account):
    address = ZERO if account == ZERO else protocol.actors.stranger.address
    with reverts(vault.NotAContract, account=address):
        protocol.as_governor(vault.setOracle, address)


@pytest.mark.parametrize("place", ["Bonds", "Cover"])
def test_set_module_and_switch_it_off(protocol, vault, place):
    old = {"Bonds": protocol.bonds, "Cover": protocol.cover}[place]
    setter, event, name = getattr(vault, f"set{place}"), getattr(vault, f"{place}Changed"), place.lower()
    module = protocol.actors.deployer.deploy(ape.project.BondStandIn, protocol.token, 0)
    tx = protocol.as_governor(setter, module)
    assert of_vault(protocol, tx) == [event(**{f"old{place}": old, name: module})]
    assert getattr(vault, name)() == module
    tx = protocol.as_governor(setter, ZERO)
    assert of_vault(protocol, tx) == [event(**{f"old{place}": module, name: ZERO})]
    assert getattr(vault, name)() == ZERO


@pytest.mark.parametrize("place", ["Bonds", "Cover"])
def test_set_module_to_an_account_without_code_reverts(protocol, vault, place):
    stranger = protocol.actors.stranger
    with reverts(vault.NotAContract, account=stranger):
        protocol.as_governor(getattr(vault, f"set{place}"), stranger)


# --- Delays: every change waits, and can be seen and stopped ---


def arguments_of(protocol):
    vault, stranger = protocol.vault, protocol.actors.stranger
    return {
        "setFee": (vault.setFee, (stranger, 2_000)),
        "setOracle": (vault.setOracle, (protocol.queue,)),
        "setBonds": (vault.setBonds, (ZERO,)),
        "setCover": (vault.setCover, (ZERO,)),
        "setStakeLimit": (vault.setStakeLimit, (ETHER, 0)),
    }


NAMES = ["setFee", "setOracle", "setBonds", "setCover", "setStakeLimit"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("caller", ["stranger", "admin", "guardian", "depositor", "registrar"])
def test_J3_only_the_governor_sets(protocol, vault, caller, name):
    function, arguments = arguments_of(protocol)[name]
    actor = getattr(protocol.actors, caller)
    with reverts(vault.AccessManagedUnauthorized, caller=actor):
        function(*arguments, sender=actor)


@pytest.mark.parametrize("name", NAMES)
def test_L6_governor_waits_to_the_second_and_anybody_can_see_it_coming(protocol, vault, governor, name):
    access = protocol.access
    function, arguments = arguments_of(protocol)[name]
    data = function.encode_input(*arguments)
    operation = access.hashOperation(governor, vault, data)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        function(*arguments, sender=governor)
    tx = access.schedule(vault, data, 0, sender=governor)
    ready = tx.timestamp + protocol.params.governance.governor.delay
    assert access.getSchedule(operation) == ready
    next_at(ready - 1)
    with reverts(access.AccessManagerNotReady, operationId=operation):
        function(*arguments, sender=governor)
    next_at(ready)
    function(*arguments, sender=governor)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):  # once
        function(*arguments, sender=governor)


def test_J3_guardian_cancels_what_is_scheduled(protocol, vault, governor):
    access, guardian = protocol.access, protocol.actors.guardian
    data = vault.setFee.encode_input(protocol.actors.stranger, 2_000)
    operation = access.hashOperation(governor, vault, data)
    access.schedule(vault, data, 0, sender=governor)
    access.cancel(governor, vault, data, sender=guardian)
    warp_to(now() + 30 * DAY)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        access.execute(vault, data, sender=governor)
    assert vault.fee() == 1_000


def test_J5_governance_moves_no_share_no_wei_and_no_rate(protocol, vault):
    """Every setter in a row, on a pool with holders and ether outside: the books stay as they are."""
    staker = protocol.actors.staker
    stake(protocol, staker, 500 * ETHER)
    deposit_to_beacon(protocol, 64 * GWEI)

    def books():
        return (
            vault.pooled(),
            vault.supply(),
            vault.buffer(),
            vault.outside(),
            vault.rate(),
            vault.balance,
            protocol.token.balanceOf(staker),
        )

    before = books()
    for function, arguments in arguments_of(protocol).values():
        protocol.as_governor(function, *arguments)
        assert books() == before


# --- A vault that is not deployed ---


@pytest.fixture(scope="module")
def config(protocol):
    """As good as any: only the token's mint would refuse it in the end."""
    params = protocol.params.vault
    return {
        "authority": protocol.access,
        "token": protocol.token,
        "queue": protocol.queue,
        "gateway": protocol.gateway,
        "rewardsVault": protocol.rewards,
        "depositContract": protocol.deposit_contract,
        "oracle": protocol.oracle,
        "bonds": ZERO,
        "cover": protocol.cover,
        "feeRecipient": protocol.splitter,
        "fee": params.fee,
        "minStake": params.minimum_stake,
        "vestingPeriod": params.vesting_period,
        "limitBurst": params.limit_burst,
        "limitGrowth": params.limit_growth_per_second,
        "depositors": [],
    }


def deploy(protocol, config, seed=ETHER):
    return protocol.actors.deployer.deploy(ape.project.StakingVault, config, value=seed)


@pytest.mark.parametrize("seed", [0, 1, ETHER - 1])
def test_A1_vault_without_a_seed_is_not_deployed(protocol, vault, config, seed):
    with reverts(vault.SeedBelowMinimum, given=seed, minimum=ETHER):
        deploy(protocol, config, seed)


@pytest.mark.parametrize(
    "change", [{"minStake": 0}, {"vestingPeriod": 0}, {"vestingPeriod": 30 * DAY + 1}, {"vestingPeriod": 2**256 - 1}]
)
def test_vault_of_no_sense_is_not_deployed(protocol, vault, config, change):
    with reverts(vault.ConfigInvalid):
        deploy(protocol, config | change)


def test_vault_beyond_the_bounds_of_the_setters_is_not_deployed(protocol, vault, config):
    with reverts(vault.FeeAboveMaximum, fee=2_001, maximum=2_000):
        deploy(protocol, config | {"fee": 2_001})
    for recipient in (ZERO, protocol.token.address):
        with reverts(vault.FeeRecipientInvalid, recipient=recipient):
            deploy(protocol, config | {"feeRecipient": recipient})
    with reverts(vault.StakeLimitOutOfBounds, burst=2**56 * GWEI, growth=GWEI):
        deploy(protocol, config | {"limitBurst": 2**56 * GWEI, "limitGrowth": GWEI})


def test_J3_second_vault_cannot_mint_the_token_of_the_first(protocol, config):
    """The token knows one vault for ever: another one fails at its seed."""
    with reverts(protocol.token.CallerNotAllowed, allowed=protocol.vault):
        deploy(protocol, config | {"vestingPeriod": 30 * DAY})
