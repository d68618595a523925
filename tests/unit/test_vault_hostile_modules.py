"""No module can stop a report, change its books, or read them half written."""

from __future__ import annotations

import math
from contextlib import contextmanager
from fractions import Fraction
from unittest.mock import patch

import ape
import pytest
from ape_foundry import FoundryProvider
from eth_abi import decode, encode
from eth_utils import keccak

from tests.helpers import (
    ETHER,
    GWEI,
    ZERO,
    advance_frame,
    consensus_report,
    deposit_to_beacon,
    give_ether,
    next_at,
    now,
    oracle_account,
    report_as_oracle,
    report_of,
    set_rate,
    signatures_of,
    stake,
    warp_to,
)
from tests.reverts import reverts

LOSS = 5 * ETHER
TRANSACTION_GAS = 16_777_216
"""The most that one transaction may have on mainnet (EIP-7825)."""
MODES = ("revert", "revert with a megabyte", "return a megabyte", "give and revert", "burn all gas")
BURN = MODES.index("burn all gas")
# runtime codes
NOTHING = "0x"
STOPS = "0x00"  # accepts everything, returns nothing
REVERTS = "0x5f5ffd"
BURNS = "0xfe"  # all the gas it gets
RETURNS_LONG = "0x621000005ff3"  # a megabyte of zeros


@pytest.fixture(scope="module")
def vault(protocol):
    return protocol.vault


@pytest.fixture(scope="module")
def token(protocol):
    return protocol.token


@pytest.fixture(scope="module")
def staker(protocol):
    """2,000 ether pooled at an odd rate, 960 of them on the consensus layer, nothing unvested."""
    stake(protocol, protocol.actors.staker, 1_999 * ETHER)
    deposit_to_beacon(protocol, 960 * GWEI)
    set_rate(protocol, 123_456_789_123 * GWEI)
    return protocol.actors.staker


def report_within_gas(protocol, *, gain=0, at=None):
    """Report as the oracle with the gas of one transaction."""
    at = now() + 1 if at is None else at
    report = consensus_report(protocol, gain=gain, reference_time=at)
    oracle = oracle_account(protocol)
    next_at(at)
    with quick_failure():
        return protocol.vault.report(report, sender=oracle, gas=TRANSACTION_GAS)


@contextmanager
def quick_failure():
    """Without ape's trace of a transaction that fails: that of one with millions of steps is huge."""

    def cheap(_, failure, **__):
        return ape.exceptions.ContractLogicError(revert_message=str(failure), set_ape_traceback=False)

    with patch.object(FoundryProvider, "get_virtual_machine_error", cheap):
        yield


def set_code(target, code: str) -> None:
    ape.chain.provider.make_request("anvil_setCode", [target.address, code])


def moved(token, sender, receiver, shares):
    return token.Transfer(**{"from": sender, "to": receiver, "value": shares})


# --- Modules that fail ---


@pytest.mark.parametrize("mode", range(len(MODES)), ids=MODES)
@pytest.mark.parametrize("place", ["bonds", "cover"])
def test_failing_module_covers_nothing_and_stops_nothing(protocol, vault, token, staker, place, mode):
    failing = staker.deploy(ape.project.FailingCover, token, mode)
    protocol.as_governor(vault.setBonds if place == "bonds" else vault.setCover, failing)
    token.transfer(failing, 20 * ETHER, sender=staker)
    if place == "bonds":  # the next step takes over
        token.transfer(protocol.cover, 20 * ETHER, sender=staker)
    pooled, supply, rate = vault.pooled(), vault.supply(), Fraction(vault.pooled(), vault.supply())
    at = now() + 10
    tx = report_within_gas(protocol, gain=-LOSS, at=at)
    asked = math.ceil(LOSS / rate)
    burnt = asked if place == "bonds" else 0
    bonds_give_nothing = vault.LossCovered(module=protocol.bonds, shares=0, assets=0)  # nobody is at fault
    assert tx.events == [
        *([bonds_give_nothing] if place == "cover" else []),
        vault.LossCovered(module=failing, shares=0, assets=0),
        *(
            [
                protocol.cover.Covered(wanted=asked, given=asked),
                moved(token, protocol.cover, vault, asked),
                vault.LossCovered(module=protocol.cover, shares=asked, assets=LOSS),
                moved(token, vault, ZERO, asked),
            ]
            if place == "bonds"
            else [vault.LossShared(assets=LOSS)]
        ),
        vault.Reported(
            referenceTime=at, profit=-LOSS, rewards=0, pooled=pooled - LOSS, unvested=0, supply=supply - burnt
        ),
    ]
    assert token.balanceOf(failing) == 20 * ETHER


