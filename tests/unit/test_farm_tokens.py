"""Farm with the tokens that have broken farms, in process: each can harm itself alone, or is refused by name."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import Any

import pytest
from eth_abi import decode
from eth_utils import keccak

from tests.farming import INFINITE
from tests.in_process import Process, Reverted
from tests.small_core import ETHER

DAY = 86_400
NOTHING: list[int] = []


class Way(IntEnum):
    """As in WeirdToken.sol."""

    PLAIN = 0
    NO_RETURN = auto()
    RETURNS_FALSE = auto()
    REVERTS = auto()
    REVERTS_LONG = auto()
    TAKES_FEE = auto()
    TAKES_FEE_ON_TOP = auto()
    TAKES_ALL = auto()
    HOOKS_BEFORE = auto()
    HOOKS_AFTER = auto()
    BLOCKS_SOME = auto()
    PAUSED = auto()
    UINT96 = auto()
    RETURNS_MORE = auto()
    RETURNS_SHORT = auto()
    RETURNS_GARBAGE = auto()
    RETURNS_LONG = auto()
    BURNS_GAS = auto()
    APPROVAL_RACE = auto()
    LIES_ABOUT_BALANCE = auto()


FAILING = {
    Way.RETURNS_FALSE,
    Way.REVERTS,
    Way.REVERTS_LONG,
    Way.BLOCKS_SOME,  # blocks the farm
    Way.PAUSED,
    Way.RETURNS_SHORT,
    Way.RETURNS_GARBAGE,
    Way.BURNS_GAS,
}
SHRINKING = {Way.TAKES_FEE: ETHER - ETHER // 100, Way.TAKES_ALL: 0}


def error_of(refusal: Reverted, contract: Any) -> tuple[Any, ...]:
    """Name and arguments."""
    for abi in contract.contract_type.errors:
        if keccak(text=abi.selector)[:4] == refusal.data[:4]:
            return (abi.name, *decode([i.canonical_type for i in abi.inputs], refusal.data[4:]))
    raise AssertionError(f"not an error of the farm: {refusal}")


class Scene:
    """Two who stake, a good token and reward, and one that is not."""

    def __init__(self, project: Any, decimals: int = 18) -> None:
        self.project = project
        self.process = Process()
        self.adder, self.one, self.two = (self.process.account(i) for i in range(3))
        self.farm = self.adder.deploy(project.Farm)
        self.good, self.reward = self.token(18), self.token(18)
        self.weird = self.token(decimals)
        self.weird.setBlocked(self.farm, True, sender=self.adder)

    def token(self, decimals: int) -> Any:
        token = self.adder.deploy(self.project.WeirdToken, decimals)
        for who in (self.adder, self.one, self.two):
            token.mint(who, 1_000 * ETHER, sender=who)
            token.approve(self.farm, INFINITE, sender=who)
        return token

    def add(self, staked: Any, paid: Any, amount: int = 10 * ETHER) -> int:
        now = self.process.now
        return int(self.farm.addStream(staked, paid, amount, now, now + 10 * DAY, sender=self.adder))

    def stake(self, token: Any, who: Any, ids: list[int], amount: int = ETHER) -> None:
        self.farm.stake(token, amount, who, ids, sender=who)

    def digest(self, *tokens: Any) -> list[Any]:
        """All that there is about these tokens."""
        farm, people = self.farm, (self.adder, self.one, self.two)
        names = {t.address.lower() for t in tokens}
        found: list[Any] = []
        for token in tokens:
            found.append((farm.totalStaked(token), token.balanceOf(farm)))
            found += [(farm.stakeOf(token, w), farm.streamsOf(token, w), token.balanceOf(w)) for w in people]
        for number in range(1, farm.lastStreamId() + 1):
            view = farm.stream(number)
            if {view[0].lower(), view[1].lower()} <= names:
                found += [view, farm.reclaimable(number), [farm.earned(number, w) for w in people]]
        return found


@pytest.fixture
def scene(project):
    return Scene(project)


def refused(call: Any, farm: Any) -> tuple[Any, ...]:
    with pytest.raises(Reverted) as refusal:
        call()
    return error_of(refusal.value, farm)


@pytest.mark.parametrize("way", Way)
def test_G4_a_token_comes_in_whole_or_is_refused_by_name(scene, way):
    """As stake and as reward, from the beginning."""
    farm, weird, one, adder = scene.farm, scene.weird, scene.one, scene.adder
    weird.become(way, sender=adder)
    before = scene.digest(scene.good, scene.reward, weird) if way != Way.LIES_ABOUT_BALANCE else None
    calls = [(one, lambda: scene.stake(weird, one, NOTHING)), (adder, lambda: scene.add(scene.good, weird, ETHER))]
    for payer, call in calls:
        if way in FAILING:
            named = ("TransferFailed", weird.address.lower(), payer.address.lower(), farm.address.lower(), ETHER)
            assert refused(call, farm) == named
        elif way in SHRINKING:
            assert refused(call, farm) == ("TokenTakesFee", weird.address.lower(), ETHER, SHRINKING[way])
        elif way != Way.LIES_ABOUT_BALANCE:
            call()
    if way in FAILING or way in SHRINKING:
        assert scene.digest(scene.good, scene.reward, weird) == before
    elif way != Way.LIES_ABOUT_BALANCE:
        assert farm.totalStaked(weird) == ETHER
        assert weird.balanceOf(farm) == 2 * ETHER
        assert farm.exit(weird, one, sender=one) == ETHER


def test_G4_a_fee_of_one_unit_is_a_fee(scene):
    scene.weird.become(Way.TAKES_FEE, sender=scene.one)
    named = ("TokenTakesFee", scene.weird.address.lower(), 199, 198)
    assert refused(lambda: scene.add(scene.good, scene.weird, 199), scene.farm) == named
    assert scene.add(scene.good, scene.weird, 99) == 1  # its fee rounds to nothing


def live(scene: Scene, way: Way, *, weird_calls: bool) -> tuple[list[Any], list[Any]]:
    """A life in which the weird token changes its way midway; what is known of the good ones, and what it refused."""
    farm, process, good, weird = scene.farm, scene.process, scene.good, scene.weird
    one, two, adder = scene.one, scene.two, scene.adder
    first, hostile = scene.add(good, scene.reward), scene.add(good, weird)
    of_weird = scene.add(weird, scene.reward)
    refusals: list[Any] = []

    def touch(call: Any) -> None:
        if not weird_calls:
            return
        try:
            call()
        except Reverted as refusal:
            refusals.append(error_of(refusal, farm))

    scene.stake(good, one, [first, hostile], 3 * ETHER)
    scene.stake(good, two, [first])
    scene.stake(weird, one, [of_weird])
    scene.stake(weird, two, [of_weird], 2 * ETHER)
    process.pass_time(DAY)
    weird.become(way, sender=adder)
    touch(lambda: farm.claim([hostile], one, sender=one))
    farm.claim([first], one, sender=one)
    touch(lambda: farm.unstake(weird, ETHER, two, sender=two))
    scene.stake(good, one, NOTHING)
    process.pass_time(DAY)
    touch(lambda: farm.claim([hostile, first], one, sender=one))
    farm.unstake(good, ETHER, one, sender=one)
    touch(lambda: farm.exit(weird, one, sender=one))
    touch(lambda: farm.emergencyExit(weird, one, sender=one))
    process.pass_time(DAY)
    farm.disable(good, [first], False, sender=two)
    farm.enable(good, [hostile], sender=two)
    process.pass_time(DAY)
    farm.exit(good, one, sender=one)  # claims the hostile one, too
    process.pass_time(10 * DAY)
    touch(lambda: farm.reclaim(hostile, sender=adder))
    farm.emergencyExit(good, two, sender=two)
    farm.claim([first], two, sender=two)
    farm.reclaim(first, sender=adder)
    known = [farm.stream(first), farm.stakeOf(good, one), farm.stakeOf(good, two)]
    known += [t.balanceOf(w) for t in (good,) for w in (one, two, farm)]
    return known, refusals


@pytest.mark.parametrize("way", [w for w in Way if w in FAILING])
def test_G4_a_token_that_stops_working_midway_stops_itself_alone(project, way):
    """The good tokens' books are the same as where its calls are not made at all; all come by their own later."""
    plain, _ = live(Scene(project), Way.PLAIN, weird_calls=False)
    scene = Scene(project)
    known, refusals = live(scene, way, weird_calls=True)
    assert known == plain
    assert [name for name, *_ in refusals] == 5 * ["TransferFailed"]

    farm, weird, one, two = scene.farm, scene.weird, scene.one, scene.two
    weird.become(Way.PLAIN, sender=one)
    assert (farm.stakeOf(weird, one), farm.stakeOf(weird, two)) == (ETHER, 2 * ETHER)
    due = farm.earned(2, one)
    held = weird.balanceOf(one)
    assert due > 2 * ETHER
    farm.claim([2], one, sender=one)
    assert farm.exit(weird, one, sender=one) == ETHER
    assert weird.balanceOf(one) == held + due + ETHER
    assert farm.exit(weird, two, sender=two) == 2 * ETHER
    farm.claim([2], two, sender=two)
    farm.reclaim(2, sender=one)
    assert farm.stream(2)[11] <= 5


