// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BasketStateLib, TokenHolding, TokenSettings} from "../../../contracts/libraries/BasketState.sol";
import {RateState, RateStateLib} from "../../../contracts/libraries/RateState.sol";

/// @dev A field that is written leaves the others as they were.
contract LiquidityStateFuzz {
    uint256 private constant TIME = (1 << 34) - 1;

    function testFuzz_settings_are_told_as_they_were_given(
        address provider,
        int16 inFee,
        int16 outFee,
        uint16 shareCap,
        uint32 cap,
        bool off,
        bool exact
    ) public pure {
        TokenSettings s = BasketStateLib.listedSettings(provider, inFee, outFee, shareCap, cap, off, exact);
        assert(s.provider() == provider && s.inFee() == uint16(inFee) && s.outFee() == outFee);
        (uint256 charge, uint256 bonus) = s.outFees();
        assert(int256(charge) - int256(bonus) == outFee && (charge == 0 || bonus == 0));
        assert(s.shareCap() == shareCap && s.cap() == cap && s.listed());
        assert(s.inputOff() == off && s.exactTransfers() == exact);
        assert(!TokenSettings.wrap(0).listed());
    }

    function testFuzz_a_holding_keeps_what_is_not_written(
        uint208 before,
        uint40 until,
        uint256 limit,
        uint40 later,
        uint104 moved
    ) public pure {
        TokenHolding h = TokenHolding.wrap(before).withCutOff(until).withShareLimit(limit);
        uint256 balance = uint104(before);
        uint256 most = limit < type(uint104).max ? limit : type(uint104).max;
        assert(h.balance() == balance && h.shareLimit() == most && h.cutOffUntil() == until);
        h = h.withCutOff(later);
        assert(h.balance() == balance && h.shareLimit() == most && h.cutOffUntil() == later);
        if (moved <= balance) {
            h = h.minus(moved);
            assert(h.balance() == balance - moved && h.shareLimit() == most && h.cutOffUntil() == later);
            h = h.plus(moved);
        }
        uint256 room = type(uint104).max - balance;
        h = h.plus(moved <= room ? moved : room);
        assert(h.balance() == balance + (moved <= room ? moved : room));
        assert(h.shareLimit() == most && h.cutOffUntil() == later);
    }

    function testFuzz_a_balance_that_does_not_fit_reverts(uint208 before, uint256 more) public {
        uint256 room = type(uint104).max - uint104(before);
        if (more <= room) more = room + 1;
        try this.plus(TokenHolding.wrap(before), more) {
            assert(false);
        } catch {}
    }

    function plus(TokenHolding holding, uint256 amount) external pure returns (TokenHolding) {
        return holding.plus(amount);
    }

    function testFuzz_a_rate_state_keeps_what_is_not_written(
        uint256 low,
        uint256 high,
        uint256 recorded,
        uint256 reported,
        uint256 proven,
        bool halted,
        bool off
    ) public pure {
        (low, high) = (low & RateStateLib.MAX_RATE, high & RateStateLib.MAX_RATE);
        (recorded, reported, proven) = (recorded & TIME, reported & TIME, proven & TIME);
        RateState s = RateState.wrap(type(uint256).max >> 1).withProof(proven);
        if (off) s = s.switchedOff();
        s = s.withHalted(!halted).withRecord(low, high, recorded, reported).withHalted(halted);
        assert(s.low() == low && s.high() == high && s.recordedAt() == recorded && s.reportedAt() == reported);
        assert(s.provenAt() == proven && s.halted() == halted && s.off() == off);
        s = s.withReport(~reported & TIME);
        assert(s.low() == low && s.high() == high && s.recordedAt() == recorded && s.provenAt() == proven);
        assert(s.reportedAt() == ~reported & TIME && s.halted() == halted && s.off() == off);
        s = s.withReport(reported).withProof(~proven & TIME);
        assert(s.low() == low && s.high() == high && s.recordedAt() == recorded && s.reportedAt() == reported);
        assert(s.provenAt() == ~proven & TIME && s.halted() == halted && s.off() == off);
    }
}
