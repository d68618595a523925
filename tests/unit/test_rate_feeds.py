"""Feeds of the core rate: every number is the core's, as old as the newest report, and nothing else moves it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from ape import chain
from eth_abi import decode
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.in_process import Process
from tests.reverts import reverts
from tests.small_core import DAY, ETHER, GWEI, VESTING, ZERO, SmallCore, force_ether

HOUR = 3_600
HEARTBEAT = 43 * HOUR
"""Of an integrator: a frame of a day and the oldest report that is taken, 19 hours."""
SLASHING_WAIT = 45 * DAY


@pytest.fixture(scope="module")
def governance(accounts):
    return accounts[0]


@pytest.fixture(scope="module")
def staker(accounts):
    return accounts[2]


@pytest.fixture(scope="module")
def stranger(accounts):
    return accounts[3]


@pytest.fixture(scope="module")
def core(project, governance, accounts, staker):
    core = SmallCore.deploy(project, governance, accounts[1])
    core.stake(staker, 60 * ETHER)
    return core


@pytest.fixture(scope="module")
def weth(project, governance):
    return governance.deploy(project.WrappedEther)


@pytest.fixture(scope="module")
def feed(project, governance, core):
    return governance.deploy(project.RateFeed, core.vault)


@pytest.fixture(scope="module")
def provider(project, governance, core):
    return governance.deploy(project.BalancerRateProvider, core.vault)


@pytest.fixture(scope="module")
def oracle(project, governance, core):
    return governance.deploy(project.SlEthMorphoOracle, core.vault)


@pytest.fixture(scope="module")
def view(project, governance, core, weth):
    return governance.deploy(project.StakingVaultView, weth, core.vault)


@pytest.fixture(params=["par", "up", "down"])
def rate(request, core, accounts, feed, provider, oracle, view) -> Fraction:
    """1, about 1.21, and a rate below the one before it; neither divides anything."""
    if request.param != "par":
        core.earn(12_345_678_901 * GWEI)
    if request.param == "down":
        core.lose(7_654_321_098 * GWEI)
    return core.rate


def numbers(core: Any, feed: Any, provider: Any, oracle: Any, view: Any) -> dict[str, tuple[Any, str]]:
    """Every getter whose answer is a price, as contract and signature with arguments filled in."""
    amount = (10**24 + 7).to_bytes(32, "big")
    return {
        "feed": (feed, keccak(text="latestAnswer()")[:4]),
        "round": (feed, keccak(text="latestRoundData()")[:4]),
        "provider": (provider, keccak(text="getRate()")[:4]),
        "oracle": (oracle, keccak(text="price()")[:4]),
        "assets": (view, keccak(text="convertToAssets(uint256)")[:4] + amount),
        "shares": (view, keccak(text="convertToShares(uint256)")[:4] + amount),
        "total": (view, keccak(text="totalAssets()")[:4]),
        "core": (core.vault, keccak(text="rate()")[:4]),
    }


@pytest.fixture
def read(core, feed, provider, oracle, view):
    """All of them now, in order."""

    def run() -> list[bytes]:
        call = chain.provider.web3.eth.call
        getters = numbers(core, feed, provider, oracle, view).values()
        return [bytes(call({"to": contract.address, "data": data})) for contract, data in getters]

    return run


def note_slashing(core) -> int:
    """Told by a depositor, as the validator manager does; returns when."""
    core.vault.setDepositor(core.governance, True, sender=core.governance)
    core.vault.noteSlashing(sender=core.governance)
    return core.clock.now


# --- The numbers ---


def test_feed_answers_the_core_rate(core, feed, rate):
    assert feed.latestAnswer() == math.floor(rate * ETHER) == core.vault.rate()
    assert feed.latestRoundData().answer == math.floor(rate * ETHER)


def test_provider_answers_the_core_rate(provider, rate):
    assert provider.getRate() == math.floor(rate * ETHER)


def test_morpho_oracle_answers_the_core_rate_at_its_scale(oracle, rate):
    """As precise as the core is, not the rate with zeros behind it."""
    assert oracle.price() == math.floor(rate * 10**36)


@pytest.mark.parametrize("amount", [0, 1, 10**9 + 1, ETHER, 10**26])
def test_view_answers_what_the_core_does(core, view, weth, rate, amount):
    assert view.totalAssets() == core.total
    assert view.convertToAssets(amount) == view.previewRedeem(amount) == math.floor(amount * rate)
    assert view.convertToShares(amount) == view.previewDeposit(amount) == math.floor(amount / rate)
    assert view.previewMint(amount) == math.ceil(amount * rate)
    assert view.previewWithdraw(amount) == math.ceil(amount / rate)


def test_feeds_say_what_they_are(core, feed, provider, oracle, view, weth):
    assert feed.decimals() == 18
    assert feed.description() == "slETH / ETH, core rate: ether per slETH, not dollars, not a market price"
    assert feed.version() == 1
    for each in (feed, provider, oracle, view):
        assert each.vault() == core.vault
    assert (view.asset(), view.share(), view.decimals()) == (weth, core.token, 18)


@pytest.mark.parametrize(
    ("name", "selectors"),
    [
        ("RateFeed", ("313ce567", "7284e416", "54fd4d50", "9a6fc8f5", "feaf968c", "50d25bcd")),
        ("BalancerRateProvider", ("679aefce",)),
        ("SlEthMorphoOracle", ("a035b1fe",)),
        ("StakingVaultView", ("38d52e0f", "01e1d114", "c6e6f592", "07a2d13a", "a8d5fd65")),
    ],
)
def test_functions_have_the_selectors_of_those_who_call_them(project, name, selectors):
    """AggregatorV3Interface and latestAnswer, IRateProvider, IOracle, ERC-4626 and ERC-7575."""
    methods = getattr(project, name).contract_type.methods
    assert set(selectors) <= {keccak(text=method.selector)[:4].hex() for method in methods}


@pytest.mark.parametrize("name", ["RateFeed", "BalancerRateProvider", "SlEthMorphoOracle", "StakingVaultView"])
def test_feeds_have_nothing_to_set(project, name):
    kind = getattr(project, name).contract_type
    changing = {method.name for method in kind.methods if method.stateMutability not in ("view", "pure")}
    assert changing == set()


@pytest.mark.parametrize("name", ["RateFeed", "BalancerRateProvider", "SlEthMorphoOracle"])
def test_an_address_without_a_rate_is_refused(project, governance, core, name):
    for wrong in (governance, core.token):
        with reverts(b""):
            governance.deploy(getattr(project, name), wrong)


def test_view_of_an_address_without_shares_is_refused(project, governance, core, weth):
    for wrong in (governance, core.token):
        with reverts(b""):
            governance.deploy(project.StakingVaultView, weth, wrong)


# --- Nothing goes in or out of the view ---


def test_view_takes_and_pays_nothing(view, staker):
    assert view.maxDeposit(staker) == view.maxMint(staker) == view.maxWithdraw(staker) == view.maxRedeem(staker) == 0
    for amount in (0, 1, ETHER, 2**256 - 1):
        with reverts(view.ViewOnly):
            view.deposit(amount, staker)
        with reverts(view.ViewOnly):
            view.mint(amount, staker)
        with reverts(view.ViewOnly):
            view.withdraw(amount, staker, staker)
        with reverts(view.ViewOnly):
            view.redeem(amount, staker, staker)


# --- Rounds and freshness ---


def test_round_is_that_of_the_newest_report(core, feed):
    before = core.vault.referenceTime()  # of the deployment
    assert feed.latestRoundData() == (before, ETHER, before, before, before)
    core.earn(5 * ETHER + GWEI)
    time, _ = core.vault.lastReport()
    assert time > before
    assert feed.latestRoundData() == (time, math.floor(core.rate * ETHER), time, time, time)


def test_only_the_newest_round_can_be_asked_for(core, feed):
    old = core.vault.referenceTime()
    assert feed.getRoundData(old) == feed.latestRoundData()
    core.touch()
    newest = core.vault.referenceTime()
    assert feed.getRoundData(newest) == feed.latestRoundData()
    for asked in (0, 1, old, newest - 1, newest + 1, 2**80 - 1):
        with reverts(feed.RoundUnavailable, asked=asked, newest=newest):
            feed.getRoundData(asked)


def test_rounds_rise_with_every_report(core, feed):
    seen = [feed.latestRoundData().roundId]
    for change in (core.touch, lambda: core.earn(ETHER), lambda: core.lose(ETHER), core.touch):
        change()
        seen.append(feed.latestRoundData().roundId)
    assert seen == sorted(set(seen))


def test_answer_rises_within_a_round_as_rewards_vest(core, feed):
    """3 ether less the fee of 10% vest over an hour; a third of them in the first twenty minutes."""
    core.clock.pass_time(2)  # a report is later than the one before, here the deployment
    report = {
        "referenceTime": core.clock.now,
        "consensusBalance": 3 * 10**9,
        "provision": 0,
        "faults": 0,
        "withdrawn": 0,
        "deposited": 0,
        "rewards": 0,
    }
    assert core.clock.now - core.vault.referenceTime() <= VESTING
    before = feed.latestAnswer()
    core.vault.report(report, sender=core.governance)
    applied = core.clock.now
    assert feed.latestAnswer() == before
    chain.mine(timestamp=applied + VESTING // 3)
    total, supply = 61 * ETHER + 3 * ETHER - 18 * ETHER // 10, core.supply
    assert supply == 61 * ETHER + 3 * ETHER // 10
    id_, answer, started_at, updated_at, answered_in = feed.latestRoundData()
    assert answer == total * ETHER // supply > before
    assert id_ == started_at == updated_at == answered_in == report["referenceTime"]


def test_D11_age_is_that_of_the_newest_report_to_the_second(core, feed):
    """A consumer refuses what is older than its heartbeat: good to the second, and refused a second later."""
    core.touch()
    reported = core.vault.referenceTime()
    chain.mine(timestamp=reported + HEARTBEAT)
    _, answer, _, updated_at, _ = feed.latestRoundData()
    assert core.clock.now - updated_at == HEARTBEAT
    chain.mine(timestamp=reported + HEARTBEAT + 1)
    assert core.clock.now - feed.latestRoundData().updatedAt == HEARTBEAT + 1
    assert feed.latestAnswer() == answer  # it goes on to answer


def test_D11_a_report_is_no_younger_than_what_it_knows(core, feed):
    """Applied late, a report leaves the age of its reference slot, not that of its transaction."""
    core.clock.pass_time(2)
    time = core.clock.now
    core.clock.pass_time(19 * HOUR)
    report = {"referenceTime": time, "consensusBalance": 0, "provision": 0, "faults": 0, "withdrawn": 0}
    core.vault.report(report | {"deposited": 0, "rewards": 0}, sender=core.governance)
    assert feed.latestRoundData().updatedAt == time
    assert core.clock.now - time >= 19 * HOUR


def test_D11_feed_answers_while_a_slashing_is_proven_and_not_reported(core, feed):
    """Repayments and liquidations must not stop. That the slashing is not counted can be seen: the answer is older than
    its proof, and the flag stands until a report counts it.
    """
    core.earn(5 * ETHER)
    assert feed.slashingPendingUntil() == 0
    before = feed.latestAnswer()
    noted = note_slashing(core)
    assert feed.latestAnswer() == before
    assert feed.latestRoundData().updatedAt < noted
    assert feed.slashingPendingUntil() == core.vault.slashingPendingUntil() == noted + SLASHING_WAIT
    core.lose(2 * ETHER)
    assert feed.latestAnswer() == math.floor(core.rate * ETHER) < before
    assert feed.latestRoundData().updatedAt > noted
    assert feed.slashingPendingUntil() == 0


# --- What does not move them ---


@pytest.mark.parametrize("target", ["vault", "queue", "gateway", "rewards_vault", "token", "feed", "view"])
def test_H3_forced_ether_moves_no_number(core, feed, view, read, rate, target):
    before = read()
    force_ether({"feed": feed, "view": view}.get(target) or getattr(core, target), 1_000 * ETHER)
    chain.mine()
    assert read() == before


def test_H3_donated_tokens_move_no_number(core, feed, provider, oracle, view, weth, staker, read, rate):
    weth.deposit(sender=staker, value=10 * ETHER)
    before = read()
    for target in (core.vault, core.queue, core.gateway, feed, provider, oracle, view):
        core.token.transfer(target, ETHER, sender=staker)
        weth.transfer(target, ETHER, sender=staker)
    assert read() == before


def test_stakes_and_requests_move_no_number(core, staker, read):
    """At a rate that divides: else rounding moves it up by less than a wei for each holder."""
    before = read()[:4]
    core.stake(staker, 7 * ETHER)
    core.queue.request(3 * ETHER, staker, sender=staker)
    assert read()[:4] == before


# --- Within callbacks ---


def test_H2_within_a_report_every_number_is_that_before_it(
    project, core, feed, provider, oracle, view, governance, read, rate
):
    """A cover module is called in the middle of a loss."""
    cover = governance.deploy(project.ReenteringCover, core.token)
    core.vault.setCover(cover, sender=governance)
    core.earn(9 * ETHER)
    getters = numbers(core, feed, provider, oracle, view).values()
    cover.arm([(contract, 0, data) for contract, data in getters], sender=governance)
    before = read()
    core.lose(4 * ETHER)
    assert [bytes(outcome.result) for outcome in cover.outcomes()] == before
    assert read() != before


def test_H2_while_ether_is_refunded_every_number_is_that_after(project, core, feed, provider, oracle, view, governance):
    """Exact minting at an odd rate sends back what was too much, when all is written."""
    core.earn(12_345_678_901 * GWEI)
    for contract, data in numbers(core, feed, provider, oracle, view).values():
        taker = governance.deploy(project.RefundTaker, False)
        taker.arm(core.vault, core.vault.mint.encode_input(2_000, taker), sender=governance)
        probe = governance.deploy(project.ReentrantRecipient)
        probe.arm([(contract, data)], sender=governance)
        mint = core.vault.mint.encode_input(3 * ETHER + 1, probe)
        taker.arm(probe, b"", sender=governance)  # the refund goes on to the probe, which reads
        taker.execute(core.vault, mint, sender=governance, value=10 * ETHER)
        ((succeeded, result),) = probe.outcomes()
        assert succeeded
        assert bytes(result) == chain.provider.web3.eth.call({"to": contract.address, "data": data})


def test_H2_while_a_request_is_paid_every_number_is_that_after(
    project, core, feed, provider, oracle, view, governance, accounts, staker, read
):
    core.tip(accounts[9], 12 * ETHER + 7)
    probe = governance.deploy(project.ReentrantRecipient)
    core.token.transfer(probe, 5 * ETHER, sender=staker)
    probe.execute(core.queue, core.queue.request.encode_input(5 * ETHER, probe), sender=staker)
    core.touch()
    core.queue.finalize(1, sender=staker)
    getters = numbers(core, feed, provider, oracle, view).values()
    probe.arm([(contract, data) for contract, data in getters], sender=governance)
    probe.execute(core.queue, keccak(text="claim(uint256)")[:4] + (1).to_bytes(32, "big"), sender=staker)
    outcomes = probe.outcomes()
    assert len(outcomes) == len(getters)
    assert [bytes(outcome.result) for outcome in outcomes] == read()


# --- Any history ---


class InProcess:
    """A core and its feeds in an EVM inside this process."""

    def __init__(self, project: Any) -> None:
        self.process = Process()
        self.staker, self.governance = self.process.account(2), self.process.account(0)
        clock = self.process
        self.core = SmallCore.deploy(project, self.governance, self.process.account(1), clock)
        self.feed = self.governance.deploy(project.RateFeed, self.core.vault)
        self.provider = self.governance.deploy(project.BalancerRateProvider, self.core.vault)
        self.oracle = self.governance.deploy(project.SlEthMorphoOracle, self.core.vault)
        self.view = self.governance.deploy(project.StakingVaultView, ZERO, self.core.vault)

    def check(self) -> None:
        rate = self.core.rate
        time = self.core.vault.referenceTime()
        answer = math.floor(rate * ETHER)
        assert tuple(self.feed.latestRoundData()) == (time, answer, time, time, time)
        assert self.provider.getRate() == self.feed.latestAnswer() == answer
        assert self.oracle.price() == math.floor(rate * 10**36)
        amount = 10**27 + 1
        assert self.view.convertToAssets(amount) == math.floor(amount * rate)
        assert self.view.convertToShares(amount) == math.floor(amount / rate)


STEPS = st.lists(
    st.tuples(st.sampled_from(("stake", "earn", "lose", "wait")), st.integers(1, 10**13)), min_size=1, max_size=12
)


@settings(max_examples=300 if settings.get_current_profile_name() == "deep" else 40)
@given(steps=STEPS)
def test_feeds_follow_the_core_through_any_history(project, steps):
    world = InProcess(project)
    for step, size in steps:
        if step == "stake":
            world.core.stake(world.staker, size * 1_000)
        elif step == "earn":
            world.core.earn(size * GWEI)
        elif step == "lose":
            world.core.lose(min(size, world.core.gained) * GWEI)
        else:
            world.process.pass_time(size % DAY)
        world.check()


def test_round_data_is_laid_out_as_chainlink_does(feed, core):
    """Five words; a consumer decodes them by this ABI."""
    data = chain.provider.web3.eth.call({"to": feed.address, "data": keccak(text="latestRoundData()")[:4]})
    assert len(data) == 160
    time = core.vault.referenceTime()
    assert decode(["uint80", "int256", "uint256", "uint256", "uint80"], data) == (time, ETHER, time, time, time)
