// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ILstRateProvider} from "../../interfaces/ILstRateProvider.sol";
import {BPS} from "../../libraries/Constants.sol";
import {RateState, RateStateLib} from "../../libraries/RateState.sol";

/// @title Rate provider
/// @notice See {ILstRateProvider}. What is particular to a token is in the contracts beside this one.
abstract contract LstRateProvider is ILstRateProvider, AccessManaged {
    uint256 internal constant ONE = 1e18;
    uint256 private constant MAX_RISE = 100; // bps a day
    uint256 private constant MAX_FALL = 100; // bps
    uint256 private constant MAX_AGE = 30 days;
    /// @dev keccak256("eip1967.proxy.implementation") - 1
    bytes32 private constant ERC1967_SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    /// @inheritdoc ILstRateProvider
    uint256 public constant WINDOW = 1 days;
    /// @inheritdoc ILstRateProvider
    uint256 public constant MAX_DAYS = 7;

    address internal immutable TOKEN;
    address internal immutable SOURCE;
    address internal immutable IMPLEMENTATION; // zero where there is no proxy
    bytes32 private immutable TOKEN_HASH;
    bytes32 private immutable SOURCE_HASH;
    bytes32 private immutable IMPLEMENTATION_HASH;
    address private immutable PROBE; // zero where the implementation is proven, or there is none
    bytes4 private immutable PROBE_SELECTOR;
    bytes32 private immutable PROBE_ARGUMENT;
    bytes32 private immutable SLOT;
    uint256 private immutable PROOF_AGE; // seconds, zero for any
    uint256 private immutable RISE;
    uint256 private immutable FALL;
    uint256 private immutable AGE; // seconds
    uint256 private immutable BORN; // seconds

    RateState private _state;

    constructor(address authority_, Limits memory limits_, Pin memory pin, address token_, address source_)
        AccessManaged(authority_)
    {
        if (
            limits_.maxRise == 0 || limits_.maxRise > MAX_RISE || limits_.maxFall > MAX_FALL || limits_.maxAge <= WINDOW
                || limits_.maxAge > MAX_AGE
        ) revert LimitsOutOfBounds(limits_.maxRise, limits_.maxFall, limits_.maxAge);
        if (token_.code.length == 0) revert NotAContract(token_);
        if (source_.code.length == 0) revert NotAContract(source_);
        TOKEN = token_;
        SOURCE = source_;
        TOKEN_HASH = token_.codehash;
        SOURCE_HASH = source_.codehash;
        RISE = limits_.maxRise;
        FALL = limits_.maxFall;
        AGE = limits_.maxAge;
        BORN = block.timestamp;

        PROBE = pin.probe;
        PROBE_SELECTOR = pin.selector;
        PROBE_ARGUMENT = pin.argument;
        SLOT = pin.slot == bytes32(0) ? ERC1967_SLOT : pin.slot;
        PROOF_AGE = pin.probe == address(0) ? pin.maxProofAge : 0;
        address behind = pin.probe == address(0) ? pin.implementation : _ask(pin.probe, pin.selector, pin.argument);
        bool expected = pin.probe != address(0) || pin.implementation != address(0) || pin.maxProofAge != 0;
        if (expected && behind.code.length == 0) revert ImplementationMissing(source_);
        IMPLEMENTATION = behind;
        IMPLEMENTATION_HASH = behind.codehash;
    }

    // --- Reading ---

    /// @inheritdoc ILstRateProvider
    function token() external view returns (address) {
        return TOKEN;
    }

    /// @inheritdoc ILstRateProvider
    function source() external view returns (address) {
        return SOURCE;
    }

    /// @inheritdoc ILstRateProvider
    function implementation() external view returns (address) {
        return IMPLEMENTATION;
    }

    /// @inheritdoc ILstRateProvider
    function rates() public view returns (uint256 low, uint256 high) {
        Health reason;
        (reason, low, high) = reading();
        if (reason != Health.Healthy) revert Unhealthy(TOKEN, reason);
    }

    /// @inheritdoc ILstRateProvider
    function toEther(uint256 amount) external view returns (uint256 low, uint256 high) {
        (low, high) = rates();
        low = Math.mulDiv(amount, low, ONE);
        high = Math.mulDiv(amount, high, ONE, Math.Rounding.Ceil);
    }

    /// @inheritdoc ILstRateProvider
    function toTokens(uint256 assets) external view returns (uint256 low, uint256 high) {
        (uint256 lowRate, uint256 highRate) = rates();
        low = Math.mulDiv(assets, ONE, highRate);
        high = Math.mulDiv(assets, ONE, lowRate, Math.Rounding.Ceil);
    }

    /// @inheritdoc ILstRateProvider
    function reading() public view returns (Health reason, uint256 low, uint256 high) {
        RateState state = _state;
        reason = _codeHealth(state);
        if (reason != Health.Healthy) return (reason, 0, 0);
        (low, high) = _readSource();
        reason = _rateHealth(state, low, high);
    }

    /// @inheritdoc ILstRateProvider
    function health() public view returns (Health reason) {
        try this.reading() returns (Health found, uint256, uint256) {
            return found;
        } catch {
            return Health.SourceFailed;
        }
    }

    /// @inheritdoc ILstRateProvider
    function healthy() external view returns (bool) {
        return health() == Health.Healthy;
    }

    /// @inheritdoc ILstRateProvider
    function requireHealthy() external view {
        Health reason = health();
        if (reason != Health.Healthy) revert Unhealthy(TOKEN, reason);
    }

    /// @inheritdoc ILstRateProvider
    function record() external view returns (uint256 low, uint256 high, uint256 recordedAt, uint256 reportedAt) {
        return (_state.low(), _state.high(), _state.recordedAt(), _state.reportedAt());
    }

    /// @inheritdoc ILstRateProvider
    function provenAt() external view returns (uint256) {
        return _state.provenAt();
    }

    /// @inheritdoc ILstRateProvider
    function newestReport() external view returns (uint256) {
        return _reportTime();
    }

    /// @inheritdoc ILstRateProvider
    function limits() external view returns (Limits memory) {
        return Limits(uint16(RISE), uint16(FALL), uint32(AGE)); // as given
    }

    // --- Anyone ---

    /// @inheritdoc ILstRateProvider
    function poke() external returns (Health reason) {
        RateState state = _state;
        uint256 low;
        uint256 high;
        (reason, low, high) = reading();
        if (reason == Health.CodeChanged || reason == Health.ImplementationChanged) {
            _switchOff(reason, PROBE == address(0) ? IMPLEMENTATION : _probed());
            return reason;
        }
        if (reason == Health.Fell || reason == Health.Rose) {
            _state = _state.withHalted(true);
            emit MoveSeen(reason, low, high, state.low(), state.high());
            return reason;
        }
        // what has grown old is the record
        if (reason != Health.Healthy && reason != Health.Stale) revert Unhealthy(TOKEN, reason);
        uint256 reported = _reportTime();
        if (reported != 0 && _isStale(reported)) revert Unhealthy(TOKEN, Health.Stale);
        bool moved = low != state.low() || high != state.high();
        uint256 next = state.recordedAt() + WINDOW;
        if (moved && block.timestamp >= next) {
            _write(low, high, reported);
        } else {
            // without the rate, which bounds the next one for each day since its own record
            if (reported <= state.reportedAt()) revert NothingNew(moved ? next : 0);
            _state = state.withReport(reported);
            emit ReportRecorded(reported);
        }
        return Health.Healthy;
    }

    /// @inheritdoc ILstRateProvider
    function proveImplementation(bytes calldata header, bytes[] calldata accountProof, bytes[] calldata storageProof)
        external
    {
        if (PROBE != address(0) || IMPLEMENTATION == address(0)) revert ProofNotUsed();
        bytes memory headerRlp = header;
        if (!BlockHeader.verifyBlockHeader(headerRlp)) revert HeaderUnknown(BlockHeader.getNumber(headerRlp));
        uint256 time = BlockHeader.getTimestamp(headerRlp);
        if (time < BORN) revert ProofOutOfOrder(time, BORN);

        bytes memory account =
            TrieProof.traverse(BlockHeader.getStateRoot(headerRlp), _key(abi.encodePacked(SOURCE)), accountProof);
        bytes32 storageRoot = RLP.readBytes32(RLP.decodeList(account)[2]); // nonce, balance, storage root, code hash
        bytes memory value = TrieProof.traverse(storageRoot, _key(abi.encode(SLOT)), storageProof);
        address found = address(uint160(RLP.decodeUint256(value))); // the slot holds an address

        if (found != IMPLEMENTATION) {
            _switchOff(Health.ImplementationChanged, found);
        } else {
            uint256 last = _state.provenAt();
            if (time <= last) revert ProofOutOfOrder(time, last);
            _state = _state.withProof(time); // of a block that has been
            emit ImplementationProven(time);
        }
    }

    // --- Governance ---

    /// @inheritdoc ILstRateProvider
    function accept(uint256 minLow, uint256 maxHigh) external restricted {
        (Health reason, uint256 low, uint256 high) = reading();
        // before `Halted` stand code and what is no rate at all
        if (reason != Health.Healthy && reason < Health.Halted) revert Unhealthy(TOKEN, reason);
        if (low < minLow || high > maxHigh) revert RatesNotAccepted(low, high, minLow, maxHigh);
        _state = _state.withHalted(false);
        emit RateAccepted(low, high);
        _write(low, high, _reportTime());
    }

    // --- Of the token ---

    /// @dev Wei for 1e18 wei of the token, low rounded down and high up. May revert.
    function _readSource() internal view virtual returns (uint256 low, uint256 high);

    /// @dev Seconds, 0 where the token does not tell.
    function _reportTime() internal view virtual returns (uint256) {
        return 0;
    }

    /// @dev At the end of the constructor of what derives from this: the first record.
    function _start() internal {
        (uint256 low, uint256 high) = _readSource();
        if (!_valid(low, high)) revert Unhealthy(TOKEN, Health.RateInvalid);
        _write(low, high, _reportTime());
    }

    // --- Internal ---

    function _codeHealth(RateState state) private view returns (Health) {
        if (state.off()) return Health.SwitchedOff;
        if (SOURCE.codehash != SOURCE_HASH) return Health.CodeChanged;
        if (TOKEN != SOURCE && TOKEN.codehash != TOKEN_HASH) return Health.CodeChanged;
        if (IMPLEMENTATION == address(0)) return Health.Healthy;
        if (PROBE != address(0) && _probed() != IMPLEMENTATION) return Health.ImplementationChanged;
        if (IMPLEMENTATION.codehash != IMPLEMENTATION_HASH) return Health.CodeChanged;
        unchecked {
            // 34 and 32 bits
            if (PROOF_AGE != 0 && block.timestamp > state.provenAt() + PROOF_AGE) return Health.ProofTooOld;
        }
        return Health.Healthy;
    }

    function _rateHealth(RateState state, uint256 low, uint256 high) private view returns (Health) {
        if (!_valid(low, high)) return Health.RateInvalid;
        if (state.halted()) return Health.Halted;
        unchecked {
            // rates are below 2^76, records of the past, RISE and FALL at most BPS / 100
            if (low * BPS < state.low() * (BPS - FALL)) return Health.Fell;
            uint256 risen = high * BPS;
            if (risen > state.high() * (BPS + RISE)) {
                uint256 days_ = Math.min((block.timestamp - state.recordedAt()) / 1 days, MAX_DAYS);
                if (days_ < 2 || risen > state.high() * (BPS + RISE * days_)) return Health.Rose;
            }
        }
        return _isStale(state.reportedAt()) ? Health.Stale : Health.Healthy;
    }

    /// @dev A report from the future is none.
    function _isStale(uint256 reported) private view returns (bool) {
        unchecked {
            return reported > block.timestamp || block.timestamp - reported > AGE;
        }
    }

    function _valid(uint256 low, uint256 high) private pure returns (bool) {
        return low != 0 && low <= high && high <= RateStateLib.MAX_RATE;
    }

    /// @dev Valid rates. A token without reports (`reported` is zero) has this for one.
    function _write(uint256 low, uint256 high, uint256 reported) private {
        if (reported == 0) reported = block.timestamp;
        else if (reported > block.timestamp) reported = 0;
        _state = _state.withRecord(low, high, block.timestamp, reported);
        emit RateRecorded(low, high, reported);
    }

    function _switchOff(Health reason, address found) private {
        _state = _state.switchedOff();
        emit ProviderSwitchedOff(reason, found);
    }

    function _probed() private view returns (address) {
        return _ask(PROBE, PROBE_SELECTOR, PROBE_ARGUMENT);
    }

    /// @dev Zero for no answer or one that is no address. A function without an argument ignores it. Who leaves too little
    /// gas for the answer has a 64th of it left, too little to write down in {poke} that there was none.
    function _ask(address probe, bytes4 selector, bytes32 argument) private view returns (address) {
        (bool ok, bytes memory answer) = probe.staticcall(abi.encodeWithSelector(selector, argument));
        if (!ok || answer.length != 32) return address(0);
        uint256 word = uint256(bytes32(answer));
        return word <= type(uint160).max ? address(uint160(word)) : address(0);
    }

    function _key(bytes memory path) private pure returns (bytes memory) {
        return abi.encodePacked(keccak256(path));
    }
}
