// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Withdrawal queue
/// @notice ERC-721: one token is one request. A request puts slETH in escrow, where it goes on earning (and bearing
/// losses) until it is finalised: then its shares are redeemed at the rate of the moment and the ether waits for a claim.
/// First in, first out. Shares are counted in gwei units (1e9 wei of slETH); what is below stays with the caller.
interface IWithdrawalQueue {
    /// @notice A request as readers see it.
    struct Request {
        address owner; // zero once claimed
        uint256 shares; // slETH in escrow, wei
        uint256 requestedAt; // seconds
        uint256 assets; // wei: what it pays once finalised, what it would pay now before
        bool finalized;
        bool claimed;
    }

    // --- Events ---

    /// @notice `sender` put `shares` in escrow; `receiver` owns request `id`.
    event Requested(uint256 indexed id, address indexed sender, address indexed receiver, uint256 shares);
    /// @notice Requests `firstId` to `lastId` were finalised together: `shares` for `assets` wei.
    event Finalized(
        uint256 indexed checkpoint, uint256 indexed firstId, uint256 indexed lastId, uint256 shares, uint256 assets
    );
    /// @notice Request `id` paid `assets` wei to `recipient`. Its owner is in the `Transfer` to zero before it.
    event Claimed(uint256 indexed id, address indexed recipient, uint256 assets);

    // --- Errors ---

    error RequestBelowMinimum(uint256 shares, uint256 minimum);
    error PermitExpired(uint256 deadline);
    error PermitSignerInvalid(address owner);
    /// @notice `upTo` is not an open request.
    error RequestNotOpen(uint256 upTo, uint256 firstOpen, uint256 lastOpen);
    /// @notice The newest report is older than the request, or was applied longer than `FINALIZE_WINDOW` ago; and neither
    /// has `STALE_AFTER` passed since.
    error RequestNotCovered(uint256 requestedAt, uint256 referenceTime, uint256 appliedAt);
    error ConfigInvalid();
    error RequestNotFinalized(uint256 id);
    error RequestUnknown(uint256 id);
    error CheckpointInvalid(uint256 id, uint256 checkpoint);
    error NotOwnerOrApproved(address caller, uint256 id);
    error RecipientInvalid(address recipient);
    error RecipientRejectedEther(address recipient, uint256 assets);
    error EtherNotAccepted(address sender);
    error LengthMismatch(uint256 ids, uint256 checkpoints);
    error EmptyBatch();

    // --- Request ---

    /// @notice Hand in `shares` of the caller; no approval is needed. `receiver` owns the request.
    /// @param shares wei of slETH; rounded down to whole gwei, the rest stays with the caller
    /// @dev Errors: {RequestBelowMinimum}, `ERC20InsufficientBalance`, {RecipientInvalid} for this contract,
    /// `TransferToZeroAddress`.
    function request(uint256 shares, address receiver) external returns (uint256 id);

    /// @notice As {request} for several amounts.
    /// @return firstId id of the first; the others follow
    function requestBatch(uint256[] calldata shares, address receiver) external returns (uint256 firstId);

    /// @notice As {request} for `owner`, who signed it (EIP-712, ERC-1271 for contracts); anybody may submit.
    /// @param deadline last second at which the signature counts
    /// @dev The signature names the receiver and leaves no allowance behind, so submitting it first does no harm.
    /// Errors: {PermitExpired}, {PermitSignerInvalid}, as {request}.
    function requestWithPermit(
        address owner,
        uint256 shares,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 id);

    // --- Finalise ---

    /// @notice Set ether aside for all open requests up to `upTo`, at the rate of the moment. Anybody may call.
    /// @dev Errors: {RequestNotOpen}, {RequestNotCovered}, `BufferTooLow`.
    /// @return assets wei taken from the vault
    function finalize(uint256 upTo) external returns (uint256 assets);

    // --- Claim ---

    /// @notice Pay request `id` to its owner. Anybody may call. O(log n) in the number of finalisations.
    function claim(uint256 id) external returns (uint256 assets);

    /// @notice Pay request `id` to `recipient`: any for the owner and who it approved, the owner for anybody else.
    /// @param checkpoint from {findCheckpoint}
    /// @dev Errors: {RequestUnknown}, {RequestNotFinalized}, {CheckpointInvalid}, {NotOwnerOrApproved}, {RecipientInvalid},
    /// {RecipientRejectedEther}.
    function claim(uint256 id, uint256 checkpoint, address recipient) external returns (uint256 assets);

    /// @notice Pay several requests to `recipient` in one transfer. Rules as for one.
    function claimBatch(uint256[] calldata ids, uint256[] calldata checkpoints, address recipient)
        external
        returns (uint256 assets);

    // --- Reading ---

    function lastRequestId() external view returns (uint256);
    function lastFinalizedId() external view returns (uint256);
    function lastCheckpoint() external view returns (uint256);
    /// @notice slETH in escrow for open requests, wei.
    function openShares() external view returns (uint256);
    function getRequest(uint256 id) external view returns (Request memory);
    /// @notice What checkpoint `index` (from 1) settled.
    function getCheckpoint(uint256 index)
        external
        view
        returns (uint256 firstId, uint256 lastId, uint256 shares, uint256 assets);
    /// @notice The checkpoint that settled `id`. Errors: {RequestNotFinalized}, {RequestUnknown}.
    function findCheckpoint(uint256 id) external view returns (uint256 checkpoint);
    function findCheckpoints(uint256[] calldata ids) external view returns (uint256[] memory checkpoints);
    /// @notice Highest id that {finalize} would accept now, 0 where there is none. O(log n).
    function finalizable() external view returns (uint256 upTo);
    /// @notice Worth of the open requests before `id`, wei at the rate of the moment.
    function etherAhead(uint256 id) external view returns (uint256);
    /// @notice Ids of `owner` among `fromId` to `toId`. Reads every one of them: for callers off chain.
    function requestsOf(address owner, uint256 fromId, uint256 toId) external view returns (uint256[] memory ids);
    /// @notice Next nonce for {requestWithPermit}.
    function nonces(address owner) external view returns (uint256);
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
