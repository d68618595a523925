"""CoverFund: slETH that stands in for holders. How a report uses it is in test_vault_report_loss.py."""

from __future__ import annotations

import ape
import pytest

from tests.helpers import ETHER, GWEI, ZERO, deposit_to_beacon, report_as_oracle, stake
from tests.reverts import reverts

HELD = 10 * ETHER


@pytest.fixture(scope="module")
def cover(protocol):
    return protocol.cover


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def funded(protocol, cover, token):
    """The fund holds 10 slETH: anybody adds to it by a transfer."""
    staker = protocol.actors.staker
    stake(protocol, staker, 100 * ETHER)
    deposit_to_beacon(protocol, 64 * GWEI)
    token.transfer(cover, HELD, sender=staker)
    return staker


@pytest.fixture
def as_vault(protocol, funded):
    return protocol.impersonate(protocol.vault, 100 * ETHER)


def moved(token, sender, receiver, shares):
    return token.Transfer(**{"from": sender, "to": receiver, "value": shares})


def test_fund_says_what_it_is(protocol, cover, token):
    assert cover.token() == token
    assert cover.VAULT() == protocol.vault
    assert cover.authority() == protocol.access


@pytest.mark.parametrize("wanted", [0, 1, HELD - 1, HELD, HELD + 1, 2**256 - 1])
def test_cover_gives_what_is_asked_as_far_as_it_is_there(protocol, cover, token, as_vault, wanted):
    given = min(wanted, HELD)
    tx = cover.cover(wanted, sender=as_vault)
    assert tx.events == [cover.Covered(wanted=wanted, given=given), moved(token, cover, protocol.vault, given)]
    assert token.balanceOf(cover) == HELD - given
    assert token.balanceOf(protocol.vault) == given


def test_cover_of_an_empty_fund_gives_nothing(protocol, cover, token, as_vault):
    cover.cover(HELD, sender=as_vault)
    tx = cover.cover(5, sender=as_vault)
    assert tx.events == [cover.Covered(wanted=5, given=0), moved(token, cover, protocol.vault, 0)]


@pytest.mark.parametrize(
    "caller", ["stranger", "staker", "admin", "governor", "guardian", "oracle", "queue", "splitter"]
)
def test_J3_only_the_vault_asks_for_cover(protocol, cover, funded, caller):
    actor = getattr(protocol.actors, caller, None) or protocol.impersonate(getattr(protocol, caller))
    with reverts(cover.CallerNotAllowed, caller=actor, allowed=protocol.vault):
        cover.cover(1, sender=actor)


@pytest.mark.parametrize("caller", ["stranger", "staker", "admin", "guardian", "depositor", "registrar"])
def test_J3_only_the_governor_migrates(protocol, cover, funded, caller):
    actor = getattr(protocol.actors, caller)
    with reverts(cover.AccessManagedUnauthorized, caller=actor):
        cover.migrate(actor, sender=actor)


def test_L6_migration_waits_for_the_delay(protocol, cover, token, funded):
    governor, access = protocol.actors.governor, protocol.access
    data = cover.migrate.encode_input(governor)
    operation = access.hashOperation(governor, cover, data)
    with reverts(access.AccessManagerNotScheduled, operationId=operation):
        cover.migrate(governor, sender=governor)
    assert token.balanceOf(cover) == HELD


def test_migrate_moves_the_whole_fund_to_its_successor_which_covers_then(protocol, cover, token, funded):
    vault = protocol.vault
    successor = funded.deploy(ape.project.CoverFund, protocol.access, token, vault)
    tx = protocol.as_governor(cover.migrate, successor)
    assert tx.events[1:] == [cover.Migrated(to=successor, shares=HELD), moved(token, cover, successor, HELD)]
    assert (token.balanceOf(cover), token.balanceOf(successor)) == (0, HELD)
    protocol.as_governor(vault.setCover, successor)
    report_as_oracle(protocol, gain=-ETHER)
    assert token.balanceOf(successor) == HELD - ETHER  # at a rate of 1
    assert vault.rate() == 10**18


def test_migrate_of_an_empty_fund_moves_nothing(protocol, cover, token, funded):
    successor = funded.deploy(ape.project.CoverFund, protocol.access, token, protocol.vault)
    protocol.as_governor(cover.migrate, successor)
    tx = protocol.as_governor(cover.migrate, successor)
    assert tx.events[1:] == [cover.Migrated(to=successor, shares=0), moved(token, cover, successor, 0)]


def test_migrate_to_nobody_or_to_the_token_reverts(protocol, cover, token, funded):
    for receiver in (ZERO, token.address):
        with reverts(token.ERC20InvalidReceiver, receiver=receiver):
            protocol.as_governor(cover.migrate, receiver)
    assert token.balanceOf(cover) == HELD


def test_fund_earns_and_is_diluted_like_any_holder(protocol, cover, token, funded):
    """Its shares stay what they are; their worth follows the rate."""
    vault = protocol.vault
    report_as_oracle(protocol, gain=10 * ETHER)
    ape.chain.mine(deltatime=30 * 86_400)
    assert token.balanceOf(cover) == HELD
    assert vault.convertToAssets(HELD) == HELD * vault.totalAssets() // vault.supply() > HELD


def test_fund_takes_no_ether(cover, funded):
    with reverts(b""):
        funded.transfer(cover, 1)
