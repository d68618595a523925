// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BasketStateLib, PoolState, TokenHolding, TokenSettings} from "../../../contracts/libraries/BasketState.sol";
import {RateState} from "../../../contracts/libraries/RateState.sol";

/// @dev A field that is written leaves the others as they were.
contract LiquidityStateFuzz {
    function testFuzz_settings_are_told_as_they_were_given(
        address provider,
        int16 inFee,
        int16 outFee,
        uint16 shareCap,
        uint32 cap,
        bool off
    ) public pure {
        TokenSettings s = BasketStateLib.listedSettings(provider, inFee, outFee, shareCap, cap, off);
        assert(s.provider() == provider && s.inFee() == uint16(inFee) && s.outFee() == outFee);
        assert(int256(s.outCharge()) - int256(s.outBonus()) == outFee && (s.outCharge() == 0 || s.outBonus() == 0));
        assert(s.shareCap() == shareCap && s.cap() == cap && s.inputOff() == off && s.listed());
        assert(!TokenSettings.wrap(0).listed());
    }

    function testFuzz_a_holding_keeps_its_cut_off_and_a_cut_off_its_amounts(
        uint208 before,
        uint40 until,
        uint104 balance,
        uint104 value,
        uint40 later
    ) public pure {
        TokenHolding h = TokenHolding.wrap(before).withCutOff(until).withAmounts(balance, value);
        assert(h.balance() == balance && h.value() == value && h.cutOffUntil() == until);
        h = h.withCutOff(later);
        assert(h.balance() == balance && h.value() == value && h.cutOffUntil() == later);
    }

    function testFuzz_a_pool_keeps_what_is_not_written(
        uint128 total,
        uint40 until,
        uint16 fee,
        uint128 minus,
        uint128 plus
    ) public pure {
        PoolState pool = PoolState.wrap(0).withTotal(0, total).withLpFee(type(uint16).max).withPausedUntil(until);
        pool = pool.withLpFee(fee);
        assert(pool.total() == total && pool.pausedUntil() == until && pool.lpFee() == fee);
        minus = total == type(uint128).max ? minus : minus % (total + 1);
        plus = uint128(uint256(plus) % (uint256(type(uint128).max - (total - minus)) + 1));
        pool = pool.withTotal(minus, plus).withPausedUntil(~until);
        assert(pool.total() == total - minus + plus && pool.pausedUntil() == ~until && pool.lpFee() == fee);
    }

    function testFuzz_a_rate_state_keeps_what_is_not_written(
        uint80 low,
        uint80 high,
        uint40 recorded,
        uint40 proven,
        bool halted,
        bool off
    ) public pure {
        RateState s = RateState.wrap(type(uint248).max).withProof(proven);
        if (off) s = s.switchedOff();
        s = s.withHalted(!halted).withRecord(low, high, recorded).withHalted(halted);
        assert(s.low() == low && s.high() == high && s.recordedAt() == recorded && s.provenAt() == proven);
        assert(s.halted() == halted && s.off() == off);
        s = s.withProof(~proven);
        assert(s.low() == low && s.high() == high && s.recordedAt() == recorded && s.provenAt() == ~proven);
        assert(s.halted() == halted && s.off() == off);
    }
}