@pytest.mark.parametrize("way", [w for w in Way if w not in FAILING])
def test_G4_a_token_that_becomes_another_midway_touches_no_other(project, way):
    plain, _ = live(Scene(project), Way.PLAIN, weird_calls=True)
    known, refusals = live(Scene(project), way, weird_calls=True)
    assert known[:3] == plain[:3]
    assert known[3:] == plain[3:]
    assert all(name == "TransferFailed" for name, *_ in refusals)
    assert not refusals or way == Way.TAKES_FEE_ON_TOP


def test_G4_a_token_that_lies_about_its_balance_can_fool_nobody_but_its_own(scene):
    """It can have a stake counted that did not come, of itself."""
    farm, weird, one = scene.farm, scene.weird, scene.one
    first = scene.add(scene.good, scene.reward)
    scene.stake(scene.good, one, [first])
    scene.process.pass_time(DAY)
    before = scene.digest(scene.good, scene.reward)
    weird.become(Way.LIES_ABOUT_BALANCE, sender=one)
    for amount in range(ETHER, ETHER + 20):
        try:
            scene.stake(weird, one, NOTHING, amount)
            farm.exit(weird, one, sender=one)
        except Reverted as refusal:
            assert error_of(refusal, farm)[0] in ("TokenTakesFee", "TransferFailed")  # noqa: PT017
    assert scene.digest(scene.good, scene.reward) == before


