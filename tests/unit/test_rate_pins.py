"""Rate providers on a node: other code than that of the deployment, and implementations that are proven from blocks."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ape import chain, networks

from tests.lst import (
    ERC1967_SLOT,
    Foreign,
    Health,
    Lst,
    assert_healthy,
    assert_sick,
    pin,
    record_now,
)
from tests.proving import proof_of
from tests.reverts import reverts
from tests.small_core import DAY, ZERO, NodeClock

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
RATE = 1_172_345_678_901_234_567
BOUND = 2**76 - 1


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[6]


@pytest.fixture(scope="module")
def manager(project, governance):
    return governance.deploy(project.ProtocolAccessManager, governance)


@pytest.fixture(scope="module")
def foreign(project, governance, manager):
    return Foreign(project, governance, manager, NodeClock())


@pytest.fixture(scope="module")
def tokens(foreign):
    return {
        "wstETH": foreign.wsteth(RATE),
        "rETH": foreign.reth(RATE),
        "cbETH": foreign.cbeth(RATE),
        "mETH": foreign.meth(RATE, lambda: int(chain.blocks.head.number)),
    }


@pytest.fixture(scope="module")
def cbeth(tokens):
    return tokens["cbETH"]


def set_code(target: Any, code: str) -> None:
    networks.provider.make_request("anvil_setCode", [str(target.address), code])


def test_the_age_of_a_report_of_meth_is_told_in_blocks(project, governance, manager, tokens):
    meth = tokens["mETH"]
    meth.report()  # of the block before it
    assert chain.blocks.head.timestamp - meth.provider.newestReport() == 12
    networks.provider.make_request("anvil_mine", [hex(99), hex(1)])
    assert chain.blocks.head.timestamp - meth.provider.newestReport() == 1200
    record_now(meth, governance)  # in one block more
    assert chain.blocks.head.timestamp - meth.provider.record()[3] == 1212


# --- Code ---


def test_D11_other_code_of_the_token_makes_it_sick_and_poked_for_good(cbeth, stranger, governance):
    code = networks.provider.get_code(cbeth.token.address)
    set_code(cbeth.token, "0x" + code.hex().removeprefix("0x") + "00")
    assert_sick(cbeth, Health.CODE_CHANGED)
    with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.CODE_CHANGED):
        cbeth.provider.accept(0, BOUND, sender=governance)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.events == [cbeth.provider.ProviderSwitchedOff(reason=Health.CODE_CHANGED, implementation=ZERO)]
    set_code(cbeth.token, "0x" + code.hex().removeprefix("0x"))
    assert_sick(cbeth, Health.SWITCHED_OFF)
    for call in (lambda: cbeth.provider.poke(sender=stranger), lambda: record_now(cbeth, governance)):
        with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.SWITCHED_OFF):
            call()


def test_a_source_beside_the_token_is_pinned_as_the_token_is(tokens):
    lst = tokens["mETH"]
    set_code(lst.token, "0x00")
    assert_sick(lst, Health.CODE_CHANGED)


def test_a_source_that_reverts_makes_it_sick(tokens, governance):
    lst = tokens["rETH"]
    lst.balances.setBalances(chain.blocks.head.timestamp, 1, 0, sender=governance)  # a division by zero
    assert lst.provider.health() == Health.SOURCE_FAILED
    assert lst.provider.healthy() is False
    with reverts(lst.provider.Unhealthy, token=lst.token, reason=Health.SOURCE_FAILED):
        lst.provider.requireHealthy()
    with reverts(0x12):
        lst.provider.rates()


@pytest.mark.parametrize("name", ["wstETH", "rETH"])
def test_D11_another_implementation_that_the_proxy_tells_makes_it_sick(project, tokens, governance, name, stranger):
    """stETH upgraded behind Aragon's own proxy, through the kernel; rETH's balances replaced in RocketStorage."""
    lst = tokens[name]
    if name == "wstETH":
        other = governance.deploy(project.StEthStandIn)
        lst.dao.set_code(other)
    else:
        from tests.lst import ROCKET_KEY

        other = governance.deploy(project.RocketBalancesStandIn, lst.store)
        lst.store.setAddress(ROCKET_KEY, other, sender=governance)
    assert_sick(lst, Health.IMPLEMENTATION_CHANGED)
    tx = lst.provider.poke(sender=stranger)
    assert tx.events == [lst.provider.ProviderSwitchedOff(reason=Health.IMPLEMENTATION_CHANGED, implementation=other)]
    assert_sick(lst, Health.SWITCHED_OFF)


def test_other_code_of_the_implementation_makes_it_sick(project, tokens):
    lst = tokens["wstETH"]
    implementation = project.StEthStandIn.at(lst.provider.implementation())
    set_code(implementation, "0x60005260206000f3")
    assert_sick(lst, Health.CODE_CHANGED)


def test_a_probe_that_does_not_answer_names_no_implementation(tokens, governance):
    lst = tokens["rETH"]
    set_code(lst.store, "0xfe")
    assert_sick(lst, Health.IMPLEMENTATION_CHANGED)


def test_nobody_switches_it_off_by_leaving_too_little_gas_for_the_probe(tokens, stranger):
    lst = tokens["wstETH"]
    for gas in range(24_000, 90_000, 1_500 if DEEP else 6_000):
        with reverts():  # out of gas, or nothing new
            lst.provider.poke(sender=stranger, gas=gas)
    assert_healthy(lst, RATE)


# --- Implementations that are proven ---


# ERC-1967 is what the last test of these proves, too
@pytest.fixture(params=["ERC-1967", "zeppelinos"] if DEEP else ["zeppelinos"])
def proxied(project, foreign, governance, request):
    """A token whose proxy tells nobody what is behind it."""
    if request.param == "zeppelinos":
        return foreign.fiat_token(RATE, 2 * DAY)
    logic = governance.deploy(project.ExchangeRateStandIn)
    proxy = governance.deploy(project.OwnProxyStandIn, logic)  # OpenZeppelin's
    token = project.ExchangeRateStandIn.at(proxy.address)
    token.updateExchangeRate(RATE, sender=governance)
    provider = foreign.provider("ExchangeRateProvider", pin(logic, bytes(32), 2 * DAY), token)
    lst = Lst(token, provider, lambda r: token.updateExchangeRate(r, sender=governance), None, exact=True)
    lst.logic, lst.proxy, lst.slot = logic, proxy, ERC1967_SLOT  # type: ignore[attr-defined]
    return lst


def upgrade(lst: Any, to: Any, governance: Any) -> None:
    if lst.slot == ERC1967_SLOT:
        lst.token.upgradeToAndCall(to, b"", sender=governance)
    else:
        lst.proxy.setImplementation(to, sender=governance)


def test_an_implementation_that_must_be_proven_is_of_no_use_before(proxied, stranger):
    assert_sick(proxied, Health.PROOF_TOO_OLD)
    *proof, time = proof_of(proxied)
    tx = proxied.provider.proveImplementation(*proof, sender=stranger)
    assert tx.events == [proxied.provider.ImplementationProven(timestamp=time)]
    assert proxied.provider.provenAt() == time
    assert_healthy(proxied, RATE)


def test_a_proof_grows_old_and_anyone_renews_it(proxied, stranger):
    *proof, time = proof_of(proxied)
    proxied.provider.proveImplementation(*proof, sender=stranger)
    chain.mine(timestamp=time + 2 * DAY)
    assert_healthy(proxied, RATE)
    chain.mine(timestamp=time + 2 * DAY + 1)
    assert_sick(proxied, Health.PROOF_TOO_OLD)
    with reverts(proxied.provider.ProofOutOfOrder, timestamp=time, bound=time):
        proxied.provider.proveImplementation(*proof, sender=stranger)
    *proof, _ = proof_of(proxied)
    proxied.provider.proveImplementation(*proof, sender=stranger)
    assert_healthy(proxied, RATE)


def test_D11_whoever_proves_another_implementation_switches_it_off_for_good(project, proxied, governance, stranger):
    *proof, _ = proof_of(proxied)
    proxied.provider.proveImplementation(*proof, sender=stranger)
    other = governance.deploy(project.ExchangeRateStandIn)
    upgrade(proxied, other, governance)
    *proof, _ = proof_of(proxied)
    upgrade(proxied, proxied.logic, governance)  # as if nothing had been
    tx = proxied.provider.proveImplementation(*proof, sender=stranger)
    assert tx.events == [
        proxied.provider.ProviderSwitchedOff(reason=Health.IMPLEMENTATION_CHANGED, implementation=other)
    ]
    *proof, _ = proof_of(proxied)
    proxied.provider.proveImplementation(*proof, sender=stranger)
    assert_sick(proxied, Health.SWITCHED_OFF)


def test_a_proof_of_a_block_before_the_provider_says_nothing(project, foreign, governance, proxied, stranger):
    """Else the implementation before the one that was looked at would switch it off."""
    other = governance.deploy(project.ExchangeRateStandIn)
    old = proof_of(proxied)
    upgrade(proxied, other, governance)
    provider = foreign.provider("ExchangeRateProvider", pin(other, proxied.slot, 2 * DAY), proxied.token)
    born = chain.blocks.head.timestamp
    *proof, time = old
    with reverts(provider.ProofOutOfOrder, timestamp=time, bound=born):
        provider.proveImplementation(*proof, sender=stranger)


def test_a_proof_of_a_block_beyond_the_256_is_found_in_the_history(proxied, stranger):
    """EIP-2935."""
    *proof, _ = proof_of(proxied)
    networks.provider.make_request("anvil_mine", [hex(300), hex(1)])
    proxied.provider.proveImplementation(*proof, sender=stranger)
    assert_healthy(proxied, RATE)


def test_a_header_that_is_no_block_is_refused(proxied, stranger):
    header, account, storage, _ = proof_of(proxied)
    number = chain.blocks.head.number - 1
    forged = bytearray(header)
    forged[-1] ^= 1
    with reverts(proxied.provider.HeaderUnknown, number=number):
        proxied.provider.proveImplementation(bytes(forged), account, storage, sender=stranger)


@pytest.mark.parametrize("part", [1, 2])
def test_a_proof_that_is_not_of_the_block_is_refused(proxied, stranger, part):
    proof = list(proof_of(proxied)[:3])
    node = bytearray(proof[part][-1])
    node[-1] ^= 1
    proof[part] = [*proof[part][:-1], bytes(node)]
    with reverts(proxied.provider.TrieProofTraversalError):
        proxied.provider.proveImplementation(*proof, sender=stranger)


def test_a_proof_of_another_account_is_refused(cbeth, proxied, stranger):
    header, account, _, _ = proof_of(proxied)
    other = networks.provider.make_request("eth_getProof", [cbeth.token.address, [], "latest"])
    foreign_account = [bytes.fromhex(each.removeprefix("0x")) for each in other["accountProof"]]
    with reverts(proxied.provider.TrieProofTraversalError):
        proxied.provider.proveImplementation(header, foreign_account, account, sender=stranger)


def test_providers_that_prove_nothing_take_no_proof(cbeth, tokens, stranger):
    for provider in (cbeth.provider, tokens["wstETH"].provider):
        with reverts(provider.ProofNotUsed):
            provider.proveImplementation(b"\xc0", [], [], sender=stranger)


def test_without_an_age_a_proof_is_not_asked_for_and_still_switches_off(project, foreign, governance, stranger):
    logic, other = (governance.deploy(project.ExchangeRateStandIn) for _ in range(2))
    token = project.ExchangeRateStandIn.at(governance.deploy(project.OwnProxyStandIn, logic).address)
    token.updateExchangeRate(RATE, sender=governance)
    provider = foreign.provider("ExchangeRateProvider", pin(logic), token)
    lst = Lst(token, provider, lambda _: None, lambda: None, exact=True)
    lst.slot = ERC1967_SLOT  # type: ignore[attr-defined]
    assert_healthy(lst, RATE)
    token.upgradeToAndCall(other, b"", sender=governance)
    assert_healthy(lst, RATE)  # nobody has told yet
    *proof, _ = proof_of(lst)
    provider.proveImplementation(*proof, sender=stranger)
    assert_sick(lst, Health.SWITCHED_OFF)
