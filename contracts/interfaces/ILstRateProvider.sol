// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Rate provider of a liquid staking token
/// @notice What one token is worth in ether by its own protocol, never by a market: a low and a high value, and whether
/// they can be relied on now. Rates are wei for 1e18 wei of the token (1e18 = 1), low rounded down, high rounded up.
///
/// What a provider answers for:
///  - *code*: the token, the contract that tells the rate and, where that is a proxy, its implementation are those of the
///    deployment. Every reading compares code hashes. An implementation that no view function tells is proven from a block
///    (see {proveImplementation}).
///  - *moves*: from the last recorded rate, `low` falls by at most `maxFall`, `high` rises by at most `maxRise` for each
///    whole day since, one at least and {MAX_DAYS} at most.
///  - *freshness*: the token's newest report that was recorded, or the last recorded change of the rate of a token that tells
///    none, is at most `maxAge` old. So somebody has to {poke} now and then; who swaps does not pay for asking again.
///
/// Not for rates that can be moved within one transaction: who moves one beyond the bounds and pokes halts its provider until
/// governance accepts.
///
/// Every reading with a price ({rates}, {toEther}, {toTokens}) reverts while one of these does not hold.
interface ILstRateProvider {
    /// @notice Why a rate cannot be relied on.
    enum Health {
        Healthy,
        SwitchedOff, // other code was seen or proven: for good
        CodeChanged, // of the token, the source or the implementation
        ImplementationChanged, // the proxy names another one
        ProofTooOld, // nobody has proven the implementation for `maxProofAge`
        RateInvalid, // zero, low above high, or above 2^76 - 1
        Halted, // a move beyond the bounds was seen and not accepted yet
        Fell, // `low` is below the bound
        Rose, // `high` is above the bound
        SlashingPending, // of slETH, told by the basket: a slashing was proven that no report has counted
        Stale, // the report that was recorded last, or the last recorded change, is too old
        SourceFailed // the source reverts; told by {health} alone
    }

    /// @notice What is allowed to move and to age. 2 + 2 + 4 = 8 bytes.
    struct Limits {
        uint16 maxRise; // of `high`, bps a day
        uint16 maxFall; // of `low`, bps since the last record
        uint32 maxAge; // seconds, above {WINDOW}
    }

    /// @notice How the implementation behind a proxy is known. All zero where there is no proxy.
    struct Pin {
        address probe; // contract that tells it; zero where none does
        bytes4 selector; // of the view function on `probe`
        bytes32 argument; // its argument; ignored by functions without one
        address implementation; // without `probe`: what stands in `slot` of the source, to be proven
        bytes32 slot; // zero for that of ERC-1967
        uint32 maxProofAge; // seconds; zero where no fresh proof is asked for
    }

    /// @notice A rate was recorded, against which later moves are measured, and the time of the token's newest report (seconds;
    /// now, of a token that tells none; zero for one from the future, which is stale).
    event RateRecorded(uint256 low, uint256 high, uint256 reportedAt);
    /// @notice A newer report was recorded alone: it tells the rate of the record, or comes within a day of it.
    event ReportRecorded(uint256 reportedAt);
    /// @notice A move beyond the bounds was seen. The provider is of no use until governance accepts.
    event MoveSeen(Health reason, uint256 low, uint256 high, uint256 recordedLow, uint256 recordedHigh);
    /// @notice Governance accepted a rate.
    event RateAccepted(uint256 low, uint256 high);
    /// @notice The pinned implementation stood in the source at `timestamp`, seconds.
    event ImplementationProven(uint256 timestamp);
    /// @notice Other code was seen or proven: of no use from now on.
    event ProviderSwitchedOff(Health reason, address implementation);

