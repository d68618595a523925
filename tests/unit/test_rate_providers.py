"""Rate providers: what each token's own protocol says, and everything that makes it unreliable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils import keccak

from tests.in_process import Process, Reverted
from tests.lst import LIMITS, Foreign, Health, Lst, assert_healthy, assert_sick, pin, record_now
from tests.played import Played
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, ZERO

RATE = 1_172_345_678_901_234_567
BPS = 10_000
BOUND = 2**76 - 1


@pytest.fixture(scope="module")
def process():
    return Played()


@pytest.fixture(autouse=True)
def _taken_back(process, tokens, asset):
    with process.taken_back():
        yield


@pytest.fixture(scope="module")
def governance(process):
    return process.account(0)


@pytest.fixture(scope="module")
def stranger(process):
    return process.account(6)


@pytest.fixture(scope="module")
def manager(project, governance):
    return governance.deploy(project.ProtocolAccessManager, governance)


@pytest.fixture(scope="module")
def foreign(project, governance, manager, process):
    return Foreign(project, governance, manager, process)


@pytest.fixture(scope="module")
def tokens(foreign, process):
    return {
        "wstETH": foreign.wsteth(RATE),
        "rETH": foreign.reth(RATE),
        "cbETH": foreign.cbeth(RATE),
        "WBETH": foreign.fiat_token(RATE),
        "mETH": foreign.meth(RATE, lambda: process.now // 12),
    }


@pytest.fixture(scope="module", params=["cbETH", "WBETH"])
def cbeth(tokens, request):
    """One provider serves both; WBETH is here as on mainnet, behind its proxy and pinned."""
    return tokens[request.param]


def ceil(a: int, b: int) -> int:
    return -(-a // b)


# --- What they say ---


@pytest.mark.parametrize("name", ["wstETH", "rETH", "cbETH", "WBETH", "mETH"])
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
def test_a_report_that_is_too_old_makes_it_stale_until_a_newer_one_is_recorded(process, tokens, name, stranger):
    lst = tokens[name]
    recorded, reported = lst.provider.record()[2:]
    assert 0 <= recorded - reported <= 24
    assert lst.provider.newestReport() == reported
    process.wait_until(reported + 3 * DAY)
    assert_healthy(lst, RATE)
    process.pass_time(12)
    assert_sick(lst, Health.STALE)
    with reverts(lst.provider.Unhealthy, token=lst.token, reason=Health.STALE):  # not for anybody to write down
        lst.provider.poke(sender=stranger)
    lst.report()
    assert_sick(lst, Health.STALE)
    tx = lst.provider.poke(sender=stranger)
    newest = lst.provider.newestReport()
    assert tx.return_value == Health.HEALTHY
    assert tx.events == [lst.provider.ReportRecorded(reportedAt=newest)]
    assert lst.provider.record() == (*lst.rates(RATE), recorded, newest)
    assert_healthy(lst, RATE)


def test_a_report_is_as_old_as_it_is_whenever_it_is_recorded(process, tokens, stranger):
    lst = tokens["rETH"]
    reported = lst.provider.record()[3]
    process.wait_until(reported + 2 * DAY)
    with reverts(lst.provider.NothingNew, next=0):
        lst.provider.poke(sender=stranger)
    lst.report()
    newest = lst.provider.newestReport()
    process.wait_until(newest + 3 * DAY - 12)
    lst.provider.poke(sender=stranger)
    assert_healthy(lst, RATE)
    process.wait_until(newest + 3 * DAY + 1)
    assert_sick(lst, Health.STALE)


@pytest.mark.parametrize("late", [0, 1])
def test_a_report_with_another_rate_is_recorded_within_the_day_and_its_rate_after_it(process, tokens, stranger, late):
    """So whoever pokes shortly before a report keeps nobody from recording it."""
    lst = tokens["rETH"]
    recorded = lst.provider.record()[2]
    process.wait_until(recorded + DAY - 4 + late * 4)
    later = RATE + RATE // 10_000
    lst.set_rate(later)
    lst.report()
    tx = lst.provider.poke(sender=stranger)
    newest = lst.provider.newestReport()
    if late:
        assert lst.provider.record() == (*lst.rates(later), tx.timestamp, newest)
        return
    assert tx.events == [lst.provider.ReportRecorded(reportedAt=newest)]
    assert lst.provider.record() == (*lst.rates(RATE), recorded, newest)
    with reverts(lst.provider.NothingNew, next=recorded + DAY):
        lst.provider.poke(sender=stranger)


def poke_or_too_early(lst: Lst, who: Any) -> None:
    try:
        lst.provider.poke(sender=who)
    except Reverted:
        with reverts(lst.provider.NothingNew, next=lst.provider.record()[2] + DAY):
            lst.provider.poke(sender=who)


@pytest.mark.parametrize("maximum", [36, 30])
def test_a_daily_report_is_fresh_at_all_hours_for_who_pokes_each_hour(project, maximum):
    """Found in a review: recorded once a day at most, a report could not be recorded when it came, and was soon old."""
    process = Process()
    governance = process.account(0)
    manager = governance.deploy(project.ProtocolAccessManager, governance)
    limits = {"maxRise": 20, "maxFall": 5, "maxAge": maximum * 3600}
    lst = Foreign(project, governance, manager, process, limits).reth(RATE)
    rate, begun = RATE, process.now
    for hour in range(1, 100):
        process.pass_time(begun + hour * 3600 - process.now)
        if hour % 24 == 23:
            rate += rate // 10_000
            lst.set_rate(rate)
            lst.report()
        if (lst.provider.newestReport(), *lst.rates(rate)) != (*lst.provider.record()[3:], *lst.provider.record()[:2]):
            poke_or_too_early(lst, governance)
        assert lst.provider.health() == Health.HEALTHY, hour


def test_days_without_a_rise_still_count_when_reports_of_them_are_recorded(process, tokens, stranger):
    """Found in a review: each report that said the same again would have left one day's rise for all of them."""
    lst = tokens["rETH"]
    for _ in range(5):
        process.pass_time(DAY)
        lst.report()
        lst.provider.poke(sender=stranger)
    lst.set_rate(RATE + RATE * 25 // 10_000)
    assert lst.provider.health() == Health.HEALTHY


def test_a_report_from_the_future_is_none(process, tokens, governance, stranger):
    lst = tokens["rETH"]
    process.pass_time(2 * DAY)
    lst.balances.setBalances(process.now + DAY, RATE * 1000, ETHER * 1000, sender=governance)
    with reverts(lst.provider.Unhealthy, token=lst.token, reason=Health.STALE):
        lst.provider.poke(sender=stranger)
    record_now(lst, governance)  # governance looks at rates
    assert lst.provider.record()[3] == 0
    assert_sick(lst, Health.STALE)


def test_without_a_report_the_last_change_that_was_recorded_counts(process, cbeth, stranger):
    process.pass_time(3 * DAY + 1)
    assert cbeth.provider.newestReport() == 0
    assert_sick(cbeth, Health.STALE)
    # nothing new: the oracle may be dead, and nobody refreshes it by saying the same again
    with reverts(cbeth.provider.NothingNew, next=0):
        cbeth.provider.poke(sender=stranger)
    later = RATE + RATE // 5000
    cbeth.set_rate(later)
    assert_sick(cbeth, Health.STALE)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.events == [cbeth.provider.RateRecorded(low=later, high=later, reportedAt=tx.timestamp)]
    assert_healthy(cbeth, later)


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
    provider = foreign.provider("Erc4626RateProvider", pin(), vault, True)
    assert provider.token() == vault
    whole = ETHER * (99 * ETHER + 2) // (90 * ETHER + 1)
    assert provider.rates() == (whole * (BPS - 3) // BPS, whole + 1)


def test_erc4626_without_previews_has_no_fee_to_tell(foreign, asset, governance):
    vault = vault_over(foreign, asset, governance, True)
    provider = foreign.provider("Erc4626RateProvider", pin(), vault, False)
    whole = ETHER * (99 * ETHER + 2) // (90 * ETHER + 1)
    assert provider.rates() == (whole, whole + 1)


def test_erc4626_that_raises_its_exit_fee_to_drain_the_basket_is_sick(foreign, asset, governance):
    """mechanisms.md 3.3, 4: "withdrawal-fee manipulation by an LST (set fee 99 %, drain) is stopped by the max-move
    guard"."""
    vault = vault_over(foreign, asset, governance, False)
    lst = Lst(vault, foreign.provider("Erc4626RateProvider", pin(), vault, True), lambda _: None, lambda: None)
    assert lst.provider.health() == Health.HEALTHY
    vault.setExitFee(9_900, sender=governance)
    assert_sick(lst, Health.FELL)


@pytest.mark.parametrize("expected", [True, False])
def test_erc4626_without_the_preview_that_was_expected_is_not_deployed(project, foreign, asset, governance, expected):
    """A vault that is paused while its provider is deployed would lose its exit fee for good."""
    vault = vault_over(foreign, asset, governance, asynchronous=expected)
    with reverts(project.Erc4626RateProvider.PreviewUnexpected, vault=vault, expected=expected):
        foreign.provider("Erc4626RateProvider", pin(), vault, expected)


def test_erc7575_reads_the_vault_of_another_share(foreign, governance):
    share = foreign.deploy("LstStandIn")
    vault = foreign.deploy("OutsideShareVaultStandIn", share)
    vault.setRate(RATE, sender=governance)
    provider = foreign.provider("Erc4626RateProvider", pin(), vault, False)
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


def test_stone_tells_when_its_round_was_settled(process, stone, governance):
    assert stone.provider.newestReport() == stone.provider.record()[3] == stone.vault.settlementTime(0)
    process.pass_time(3 * DAY + 1)
    assert_sick(stone, Health.STALE)
    stone.vault.rollToNextRound(sender=governance)
    stone.provider.poke(sender=governance)
    assert stone.provider.health() == Health.HEALTHY


def test_stone_before_its_first_round(foreign, governance):
    token = foreign.deploy("LstStandIn")
    vault = foreign.deploy("StoneVaultStandIn", token)
    provider = foreign.provider("StoneRateProvider", vault)
    assert provider.rates() == (ETHER, ETHER + 1)
    assert provider.newestReport() == 0


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


@pytest.mark.parametrize(("passed", "days"), [(0, 1), (2 * DAY - 30, 1), (2 * DAY, 2), (3 * DAY - 30, 2)])
def test_a_rise_within_the_bound_is_let_through_and_one_wei_more_is_not(process, cbeth, governance, passed, days):
    recorded = record_now(cbeth, governance)
    if passed:
        process.wait_until(recorded + passed)
    most = RATE * (BPS + 20 * days) // BPS
    cbeth.set_rate(most)
    assert_healthy(cbeth, most)
    cbeth.set_rate(most + 1)
    assert_sick(cbeth, Health.ROSE)


def test_D11_whoever_pokes_each_day_lets_no_more_through_than_a_rise_a_day(process, cbeth, governance):
    record_now(cbeth, governance)
    rate = RATE
    for _ in range(10):
        process.pass_time(DAY)
        low, high = rate, 2 * rate  # the most that is healthy now
        while high - low > 1:
            middle = (low + high) // 2
            cbeth.set_rate(middle)
            low, high = (middle, high) if cbeth.provider.health() == Health.HEALTHY else (low, middle)
        cbeth.set_rate(low)
        assert cbeth.provider.poke(sender=governance).return_value == Health.HEALTHY
        rate = low
    assert rate <= RATE * (BPS + 20) ** 10 // BPS**10


def test_however_long_nobody_records_a_week_of_rise_is_the_most(process, tokens, stranger):
    lst = tokens["rETH"]
    process.pass_time(90 * DAY)
    most = RATE * (BPS + 20 * 7) // BPS
    lst.set_rate(most + 1)
    lst.report()
    assert_sick(lst, Health.ROSE)
    lst.set_rate(most - 1)
    assert_sick(lst, Health.STALE)
    lst.provider.poke(sender=stranger)
    assert_healthy(lst, most - 1)


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
        cbeth.provider.RateRecorded(low=jumped, high=jumped, reportedAt=tx.timestamp),
    ]
    assert_healthy(cbeth, jumped)


def test_D11_a_jump_that_waits_long_enough_does_not_become_a_rise(process, cbeth, stranger):
    cbeth.set_rate(RATE * 11 // 10)
    for _ in range(10):
        process.pass_time(DAY)
        assert cbeth.provider.health() == Health.ROSE
    cbeth.provider.poke(sender=stranger)
    assert_sick(cbeth, Health.HALTED)


def test_D11_the_greatest_rate_leaves_what_lies_beside_it(cbeth, governance):
    at, proven = cbeth.provider.record()[2], cbeth.provider.provenAt()
    cbeth.set_rate(2**76 - 1)
    record_now(cbeth, governance)
    assert cbeth.provider.record()[:2] == (2**76 - 1, 2**76 - 1)
    assert cbeth.provider.record()[2] >= at
    assert cbeth.provider.provenAt() == proven
    assert_healthy(cbeth, 2**76 - 1)


@pytest.mark.parametrize("rate", [0, 2**76, 2**96, 2**255])
def test_D11_what_is_no_rate_is_none(cbeth, governance, rate):
    cbeth.set_rate(rate)
    assert_sick(cbeth, Health.RATE_INVALID)
    for call in (lambda: cbeth.provider.poke(sender=governance), lambda: record_now(cbeth, governance)):
        with reverts(cbeth.provider.Unhealthy, token=cbeth.token, reason=Health.RATE_INVALID):
            call()


def test_poke_records_once_in_a_window(process, cbeth, governance, stranger):
    recorded = record_now(cbeth, governance)
    cbeth.set_rate(RATE + 1)
    with reverts(cbeth.provider.NothingNew, next=recorded + DAY):
        cbeth.provider.poke(sender=stranger)
    process.wait_until(recorded + DAY - 2)
    with reverts(cbeth.provider.NothingNew, next=recorded + DAY):
        cbeth.provider.poke(sender=stranger)
    process.wait_until(recorded + DAY)
    tx = cbeth.provider.poke(sender=stranger)
    assert tx.return_value == Health.HEALTHY
    assert cbeth.provider.record() == (RATE + 1, RATE + 1, tx.timestamp, tx.timestamp)


def test_accept_looks_at_what_it_accepts(cbeth, governance):
    with reverts(cbeth.provider.RatesNotAccepted, low=RATE, high=RATE, minLow=RATE + 1, maxHigh=BOUND):
        cbeth.provider.accept(RATE + 1, BOUND, sender=governance)
    with reverts(cbeth.provider.RatesNotAccepted, low=RATE, high=RATE, minLow=0, maxHigh=RATE - 1):
        cbeth.provider.accept(0, RATE - 1, sender=governance)


def test_accept_is_governances(cbeth, stranger):
    with reverts(cbeth.provider.AccessManagedUnauthorized, caller=stranger):
        cbeth.provider.accept(0, BOUND, sender=stranger)


# --- Construction ---


@pytest.mark.parametrize(
    "wrong",
    [{"maxRise": 0}, {"maxRise": 101}, {"maxFall": 101}, {"maxAge": DAY}, {"maxAge": 30 * DAY + 1}],
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
            assert tuple(lst.provider.record()[:3]) == (*lst.rates(rate), process.now)
        # a slip of the decimal point, or an oracle that pays a year's rewards at once, does not
        for wrong in (rate // 10, rate * 104 // 100, rate * 10):
            lst.set_rate(wrong)
            assert lst.provider.health() in (Health.FELL, Health.ROSE)
        lst.set_rate(rate)