@pytest.mark.parametrize("way", [Way.REVERTS, Way.REVERTS_LONG, Way.BURNS_GAS, Way.RETURNS_FALSE, Way.RETURNS_GARBAGE])
def test_G4_exit_leaves_a_broken_reward_owed_and_pays_the_others(scene, way):
    farm, good, one = scene.farm, scene.good, scene.one
    hostile, honest = scene.add(good, scene.weird), scene.add(good, scene.reward)
    scene.stake(good, one, [hostile, honest])
    scene.process.pass_time(DAY)
    scene.weird.become(way, sender=one)
    data = farm.data_of("exit", good, one)
    scene.process.evm.reset_transient_storage()
    scene.process.evm.message_call(one.address, farm.address, data, 0, gas=450_000)  # not enough, were there no limit
    assert good.balanceOf(one) == 1_000 * ETHER
    assert ETHER - (scene.reward.balanceOf(one) - 1_000 * ETHER) in (0, 1)
    assert ETHER - farm.earned(hostile, one) in (0, 1)
    assert farm.stream(hostile)[11] == 10 * ETHER
    scene.weird.become(Way.PLAIN, sender=one)
    farm.claim([hostile], one, sender=one)
    assert farm.stream(hostile)[11] in (9 * ETHER, 9 * ETHER + 1)


def test_G4_growth_of_a_rebasing_token_is_nobody_s(scene):
    farm, weird, one, two = scene.farm, scene.weird, scene.one, scene.two
    number = scene.add(weird, weird)
    scene.stake(weird, one, [number])
    weird.rebase(2 * ETHER, sender=one)
    scene.stake(weird, two, NOTHING)
    scene.process.pass_time(10 * DAY)
    assert farm.exit(weird, one, sender=one) == farm.exit(weird, two, sender=two) == ETHER
    assert farm.reclaim(number, sender=one) == 0
    assert weird.balanceOf(farm) - farm.stream(number)[11] == ETHER + 10 * ETHER  # what grew