def test_two_modules_that_burn_all_gas_do_not_stop_a_report(protocol, vault, token, staker):
    """D5: bonds, cover fund and gateway burn what they get; the whole path through the oracle fits one transaction."""
    burning = staker.deploy(ape.project.FailingCover, token, BURN)
    protocol.as_governor(vault.setBonds, burning)
    protocol.as_governor(vault.setCover, burning)
    set_code(protocol.gateway, BURNS)
    advance_frame(protocol)
    report = report_of(protocol, gain=-LOSS)
    pooled = vault.pooled()
    signatures = signatures_of(protocol, report)
    with quick_failure():
        protocol.oracle.submit(report.as_tuple(), signatures, sender=protocol.actors.stranger, gas=TRANSACTION_GAS)
    assert vault.pooled() == pooled - LOSS


@pytest.mark.parametrize("code", [NOTHING, STOPS, REVERTS, BURNS, RETURNS_LONG])
@pytest.mark.parametrize("place", ["bonds", "cover"])
def test_module_without_sense_does_not_stop_a_report(protocol, vault, token, staker, place, code):
    """D5: a module may lose its code: an account that had delegated (EIP-7702) and has taken that back."""
    module = staker.deploy(ape.project.BondStandIn, token, 0)
    protocol.as_governor(vault.setBonds if place == "bonds" else vault.setCover, module)
    set_code(module, code)
    pooled, supply = vault.pooled(), vault.supply()
    report_within_gas(protocol, gain=-LOSS)
    assert (vault.pooled(), vault.supply()) == (pooled - LOSS, supply)


@pytest.mark.parametrize("code", [STOPS, REVERTS, BURNS, RETURNS_LONG])
@pytest.mark.parametrize("gain", [-ETHER, 0, ETHER])
def test_gateway_of_any_code_does_not_stop_a_report(protocol, vault, staker, gain, code):
    """D5, J3: the gateway is the one replaceable contract that every report calls."""
    give_ether(protocol.gateway, ETHER)
    set_code(protocol.gateway, code)
    pooled, outside = vault.pooled(), vault.outside()
    report_within_gas(protocol, gain=gain)
    assert (vault.pooled(), vault.outside()) == (pooled + gain, outside + gain)


# --- Too little gas ---


def test_starved_report_fails_as_a_whole_or_takes_the_cover(protocol, vault, token, staker):
    """Whoever submits chooses the gas. With no amount of it does the report pass and the fund's call fail."""
    token.transfer(protocol.cover, 20 * ETHER, sender=staker)
    shares = token.balanceOf(protocol.cover)
    oracle = oracle_account(protocol)
    warp_to(now() + 10)
    report = consensus_report(protocol, gain=-LOSS)

    def passes(gas: int) -> bool:
        """Whether the report passes with ``gas``; if so the fund must have paid."""
        before = ape.chain.snapshot()
        try:
            with quick_failure():
                vault.report(report, sender=oracle, gas=gas)
        except ape.exceptions.VirtualMachineError:
            return False
        else:
            assert token.balanceOf(protocol.cover) < shares, gas
            return True
        finally:
            ape.chain.restore(before)

    with reverts(vault.GasTooLow, needed=1_000_000):
        vault.report(report, sender=oracle, gas=1_000_000)
    low, high = 21_000, 2_000_000
    assert passes(high)
    while high - low > 50:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    assert all(passes(gas) for gas in (high + 100, high + 5_000, high + 50_000))


# --- Modules that re-enter ---


@pytest.fixture
def reentering(protocol, vault, token, staker):
    """Is bonds, oracle and depositor at once: everything that governance could hand to one contract."""
    module = staker.deploy(ape.project.ReenteringCover, token)
    give_ether(module, 100 * ETHER)
    protocol.as_governor(vault.setBonds, module)
    token.transfer(module, 20 * ETHER, sender=staker)
    return module


def selector(error) -> bytes:
    return keccak(text=error.abi.selector)[:4]


def raw(signature: str, *args) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",") if args else []
    return keccak(text=signature)[:4] + encode(types, [getattr(a, "address", a) for a in args])


def test_H1_module_cannot_stake_report_or_redeem_while_a_report_runs(protocol, vault, token, staker, reentering):
    """Nothing that changes pool or frame runs before the report has written them."""
    queue = protocol.queue
    queue.request(ETHER, staker, sender=staker)  # the running report covers it
    protocol.as_governor(vault.setDepositor, reentering, True)
    ape.chain.mine(deltatime=protocol.params.queue.stale_after)
    calls = {
        "stake": (vault, ETHER, vault.stake.encode_input(reentering, 0, ZERO)),
        "plain ether": (vault, ETHER, b""),
        "deposit": (vault, ETHER, vault.deposit.encode_input(ETHER, reentering)),
        "mint": (vault, 3 * ETHER, vault.mint.encode_input(ETHER, reentering)),
        "depositToBeacon": (vault, 0, vault.depositToBeacon.encode_input([])),
        "finalize": (queue, 0, queue.finalize.encode_input(1)),
        "stake for rslETH": (protocol.rebasing, ETHER, protocol.rebasing.stake.encode_input(reentering, 0, ZERO)),
    }
    reentering.arm(list(calls.values()), sender=staker)
    supply, pooled = vault.supply(), vault.pooled()
    report_as_oracle(protocol, gain=-LOSS)
    refusals = [(succeeded, bytes(result)) for succeeded, result in reentering.outcomes()]
    assert dict(zip(calls, refusals, strict=True)) == dict.fromkeys(calls, (False, selector(vault.ReportInProgress)))
    assert vault.pooled() == pooled - LOSS
    assert vault.supply() == supply - 20 * ETHER
    assert vault.buffer() == vault.balance
    # afterwards all of it works again
    vault.stake(staker, 0, ZERO, sender=staker, value=ETHER)
    queue.finalize(1, sender=staker)