    error Unhealthy(address token, Health reason);
    error LimitsOutOfBounds(uint256 maxRise, uint256 maxFall, uint256 maxAge);
    error NotAContract(address account);
    /// @notice Of `source`, the probe's answer is not a contract.
    error ImplementationMissing(address source);
    /// @notice There is no newer report, and no other rate, or only one that can be recorded from `next` on (seconds; zero
    /// where the rate is that of the record).
    error NothingNew(uint256 next);
    error RatesNotAccepted(uint256 low, uint256 high, uint256 minLow, uint256 maxHigh);
    /// @notice The implementation of this provider is not one that is proven.
    error ProofNotUsed();
    /// @notice Not a header of one of the last 8191 blocks.
    error HeaderUnknown(uint256 number);
    /// @notice The block is not younger than the provider (`bound`), or than the newest proof.
    error ProofOutOfOrder(uint256 timestamp, uint256 bound);

    // --- Reading ---

    function token() external view returns (address);
    /// @notice Contract that tells the rate; often the token itself.
    function source() external view returns (address);
    /// @notice Pinned implementation behind the source; zero where there is none.
    function implementation() external view returns (address);

    /// @notice Rates of now. Errors: {Unhealthy}, whatever the source reverts with.
    /// @return low wei for 1e18 wei of the token, rounded down: what a holder can count on, after an exit fee
    /// @return high the same rounded up: what the token may be worth at most
    function rates() external view returns (uint256 low, uint256 high);
    /// @notice Worth of `amount` of the token, wei, low rounded down and high rounded up. Errors: as {rates}.
    function toEther(uint256 amount) external view returns (uint256 low, uint256 high);
    /// @notice Tokens that `assets` wei are worth, low rounded down and high rounded up. Errors: as {rates}.
    function toTokens(uint256 assets) external view returns (uint256 low, uint256 high);
    /// @notice What {rates} would return and whether it would; reverts only where the source does.
    function reading() external view returns (Health reason, uint256 low, uint256 high);
    /// @notice Never reverts, if the source leaves gas.
    function health() external view returns (Health reason);
    function healthy() external view returns (bool);
    /// @notice Errors: {Unhealthy}.
    function requireHealthy() external view;

    /// @notice Last recorded rates and when, and the report that was recorded last, seconds.
    function record() external view returns (uint256 low, uint256 high, uint256 recordedAt, uint256 reportedAt);
    /// @notice Time of the token's newest report as it tells it now, seconds; 0 where it tells none.
    function newestReport() external view returns (uint256);
    /// @notice Time of the youngest block that proved the pinned implementation, seconds.
    function provenAt() external view returns (uint256);
    function limits() external view returns (Limits memory);
    /// @notice Least time between two records, seconds.
    function WINDOW() external view returns (uint256);
    /// @notice Most days of rise that are allowed at once, however long nobody recorded.
    function MAX_DAYS() external view returns (uint256);

    // --- Anyone ---

    /// @notice Record the newest report, at any time, and the rates of now if they have changed, at most once in {WINDOW}; or
    /// write down what is wrong: a move beyond the bounds halts until {accept}, other code switches off for good, both at any time.
    /// @return reason `Healthy`, or what was written down
    /// @dev Errors: {Unhealthy} for what is not written down, {NothingNew}, whatever tells rate and report reverts with.
    function poke() external returns (Health reason);

    /// @notice Prove what implementation the source had in a block of the last 8191. The pinned one renews the proof;
    /// another one switches the provider off for good.
    /// @param header RLP of the block's header
    /// @param accountProof of the source, from the state root (EIP-1186)
    /// @param storageProof of the slot, from the account's storage root
    /// @dev Errors: {ProofNotUsed}, {HeaderUnknown}, {ProofOutOfOrder}, those of OpenZeppelin's RLP and TrieProof.
    function proveImplementation(bytes calldata header, bytes[] calldata accountProof, bytes[] calldata storageProof)
        external;

    // --- Governance (restricted) ---

    /// @notice Take the rates of now as the record, whatever they were before, and end a halt.
    /// @dev Errors: {RatesNotAccepted} where they are outside what governance looked at, {Unhealthy} where the code has
    /// changed or the rates are invalid.
    function accept(uint256 minLow, uint256 maxHigh) external;
}
