"""Rate providers: what each token's own protocol says, and everything that makes it unreliable."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ape import chain, networks
from eth_utils import keccak

from tests.in_process import Process
from tests.lst import ERC1967_SLOT, LIMITS, ZOS_SLOT, Foreign, Health, Lst, header_of, pin
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, ZERO, NodeClock, SmallCore

RATE = 1_172_345_678_901_234_567
BPS = 10_000
BOUND = 2**96 - 1


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


def ceil(a: int, b: int) -> int:
    return -(-a // b)


def set_code(target: Any, code: str) -> None:
    networks.provider.make_request("anvil_setCode", [str(target.address), code])


def assert_sick(lst: Lst, reason: Health) -> None:
    """By every way to ask."""
    provider = lst.provider
    assert provider.health() == reason
    assert provider.healthy() is False
    unhealthy = {"token": lst.token, "reason": reason}
    with reverts(provider.Unhealthy, **unhealthy):
        provider.requireHealthy()
    for ask in (lambda: provider.toEther(ETHER), lambda: provider.toTokens(ETHER), provider.rates):
        with reverts(provider.Unhealthy, **unhealthy):
            ask()


def record_now(lst: Lst, governance: Any) -> int:
    """The node's clock does not go back between tests, so the record of the fixture may be old. Returns its time."""
    lst.provider.accept(0, 2**256 - 1, sender=governance)
    return int(lst.provider.record()[2])


def assert_healthy(lst: Lst, rate: int) -> None:
    assert lst.provider.health() == Health.HEALTHY
    assert lst.provider.healthy() is True
    lst.provider.requireHealthy()
    assert lst.provider.rates() == lst.rates(rate)


# --- What they say ---


@pytest.mark.parametrize("name", ["wstETH", "rETH", "cbETH", "mETH"])
def test_rates_are_those_of_the_token(tokens, name):
    lst = tokens[name]
    assert_healthy(lst, RATE)
    assert lst.provider.token() == lst.token
    assert lst.provider.record()[:2] == lst.rates(RATE)
    assert lst.provider.limits() == (20, 5, 3 * DAY)
    later = RATE + RATE // 1000
    lst.set_rate(later)
    assert_healthy(lst, later)


