"""RewardsVault: takes every wei with any amount of gas, and gives it to a report alone."""

from __future__ import annotations

import ape
import pytest
from eth_utils import keccak

from tests.helpers import DAY, ETHER, force_with_code, give_ether, now, report_as_oracle, stake, warp_to
from tests.reverts import reverts


@pytest.fixture(scope="module")
def rewards(protocol):
    return protocol.rewards


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def donor(protocol):
    return protocol.actors.stranger


def test_rewards_vault_names_its_vault(protocol, rewards):
    assert rewards.VAULT() == protocol.vault


# --- In ---


@pytest.mark.parametrize("amount", [0, 1, ETHER, 5_000 * ETHER])
def test_rewards_come_in_by_plain_ether_and_count_for_nobody_yet(protocol, rewards, vault, donor, amount):
    before = (vault.pooled(), vault.rate(), vault.buffer(), vault.totalAssets())
    tx = donor.transfer(rewards, amount)
    assert tx.events == []
    assert rewards.balance == amount
    assert (vault.pooled(), vault.rate(), vault.buffer(), vault.totalAssets()) == before


def test_F3_rewards_come_in_with_no_more_gas_than_a_transfer(protocol, rewards, donor):
    """21,000 for the transaction and at most 2,300 for the code: as much as `transfer` of old contracts gives."""
    tx = donor.transfer(rewards, ETHER, gas=21_000 + 2_300)
    assert tx.gas_used <= 21_000 + 2_300
    assert rewards.balance == ETHER


def test_rewards_come_in_without_running_code(rewards, donor):
    force_with_code(donor, rewards, 3)
    give_ether(rewards, 4)  # as a block's fee recipient gets it
    assert rewards.balance == 7


def test_calls_that_mean_nothing_are_refused(rewards, donor):
    with reverts(b""):
        donor.transfer(rewards, 1, data=keccak(text="withdraw()")[:4])


# --- Out ---


@pytest.mark.parametrize("caller", ["stranger", "admin", "governor", "guardian", "oracle", "gateway", "queue"])
def test_J3_only_the_vault_pulls(protocol, rewards, caller):
    give_ether(rewards, ETHER)
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    for amount in (0, 1, ETHER):
        with reverts(rewards.CallerNotAllowed, caller=actor, allowed=protocol.vault):
            rewards.pull(amount, sender=actor)


@pytest.mark.parametrize("amount", [0, 1, ETHER - 1, ETHER])
def test_pull_hands_over_what_is_asked(protocol, rewards, vault, amount):
    give_ether(rewards, ETHER)
    as_vault = protocol.impersonate(vault, 10 * ETHER)
    before = vault.balance
    tx = rewards.pull(amount, sender=as_vault)
    assert tx.events == [rewards.RewardsPulled(amount=amount)]
    assert rewards.balance == ETHER - amount
    assert vault.balance == before + amount - tx.total_fees_paid


@pytest.mark.parametrize("amount", [ETHER + 1, 2**256 - 1])
def test_pull_of_more_than_is_there_reverts(protocol, rewards, vault, amount):
    give_ether(rewards, ETHER)
    as_vault = protocol.impersonate(vault)
    with reverts(rewards.RewardsTooLow, wanted=amount, available=ETHER):
        rewards.pull(amount, sender=as_vault)


@pytest.mark.parametrize("amount", [1, ETHER, 77 * ETHER])
def test_H3_gift_reaches_holders_by_reports_alone_and_over_time(protocol, rewards, vault, donor, amount):
    """What a donor gives is worth what it is to all holders together, but for the fee, and to nobody at once."""
    staker = protocol.actors.staker
    shares = stake(protocol, staker, 9 * ETHER)
    donor.transfer(rewards, amount)
    before = vault.convertToAssets(shares)
    report_as_oracle(protocol, rewards=amount)
    reported = now()
    assert vault.convertToAssets(shares) == before
    warp_to(reported + DAY)
    fee = amount // 10
    assert vault.totalAssets() == 10 * ETHER + amount
    assert vault.convertToAssets(shares) == shares * (10 * ETHER + amount) // (10 * ETHER + fee)


def test_report_takes_what_it_says_and_leaves_the_rest(protocol, rewards, vault, donor):
    """B7: more can arrive between signing and submitting; it waits for the next report."""
    donor.transfer(rewards, 5 * ETHER)
    donor.transfer(rewards, 7)
    report_as_oracle(protocol, rewards=5 * ETHER)
    assert rewards.balance == 7
    report_as_oracle(protocol, rewards=7)
    assert rewards.balance == 0
    assert vault.buffer() == vault.balance == protocol.params.vault.seed + 5 * ETHER + 7


def test_rewards_vault_has_no_other_door(rewards):
    """Its whole interface: there is no owner, no rescue, no second way out."""
    abi = ape.project.RewardsVault.contract_type.abi
    names = {entry.name for entry in abi if entry.type == "function"}
    assert names == {"VAULT", "pull"}