def test_G4_shrinking_of_a_rebasing_token_is_borne_by_its_own_stakers(scene):
    """Who comes late is told why, can take out what is there, and no other token pays for it."""
    farm, weird, one, two = scene.farm, scene.weird, scene.one, scene.two
    number = scene.add(weird, scene.reward)
    scene.stake(weird, one, [number])
    scene.stake(weird, two, [number])
    scene.stake(scene.good, two, NOTHING, 5 * ETHER)
    scene.process.pass_time(10 * DAY)
    weird.rebase(3 * ETHER // 4, sender=one)
    assert farm.exit(weird, one, sender=one) == ETHER
    named = ("TransferFailed", weird.address.lower(), farm.address.lower(), two.address.lower(), ETHER)
    assert refused(lambda: farm.exit(weird, two, sender=two), farm) == named
    assert refused(lambda: farm.emergencyExit(weird, two, sender=two), farm) == named
    farm.unstake(weird, ETHER // 2, two, sender=two)
    farm.claim([number], two, sender=two)
    assert 10 * ETHER - sum(scene.reward.balanceOf(w) - 1_000 * ETHER for w in (one, two)) in (0, 1, 2)
    assert farm.exit(scene.good, two, sender=two) == 5 * ETHER


@pytest.mark.parametrize("decimals", [0, 2, 6, 27, 77])
def test_G4_decimals_are_not_asked_for(project, decimals):
    scene = Scene(project, decimals)
    farm, weird, one = scene.farm, scene.weird, scene.one
    number = scene.add(weird, weird, 1_000)
    scene.stake(weird, one, [number], 10**6)
    scene.process.pass_time(10 * DAY)
    assert farm.earned(number, one) in (999, 1_000)
    farm.exit(weird, one, sender=one)
    assert 1_000 * ETHER + 1_000 - weird.balanceOf(one) in (0, 1)


# --- H1 ---


def reenter(project: Any, way: Way, *, attack: bool) -> tuple[list[Any], Any]:
    """A farmer does all there is; in each callback of the token it tries all there is once more."""
    scene = Scene(project)
    farm, process, weird, adder = scene.farm, scene.process, scene.weird, scene.adder
    farmer = adder.deploy(project.ReenteringFarmer)
    weird.setBlocked(farm, False, sender=adder)
    weird.mint(farmer, 1_000 * ETHER, sender=adder)
    weird.setHook(farmer, farmer, sender=adder)
    now = process.now
    # another's money is there to be taken
    other = scene.add(weird, weird, 100 * ETHER)
    scene.stake(weird, scene.one, [other], 50 * ETHER)
    scene.stake(weird, scene.two, [other], 50 * ETHER)
    permit = (2**40, 27, b"\1" * 32, b"\2" * 32)
    calls = {
        "addStream": ("addStream", weird, weird, ETHER, now + DAY, now + 9 * DAY),
        "stake": ("stake", weird, 2 * ETHER, farmer, NOTHING),
        "stakeWithPermit": ("stakeWithPermit", weird, ETHER, farmer, NOTHING, *permit),
        "enable": ("enable", weird, [other]),
        "unstake": ("unstake", weird, ETHER, farmer),
        "claim": ("claim", [other], farmer),
        "disable": ("disable", weird, [other], False),
        "reclaim": ("reclaim", 2),
        "exit": ("exit", weird, farmer),
        "emergencyExit": ("emergencyExit", weird, farmer),
    }
    if attack:
        for name, *args in calls.values():
            farmer.teach(farm, farm.data_of(name, *args), sender=adder)
    weird.become(way, sender=adder)

    def act(name: str) -> None:
        farmer.act(farm, farm.data_of(*calls[name]), sender=adder)

    farmer.act(weird, weird.data_of("approve", farm, INFINITE), sender=adder)
    for name in ("addStream", "stake", "enable", "stakeWithPermit"):
        act(name)
    process.pass_time(DAY)
    for name in ("claim", "unstake", "stake", "disable", "claim", "enable"):
        act(name)
    process.pass_time(DAY)
    act("exit")
    act("stake")
    act("enable")
    process.pass_time(DAY)
    act("emergencyExit")
    process.pass_time(20 * DAY)
    act("reclaim")
    state = [*scene.digest(weird), weird.balanceOf(farmer), farm.stakeOf(weird, farmer), farm.earned(other, farmer)]
    return state, farmer


@pytest.mark.parametrize("way", [Way.HOOKS_BEFORE, Way.HOOKS_AFTER])
def test_H1_reentry_from_every_callback_equals_the_sequential_run(project, way):
    sequential, _ = reenter(project, way, attack=False)
    state, farmer = reenter(project, way, attack=True)
    assert state == sequential
    callbacks, failures = farmer.callbacks(), farmer.failures()
    assert callbacks >= 11
    assert farmer.successes() == 0
    assert len(failures) == 10 * callbacks
    assert {bytes(f) for f in failures} == {keccak(text="ReentrancyGuardReentrantCall()")[:4]}