@pytest.mark.parametrize("amount", [0, 1, 10**9 + 1, ETHER, 10**27, 2**128])
def test_low_is_rounded_down_and_high_up(tokens, amount):
    for lst in tokens.values():
        low, high = lst.rates(RATE)
        assert lst.provider.toEther(amount) == (amount * low // ETHER, ceil(amount * high, ETHER))
        assert lst.provider.toTokens(amount) == (amount * ETHER // high, ceil(amount * ETHER, low))


def test_no_way_there_and_back_gains(tokens):
    for lst in tokens.values():
        for amount in (1, 3, 10**9 + 7, 123_456_789 * ETHER + 1):
            low, _ = lst.provider.toEther(amount)
            assert lst.provider.toTokens(low)[0] <= amount
            _, high = lst.provider.toEther(amount)
            assert lst.provider.toTokens(high)[1] >= amount


@pytest.mark.parametrize("name", ["wstETH", "rETH"])
def test_a_report_that_is_too_old_makes_it_stale_until_the_next(tokens, name, stranger):
    lst = tokens[name]
    lst.report()
    assert 0 <= chain.blocks.head.timestamp - lst.provider.reportedAt() <= 24
    chain.mine(timestamp=lst.provider.reportedAt() + 3 * DAY)
    assert_healthy(lst, RATE)
    chain.mine(deltatime=12)
    assert_sick(lst, Health.STALE)
    with reverts(lst.provider.Unhealthy, token=lst.token, reason=Health.STALE):  # not for anybody to write down
        lst.provider.poke(sender=stranger)
    lst.report()
    assert_healthy(lst, RATE)


def test_the_age_of_a_report_of_meth_is_told_in_blocks(project, governance, manager, tokens):
    meth = tokens["mETH"]
    limits = {**LIMITS, "maxAge": 1200}
    provider = governance.deploy(
        project.MEthRateProvider, manager, limits, pin(), meth.token, meth.provider.source(), meth.oracle
    )
    lst = replace(meth, provider=provider)
    lst.report()  # of the block before it
    assert chain.blocks.head.timestamp - lst.provider.reportedAt() == 12
    networks.provider.make_request("anvil_mine", [hex(99), hex(1)])
    assert_healthy(lst, RATE)
    networks.provider.make_request("anvil_mine", [hex(1), hex(1)])
    assert_sick(lst, Health.STALE)
    lst.report()
    assert_healthy(lst, RATE)


def test_a_report_from_the_future_is_none(tokens, governance):
    lst = tokens["rETH"]
    lst.balances.setBalances(chain.blocks.head.timestamp + DAY, RATE * 1000, ETHER * 1000, sender=governance)
    assert_sick(lst, Health.STALE)


def test_without_a_report_the_last_change_that_was_recorded_counts(cbeth, stranger):
    chain.mine(deltatime=3 * DAY + 1)
    assert cbeth.provider.reportedAt() == 0
    assert_sick(cbeth, Health.STALE)
    # nothing new: the oracle may be dead, and nobody refreshes it by saying the same again
    assert cbeth.provider.poke(sender=stranger).return_value == Health.STALE
    assert_sick(cbeth, Health.STALE)
    later = RATE + RATE // 5000
    cbeth.set_rate(later)
    assert_sick(cbeth, Health.STALE)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.events == [cbeth.provider.RateRecorded(low=later, high=later)]
    assert_healthy(cbeth, later)


# --- slETH ---


@pytest.fixture(scope="module")
def core(project, governance, accounts):
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(accounts[2], 40 * ETHER)
    core.tip(accounts[9], 12 * ETHER + 7)
    core.touch()
    return core


@pytest.fixture(scope="module")
def sleth(foreign, core):
    return Lst(core.token, foreign.sleth(core), lambda _: None, core.touch)


def test_sleth_is_worth_the_core_rate(sleth, core):
    rate = ETHER * core.total // core.supply
    assert_healthy(sleth, rate)
    assert sleth.provider.source() == core.vault
    assert sleth.provider.reportedAt() == core.vault.referenceTime()


def test_D11_sleth_is_sick_while_a_slashing_is_proven_and_not_counted(sleth, core, governance):
    core.vault.setDepositor(governance, True, sender=governance)
    core.vault.noteSlashing(sender=governance)
    assert_sick(sleth, Health.SLASHING_PENDING)
    with reverts(sleth.provider.Unhealthy, token=sleth.token, reason=Health.SLASHING_PENDING):
        sleth.provider.poke(sender=governance)
    core.touch()
    assert sleth.provider.health() == Health.HEALTHY


def test_D11_sleth_is_sick_without_reports(sleth, core):
    until = core.vault.referenceTime() + 3 * DAY
    chain.mine(timestamp=until)
    assert sleth.provider.health() == Health.HEALTHY
    chain.mine(timestamp=until + 1)
    assert_sick(sleth, Health.STALE)


def test_sleth_that_lost_is_sick_until_governance_accepts(sleth, core, governance):
    core.earn(ETHER // 100)
    sleth.provider.accept(0, BOUND, sender=governance)
    core.lose(ETHER // 100)
    assert sleth.provider.health() == Health.HEALTHY  # below 5 bps
    core.earn(ETHER // 10)
    sleth.provider.accept(0, BOUND, sender=governance)
    core.lose(ETHER // 10)
    assert_sick(sleth, Health.FELL)
    low, high = core.vault.convertToAssets(ETHER), core.vault.convertToAssets(ETHER) + 1
    sleth.provider.accept(low, high, sender=governance)
    assert_healthy(sleth, low)


# --- ERC-4626, ERC-7575 ---


@pytest.fixture(scope="module")
def asset(foreign, governance):
    asset = foreign.deploy("LstStandIn")
    asset.mint(governance, 1000 * ETHER, sender=governance)
    return asset


def vault_over(foreign, asset, governance, asynchronous: bool) -> Any:
    vault = foreign.deploy("FeeVaultStandIn", asset, asynchronous)
    asset.approve(vault, 100 * ETHER, sender=governance)
    vault.deposit(90 * ETHER, governance, sender=governance)
    asset.transfer(vault, 9 * ETHER + 1, sender=governance)
    return vault


def test_erc4626_low_is_after_the_exit_fee(foreign, asset, governance):
    vault = vault_over(foreign, asset, governance, False)
    vault.setExitFee(3, sender=governance)
    provider = foreign.provider("Erc4626RateProvider", pin(), vault)
    assert provider.token() == vault
    whole = ETHER * (99 * ETHER + 2) // (90 * ETHER + 1)
    assert provider.rates() == (whole * (BPS - 3) // BPS, whole + 1)


def test_erc4626_without_previews_has_no_fee_to_tell(foreign, asset, governance):
    vault = vault_over(foreign, asset, governance, True)
    provider = foreign.provider("Erc4626RateProvider", pin(), vault)
    whole = ETHER * (99 * ETHER + 2) // (90 * ETHER + 1)
    assert provider.rates() == (whole, whole + 1)


def test_erc4626_that_raises_its_exit_fee_to_drain_the_basket_is_sick(foreign, asset, governance):
    """mechanisms.md 3.3, 4: "withdrawal-fee manipulation by an LST (set fee 99 %, drain) is stopped by the max-move
    guard"."""
    vault = vault_over(foreign, asset, governance, False)
    lst = Lst(vault, foreign.provider("Erc4626RateProvider", pin(), vault), lambda _: None, lambda: None)
    assert lst.provider.health() == Health.HEALTHY
    vault.setExitFee(9_900, sender=governance)
    assert_sick(lst, Health.FELL)


def test_erc7575_reads_the_vault_of_another_share(foreign, governance):
    share = foreign.deploy("LstStandIn")
    vault = foreign.deploy("OutsideShareVaultStandIn", share)
    vault.setRate(RATE, sender=governance)
    provider = foreign.provider("Erc4626RateProvider", pin(), vault)
    assert (provider.token(), provider.source()) == (share, vault)
    assert provider.rates() == (RATE, RATE + 1)


# --- STONE ---


@pytest.fixture
def stone(foreign, governance):
    token = foreign.deploy("LstStandIn")
    vault = foreign.deploy("StoneVaultStandIn", token)
    vault.setPrice(RATE, sender=governance)
    vault.rollToNextRound(sender=governance)
    lst = Lst(token, foreign.provider("StoneRateProvider", vault), lambda r: vault.setPrice(r, sender=governance), None)
    lst.vault = vault  # type: ignore[attr-defined]
    return lst


def test_stone_is_between_the_price_of_the_round_and_that_of_now(stone, governance):
    assert stone.provider.rates() == (RATE, RATE + 1)
    more = RATE + 10**14
    stone.set_rate(more)
    assert stone.provider.rates() == (RATE, more + 1)
    less = RATE - 10**14
    stone.set_rate(less)
    assert stone.provider.rates() == (less, RATE + 1)
    stone.vault.setWithdrawFeeRate(100, sender=governance)  # 1 bp
    assert stone.provider.rates() == (less - ceil(less * 100, 10**6), RATE + 1)


def test_stone_tells_when_its_round_was_settled(stone, governance):
    assert stone.provider.reportedAt() == stone.vault.settlementTime(0)
    chain.mine(deltatime=3 * DAY + 1)
    assert_sick(stone, Health.STALE)
    stone.vault.rollToNextRound(sender=governance)
    assert stone.provider.health() == Health.HEALTHY


def test_stone_before_its_first_round(foreign, governance):
    token = foreign.deploy("LstStandIn")
    vault = foreign.deploy("StoneVaultStandIn", token)
    provider = foreign.provider("StoneRateProvider", vault)
    assert provider.rates() == (ETHER, ETHER + 1)
    assert provider.reportedAt() == 0


def test_stone_with_a_strategy_that_writes_while_it_answers_is_sick(stone, governance):
    stone.vault.setWriting(True, sender=governance)
    assert stone.provider.health() == Health.SOURCE_FAILED
    with reverts(stone.provider.Unhealthy, token=stone.token, reason=Health.SOURCE_FAILED):
        stone.provider.requireHealthy()
    with reverts():  # a write in a static call has no data
        stone.provider.rates()


# --- Moves ---


def test_a_fall_within_the_bound_is_let_through_and_one_wei_more_is_not(cbeth, governance):
    record_now(cbeth, governance)
    least = ceil(RATE * (BPS - 5), BPS)
    cbeth.set_rate(least)
    assert_healthy(cbeth, least)
    cbeth.set_rate(least - 1)
    assert_sick(cbeth, Health.FELL)


@pytest.mark.parametrize(("passed", "days"), [(0, 1), (DAY - 30, 1), (DAY, 2), (3 * DAY - 30, 3)])
def test_a_rise_within_the_bound_is_let_through_and_one_wei_more_is_not(cbeth, governance, passed, days):
    recorded = record_now(cbeth, governance)
    if passed:
        chain.mine(timestamp=recorded + passed)
    most = RATE * (BPS + 20 * days) // BPS
    cbeth.set_rate(most)
    assert_healthy(cbeth, most)
    cbeth.set_rate(most + 1)
    assert_sick(cbeth, Health.ROSE)


def test_however_long_nobody_records_a_week_of_rise_is_the_most(tokens):
    lst = tokens["rETH"]
    chain.mine(deltatime=90 * DAY)
    most = RATE * (BPS + 20 * 7) // BPS
    lst.set_rate(most - 1)
    lst.report()
    assert_healthy(lst, most - 1)
    lst.set_rate(most + 1)
    lst.report()
    assert_sick(lst, Health.ROSE)


def test_D11_the_widest_bounds_still_refuse_a_tenth_and_the_narrowest_a_wei(project):
    """mechanisms.md 3.3, 2: "A 10 % upward or any downward jump", whatever governance chose and however long nobody
    recorded."""
    process = Process()
    governance = process.account(0)
    manager = governance.deploy(project.ProtocolAccessManager, governance)
    limits = {"maxRise": 100, "maxFall": 0, "maxAge": 30 * DAY}
    lst = Foreign(project, governance, manager, process, limits).cbeth(RATE)
    lst.set_rate(RATE - 1)
    assert lst.provider.health() == Health.FELL
    process.pass_time(30 * DAY)
    lst.set_rate(RATE * 107 // 100)
    assert lst.provider.health() == Health.HEALTHY
    lst.set_rate(RATE * 110 // 100)
    assert lst.provider.health() == Health.ROSE


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(11_000, Health.ROSE), (9_000, Health.FELL), (100, Health.FELL), (10**6, Health.ROSE)],
)
def test_D11_a_jump_makes_it_sick_and_whoever_pokes_halts_it(cbeth, stranger, governance, factor, reason):
    """mechanisms.md 3.3, 2."""
    jumped = RATE * factor // BPS
    cbeth.set_rate(jumped)
    assert_sick(cbeth, reason)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.return_value == reason
    assert tx.events == [
        cbeth.provider.MoveSeen(reason=reason, low=jumped, high=jumped, recordedLow=RATE, recordedHigh=RATE)
    ]
    cbeth.set_rate(RATE)  # back again, and nothing was wrong?
    assert_sick(cbeth, Health.HALTED)
    with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.HALTED):
        cbeth.provider.poke(sender=stranger)
    cbeth.set_rate(jumped)
    tx = cbeth.provider.accept(jumped, jumped, sender=governance)
    assert tx.events == [
        cbeth.provider.RateAccepted(low=jumped, high=jumped),
        cbeth.provider.RateRecorded(low=jumped, high=jumped),
    ]
    assert_healthy(cbeth, jumped)


def test_D11_a_jump_that_waits_long_enough_does_not_become_a_rise(cbeth, stranger):
    cbeth.set_rate(RATE * 11 // 10)
    for _ in range(10):
        chain.mine(deltatime=DAY)
        assert cbeth.provider.health() == Health.ROSE
    cbeth.provider.poke(sender=stranger)
    assert_sick(cbeth, Health.HALTED)


@pytest.mark.parametrize("rate", [0, 2**96, 2**255])
def test_D11_what_is_no_rate_is_none(cbeth, governance, rate):
    cbeth.set_rate(rate)
    assert_sick(cbeth, Health.RATE_INVALID)
    for call in (lambda: cbeth.provider.poke(sender=governance), lambda: accept_all(cbeth, governance)):
        with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.RATE_INVALID):
            call()


def accept_all(lst: Lst, governance: Any) -> None:
    lst.provider.accept(0, 2**256 - 1, sender=governance)


def test_poke_records_once_in_a_window(cbeth, governance, stranger):
    recorded = record_now(cbeth, governance)
    cbeth.set_rate(RATE + 1)
    with reverts(cbeth.provider.PokedTooEarly, next=recorded + DAY):
        cbeth.provider.poke(sender=stranger)
    chain.mine(timestamp=recorded + DAY - 2)
    with reverts(cbeth.provider.PokedTooEarly, next=recorded + DAY):
        cbeth.provider.poke(sender=stranger)
    chain.mine(timestamp=recorded + DAY)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.return_value == Health.HEALTHY
    assert cbeth.provider.record() == (RATE + 1, RATE + 1, tx.timestamp)


def test_accept_looks_at_what_it_accepts(cbeth, governance):
    with reverts(cbeth.provider.RatesNotAccepted, low=RATE, high=RATE, minLow=RATE + 1, maxHigh=BOUND):
        cbeth.provider.accept(RATE + 1, BOUND, sender=governance)
    with reverts(cbeth.provider.RatesNotAccepted, low=RATE, high=RATE, minLow=0, maxHigh=RATE - 1):
        cbeth.provider.accept(0, RATE - 1, sender=governance)


def test_accept_is_governances(cbeth, stranger):
    with reverts(cbeth.provider.AccessManagedUnauthorized, caller=stranger):
        cbeth.provider.accept(0, BOUND, sender=stranger)


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
    for call in (lambda: cbeth.provider.poke(sender=stranger), lambda: accept_all(cbeth, governance)):
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
    """stETH upgraded behind Aragon's proxy; rETH's balances replaced in RocketStorage."""
    lst = tokens[name]
    if name == "wstETH":
        other = governance.deploy(project.StEthStandIn)
        lst.proxy.setImplementation(other, sender=governance)
    else:
        from tests.lst import ROCKET_KEY

        other = governance.deploy(project.RocketBalancesStandIn)
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
    for gas in range(24_000, 90_000, 1_500):
        with reverts():  # out of gas, or poked too early
            lst.provider.poke(sender=stranger, gas=gas)
    assert_healthy(lst, RATE)


# --- Implementations that are proven ---

SLOTS = {"ERC-1967": ERC1967_SLOT, "zeppelinos": ZOS_SLOT}


@pytest.fixture(params=["ERC-1967", "zeppelinos"])
def proxied(project, foreign, governance, request):
    """A token whose proxy tells nobody what is behind it."""
    logic = governance.deploy(project.ExchangeRateStandIn)
    if request.param == "ERC-1967":
        proxy = governance.deploy(project.OwnProxyStandIn, logic)  # OpenZeppelin's
    else:
        proxy = governance.deploy(project.SlotProxyStandIn, ZOS_SLOT, logic)
    token = project.ExchangeRateStandIn.at(proxy.address)
    token.updateExchangeRate(RATE, sender=governance)
    slot = bytes(32) if request.param == "ERC-1967" else ZOS_SLOT
    provider = foreign.provider("ExchangeRateProvider", pin(logic, slot, 2 * DAY), token)
    lst = Lst(token, provider, lambda r: token.updateExchangeRate(r, sender=governance), None, exact=True)
    lst.logic, lst.proxy, lst.slot = logic, proxy, SLOTS[request.param]  # type: ignore[attr-defined]
    return lst


def upgrade(lst: Any, to: Any, governance: Any) -> None:
    if lst.slot == ERC1967_SLOT:
        lst.token.upgradeToAndCall(to, b"", sender=governance)
    else:
        lst.proxy.setImplementation(to, sender=governance)


def proof_of(lst: Any) -> tuple[bytes, list[bytes], list[bytes], int]:
    """Header, proofs and time of a block of now; another is mined, so that its hash is known."""
    chain.mine(deltatime=12)  # unlike on a real chain, two blocks may share their time here
    request = networks.provider.make_request
    block = request("eth_getBlockByNumber", ["latest", False])
    answer = request("eth_getProof", [lst.token.address, ["0x" + lst.slot.hex()], block["number"]])
    chain.mine(deltatime=12)

    def nodes(listed: list[str]) -> list[bytes]:
        return [bytes.fromhex(each.removeprefix("0x")) for each in listed]

    return (
        header_of(dict(block)),
        nodes(answer["accountProof"]),
        nodes(answer["storageProof"][0]["proof"]),
        int(block["timestamp"], 16),
    )


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


# --- Construction ---


@pytest.mark.parametrize(
    "wrong",
    [{"maxRise": 0}, {"maxRise": 101}, {"maxFall": 101}, {"maxAge": 0}, {"maxAge": 30 * DAY + 1}],
)
def test_limits_have_bounds(project, governance, manager, cbeth, wrong):
    limits = {**LIMITS, **wrong}
    with reverts(cbeth.provider.LimitsOutOfBounds, **limits):
        governance.deploy(project.ExchangeRateProvider, manager, limits, pin(), cbeth.token)


def test_a_token_without_code_is_none(project, governance, manager, cbeth, tokens, stranger):
    with reverts(cbeth.provider.NotAContract, account=stranger):
        governance.deploy(project.ExchangeRateProvider, manager, LIMITS, pin(), stranger)
    staking = tokens["mETH"].provider.source()
    with reverts(cbeth.provider.NotAContract, account=stranger):
        governance.deploy(project.MEthRateProvider, manager, LIMITS, pin(), stranger, staking, tokens["mETH"].oracle)
    with reverts(cbeth.provider.NotAContract, account=stranger):
        governance.deploy(
            project.MEthRateProvider, manager, LIMITS, pin(), cbeth.token, stranger, tokens["mETH"].oracle
        )


@pytest.mark.parametrize("behind", ["nobody", "zero"])
def test_an_implementation_without_code_is_none(project, governance, manager, cbeth, stranger, behind):
    pinned = pin(stranger if behind == "nobody" else ZERO, max_proof_age=DAY)
    with reverts(cbeth.provider.ImplementationMissing, source=cbeth.token):
        governance.deploy(project.ExchangeRateProvider, manager, LIMITS, pinned, cbeth.token)


def test_a_probe_must_tell_an_implementation(project, governance, manager, cbeth):
    pinned = {**pin(), "probe": cbeth.token, "selector": keccak(text="totalSupply()")[:4]}
    with reverts(cbeth.provider.ImplementationMissing, source=cbeth.token):
        governance.deploy(project.ExchangeRateProvider, manager, LIMITS, pinned, cbeth.token)


def test_a_rate_is_needed_to_begin_with(project, governance, manager, cbeth):
    token = governance.deploy(project.ExchangeRateStandIn)
    with reverts(cbeth.provider.Unhealthy, token=token, reason=Health.RATE_INVALID):
        governance.deploy(project.ExchangeRateProvider, manager, LIMITS, pin(), token)


# --- Recorded ---

RECORDED = Path(__file__).parents[1] / "vectors" / "rates"


@pytest.mark.parametrize("name", ["wsteth", "reth", "cbeth"])
def test_recorded_rates_of_mainnet_pass_and_are_told_to_the_wei(project, name):
    """Blocks a day apart, then two weeks: a healthy token never trips the bounds (20 bps a day up, 5 down)."""
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    rates = [(each["block"], int(each["rate"])) for each in recorded["rates"]]
    process = Process()
    governance = process.account(0)
    manager = governance.deploy(project.ProtocolAccessManager, governance)
    foreign = Foreign(project, governance, manager, process, {**LIMITS, "maxAge": 15 * DAY})
    block, first = rates[0]
    lst = getattr(foreign, name)(first)
    for next_block, rate in rates:
        process.pass_time(12 * (next_block - block))
        block = next_block
        lst.set_rate(rate)
        lst.report()
        assert lst.provider.health() == Health.HEALTHY
        assert tuple(lst.provider.rates()) == lst.rates(rate)
        if process.now >= lst.provider.record()[2] + DAY:  # two of the steps are a little shorter
            assert lst.provider.poke(sender=governance) == Health.HEALTHY
            assert tuple(lst.provider.record()) == (*lst.rates(rate), process.now)
        # a slip of the decimal point, or an oracle that pays a year's rewards at once, does not
        for wrong in (rate // 10, rate * 104 // 100, rate * 10):
            lst.set_rate(wrong)
            assert lst.provider.health() in (Health.FELL, Health.ROSE)
        lst.set_rate(rate)