def test_H1_oracle_that_is_a_module_cannot_report_within_a_report(protocol, vault, token, staker, reentering):
    protocol.as_governor(vault.setOracle, reentering)
    warp_to(now() + 10)
    report = consensus_report(protocol, gain=-LOSS)
    inner = dict(report, referenceTime=report["referenceTime"] + 1)
    reentering.arm([(vault, 0, vault.report.encode_input(inner))], sender=staker)
    as_module = protocol.impersonate(reentering, 100 * ETHER)
    next_at(now() + 100)
    vault.report(report, sender=as_module)
    ((succeeded, result),) = reentering.outcomes()
    assert (succeeded, bytes(result)) == (False, selector(vault.ReportInProgress))


def test_H1_module_cannot_sweep_while_a_report_runs(protocol, vault, token, staker, reentering):
    """The report writes the counter of sweeps at its end: one in between would be forgotten, and its ether stuck."""
    give_ether(protocol.gateway, 32 * ETHER)
    reentering.arm([(protocol.gateway, 0, protocol.gateway.sweep.encode_input())], sender=staker)
    outside, buffer, pooled = vault.outside(), vault.buffer(), vault.pooled()
    tx = report_as_oracle(protocol, gain=-LOSS)
    ((succeeded, result),) = reentering.outcomes()
    assert (succeeded, bytes(result)) == (False, selector(vault.ReportInProgress))
    # the report's own sweep comes after all is written
    assert tx.events[-2:] == [protocol.gateway.Swept(amount=32 * ETHER), vault.SweepReceived(amount=32 * GWEI)]
    assert vault.outside() == outside - LOSS - 32 * ETHER
    assert vault.buffer() == buffer + 32 * ETHER == vault.balance
    assert vault.pooled() == pooled - LOSS
    assert vault.consensus()[2] == 32 * GWEI


def test_H2_rate_within_a_report_is_that_before_it(protocol, vault, token, staker, reentering):
    """Read-only re-entrancy: what lends against slETH sees the old rate or the new one, never one in between."""
    reads = {
        "rate()": (),
        "totalAssets()": (),
        "pooled()": (),
        "supply()": (),
        "unvested()": (),
        "buffer()": (),
        "outside()": (),
        "convertToAssets(uint256)": (ETHER,),
        "convertToShares(uint256)": (ETHER,),
        "previewDeposit(uint256)": (ETHER,),
        "previewMint(uint256)": (ETHER,),
        "previewRedeem(uint256)": (ETHER,),
    }
    report_as_oracle(protocol, gain=ETHER)
    at = now() + 1_000
    warp_to(at)
    reentering.arm([(vault, 0, raw(name, *args)) for name, args in reads.items()], sender=staker)
    warp_to(now() + 1_000)
    unvested = vault.unvested()
    at = now()
    before = vault.pooled(), vault.supply()
    counted = {"buffer()": vault.buffer(), "outside()": vault.outside()}
    report_as_oracle(protocol, gain=-LOSS, at=at + 1)
    got = {
        name: decode(["uint256"], result)[0]
        for (name, _), (succeeded, result) in zip(reads.items(), reentering.outcomes(), strict=True)
        if succeeded
    }
    assert set(got) == set(reads)
    pooled, supply = before
    total = pooled - got["unvested()"]
    assert unvested - got["unvested()"] <= math.ceil(ETHER / 86_400)  # of one second later
    assert got == {
        "rate()": total * 10**18 // supply,
        "totalAssets()": total,
        "pooled()": pooled,
        "supply()": supply,
        "unvested()": got["unvested()"],
        **counted,
        "convertToAssets(uint256)": ETHER * total // supply,
        "convertToShares(uint256)": ETHER * supply // total,
        "previewDeposit(uint256)": ETHER * supply // total,
        "previewMint(uint256)": math.ceil(Fraction(ETHER * total, supply)),
        "previewRedeem(uint256)": ETHER * total // supply,
    }
    assert vault.pooled() == pooled - LOSS
