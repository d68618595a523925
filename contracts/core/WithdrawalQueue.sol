// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IRequestDescriptor} from "../interfaces/IRequestDescriptor.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";
import {GWEI} from "../libraries/Constants.sol";
import {OwnerSignature} from "../libraries/OwnerSignature.sol";

/// @title Withdrawal queue
/// @notice See {IWithdrawalQueue}.
/// @dev Immutable and without privileged functions: nobody can pause an exit, jump the queue or touch a request.
///
/// A request is the one slot that ERC-721 needs anyway: owner (20 bytes), and in what Solady calls extra data the
/// cumulative shares of all requests up to it, gwei (8), and its time, seconds (4). The size of request i is the
/// difference of two neighbours, so any number of requests is finalised by one subtraction.
contract WithdrawalQueue is IWithdrawalQueue, ERC721, EIP712, Nonces {
    using SafeCast for uint256;

    /// @dev 6 + 6 + 8 + 8 + 4 = 32 bytes. lastFinalizedId <= lastRequestId, finalized <= requested.
    struct State {
        uint48 lastRequestId;
        uint48 lastFinalizedId;
        uint64 requested; // gwei of shares, cumulative
        uint64 finalized; // gwei of shares, cumulative
        uint32 lastCheckpoint;
    }

    /// @dev 6 + 6 + 8 + 12 = 32 bytes. Settles request i at `shares of i * assets / shares`, rounded down.
    struct Checkpoint {
        uint48 firstId;
        uint48 lastId;
        uint64 shares; // gwei
        uint96 assets; // wei
    }

    bytes32 private constant REQUEST_TYPEHASH =
        keccak256("Request(address owner,uint256 shares,address receiver,uint256 nonce,uint256 deadline)");

    IStakedEther private immutable TOKEN;
    IStakingVault private immutable VAULT;
    IRequestDescriptor private immutable DESCRIPTOR;
    /// @notice Least shares of a request, wei of slETH in whole gwei: dust cannot clog the queue.
    uint256 public immutable MIN_REQUEST;
    /// @notice How long after a report was applied requests can be finalised, seconds: before the next loss is known.
    uint256 public immutable FINALIZE_WINDOW;
    /// @notice When no report has come for this long (seconds), requests as old are finalised without one.
    uint256 public immutable STALE_AFTER;

    State private _state;
    mapping(uint256 index => Checkpoint) private _checkpoints;

    constructor(
        address token_,
        address vault_,
        address descriptor_,
        uint256 minRequest,
        uint256 finalizeWindow,
        uint256 staleAfter
    ) EIP712("Sluice Withdrawal Request", "1") {
        if (minRequest < GWEI || finalizeWindow == 0 || staleAfter <= finalizeWindow) {
            revert ConfigInvalid();
        }
        TOKEN = IStakedEther(token_);
        VAULT = IStakingVault(payable(vault_));
        DESCRIPTOR = IRequestDescriptor(descriptor_);
        MIN_REQUEST = minRequest;
        FINALIZE_WINDOW = finalizeWindow;
        STALE_AFTER = staleAfter;
    }

    /// @dev The vault pays finalised requests; ether from anybody else would be lost here.
    receive() external payable {
        if (msg.sender != address(VAULT)) revert EtherNotAccepted(msg.sender);
    }

    // --- Request ---

    /// @inheritdoc IWithdrawalQueue
    function request(uint256 shares, address receiver) external returns (uint256 id) {
        id = _request(msg.sender, shares, receiver);
    }

    /// @inheritdoc IWithdrawalQueue
    function requestBatch(uint256[] calldata shares, address receiver) external returns (uint256 firstId) {
        if (shares.length == 0) revert EmptyBatch();
        State memory state = _state;
        firstId = uint256(state.lastRequestId) + 1;
        uint64 before = state.requested;
        for (uint256 i = 0; i < shares.length; ++i) {
            _append(state, msg.sender, shares[i], receiver);
        }
        _state = state;
        TOKEN.escrowFrom(msg.sender, uint256(state.requested - before) * GWEI);
    }

    /// @inheritdoc IWithdrawalQueue
    function requestWithPermit(
        address owner,
        uint256 shares,
        address receiver,
        uint256 deadline,
        bytes calldata signature
    ) external returns (uint256 id) {
        if (block.timestamp > deadline) revert PermitExpired(deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(REQUEST_TYPEHASH, owner, shares, receiver, _useNonce(owner), deadline))
        );
        (bool valid,) = OwnerSignature.check(owner, digest, signature);
        if (!valid) revert PermitSignerInvalid(owner);
        id = _request(owner, shares, receiver);
    }

    // --- Finalise ---

    /// @inheritdoc IWithdrawalQueue
    function finalize(uint256 upTo) external returns (uint256 assets) {
        State memory state = _state;
        if (upTo <= state.lastFinalizedId || upTo > state.lastRequestId) {
            revert RequestNotOpen(upTo, uint256(state.lastFinalizedId) + 1, state.lastRequestId);
        }
        (uint64 requested, uint256 requestedAt) = _read(upTo);
        (uint256 referenceTime, uint256 appliedAt) = VAULT.lastReport();
        if (!_covered(requestedAt, referenceTime, appliedAt)) {
            revert RequestNotCovered(requestedAt, referenceTime, appliedAt);
        }

        uint64 shares = requested - state.finalized;
        uint48 firstId = state.lastFinalizedId + 1;
        state.lastFinalizedId = uint48(upTo);
        state.finalized = requested;
        state.lastCheckpoint += 1;
        _state = state;
        assets = VAULT.redeem(uint256(shares) * GWEI);
        _checkpoints[state.lastCheckpoint] = Checkpoint(firstId, uint48(upTo), shares, assets.toUint96());
        emit Finalized(state.lastCheckpoint, firstId, upTo, uint256(shares) * GWEI, assets);
    }

    // --- Claim ---

    /// @inheritdoc IWithdrawalQueue
    function claim(uint256 id) external returns (uint256 assets) {
        address owner = _ownerOf(id);
        assets = _settle(id, findCheckpoint(id), owner);
        _pay(owner, assets);
    }

    /// @inheritdoc IWithdrawalQueue
    function claim(uint256 id, uint256 checkpoint, address recipient) external returns (uint256 assets) {
        assets = _settle(id, checkpoint, recipient);
        _pay(recipient, assets);
    }

    /// @inheritdoc IWithdrawalQueue
    function claimBatch(uint256[] calldata ids, uint256[] calldata checkpoints, address recipient)
        external
        returns (uint256 assets)
    {
        if (ids.length != checkpoints.length) revert LengthMismatch(ids.length, checkpoints.length);
        if (ids.length == 0) revert EmptyBatch();
        for (uint256 i = 0; i < ids.length; ++i) {
            assets += _settle(ids[i], checkpoints[i], recipient);
        }
        _pay(recipient, assets);
    }

    // --- Reading ---

    /// @inheritdoc IWithdrawalQueue
    function lastRequestId() external view returns (uint256) {
        return _state.lastRequestId;
    }

    /// @inheritdoc IWithdrawalQueue
    function lastFinalizedId() external view returns (uint256) {
        return _state.lastFinalizedId;
    }

    /// @inheritdoc IWithdrawalQueue
    function lastCheckpoint() external view returns (uint256) {
        return _state.lastCheckpoint;
    }

    /// @inheritdoc IWithdrawalQueue
    function openShares() external view returns (uint256) {
        State memory state = _state;
        return uint256(state.requested - state.finalized) * GWEI;
    }

    /// @inheritdoc IWithdrawalQueue
    function getRequest(uint256 id) public view returns (Request memory request_) {
        State memory state = _state;
        if (id == 0 || id > state.lastRequestId) revert RequestUnknown(id);
        uint64 size = _size(id);
        (, request_.requestedAt) = _read(id);
        request_.owner = _ownerOf(id);
        request_.shares = uint256(size) * GWEI;
        request_.finalized = id <= state.lastFinalizedId;
        request_.claimed = request_.owner == address(0);
        request_.assets = request_.finalized
            ? _assets(size, _checkpoints[findCheckpoint(id)])
            : VAULT.convertToAssets(request_.shares);
    }

    /// @inheritdoc IWithdrawalQueue
    function getCheckpoint(uint256 index) external view returns (uint256, uint256, uint256, uint256) {
        Checkpoint memory settled = _checkpoints[index];
        return (settled.firstId, settled.lastId, settled.shares * GWEI, settled.assets);
    }

    /// @inheritdoc IWithdrawalQueue
    function findCheckpoint(uint256 id) public view returns (uint256 checkpoint) {
        State memory state = _state;
        if (id == 0 || id > state.lastRequestId) revert RequestUnknown(id);
        if (id > state.lastFinalizedId) revert RequestNotFinalized(id);
        // the first checkpoint whose lastId is not below id
        uint256 low = 1;
        uint256 high = state.lastCheckpoint;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (_checkpoints[middle].lastId < id) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    /// @inheritdoc IWithdrawalQueue
    function findCheckpoints(uint256[] calldata ids) external view returns (uint256[] memory checkpoints) {
        checkpoints = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            checkpoints[i] = findCheckpoint(ids[i]);
        }
    }

    /// @inheritdoc IWithdrawalQueue
    function finalizable() external view returns (uint256 upTo) {
        State memory state = _state;
        uint256 available = VAULT.buffer();
        (uint256 referenceTime, uint256 appliedAt) = VAULT.lastReport();
        // time and cumulative shares both rise with the id, so what can be finalised is a prefix
        uint256 low = state.lastFinalizedId;
        uint256 high = state.lastRequestId;
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            (uint64 requested, uint256 requestedAt) = _read(middle);
            uint256 needed = VAULT.convertToAssets(uint256(requested - state.finalized) * GWEI);
            if (needed <= available && _covered(requestedAt, referenceTime, appliedAt)) low = middle;
            else high = middle - 1;
        }
        return low == state.lastFinalizedId ? 0 : low;
    }

    /// @inheritdoc IWithdrawalQueue
    function etherAhead(uint256 id) public view returns (uint256) {
        State memory state = _state;
        if (id == 0 || id > state.lastRequestId) revert RequestUnknown(id);
        if (id <= state.lastFinalizedId) return 0;
        (uint64 before,) = _read(id - 1);
        return VAULT.convertToAssets(uint256(before - state.finalized) * GWEI);
    }

    /// @inheritdoc IWithdrawalQueue
    function requestsOf(address owner, uint256 fromId, uint256 toId) external view returns (uint256[] memory ids) {
        uint256 last = _state.lastRequestId;
        if (toId > last) toId = last;
        if (fromId == 0) fromId = 1;
        if (fromId > toId) return ids;
        ids = new uint256[](toId - fromId + 1);
        uint256 count;
        for (uint256 id = fromId; id <= toId; ++id) {
            if (_ownerOf(id) == owner) ids[count++] = id;
        }
        assembly ("memory-safe") {
            mstore(ids, count) // shrinks only
        }
    }

    /// @inheritdoc IWithdrawalQueue
    function nonces(address owner) public view override(IWithdrawalQueue, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @inheritdoc IWithdrawalQueue
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function token() external view returns (address) {
        return address(TOKEN);
    }

    function vault() external view returns (address) {
        return address(VAULT);
    }

    function descriptor() external view returns (address) {
        return address(DESCRIPTOR);
    }

    // --- ERC-721 ---

    function name() public pure override returns (string memory) {
        return "Sluice Withdrawal Request";
    }

    function symbol() public pure override returns (string memory) {
        return "slREQUEST";
    }

    /// @notice JSON and SVG as a data URI, drawn from the state of the moment.
    function tokenURI(uint256 id) public view override returns (string memory) {
        if (!_exists(id)) revert TokenDoesNotExist();
        return DESCRIPTOR.tokenURI(id, getRequest(id), etherAhead(id));
    }

    /// @dev Solady's functions are payable to save gas; ether sent along would be lost.
    function approve(address account, uint256 id) public payable override {
        if (msg.value != 0) revert EtherNotAccepted(msg.sender);
        super.approve(account, id);
    }

    /// @dev What the queue itself owned could never be claimed.
    function _beforeTokenTransfer(address, address to, uint256) internal override {
        if (msg.value != 0) revert EtherNotAccepted(msg.sender);
        if (to == address(this)) revert RecipientInvalid(to);
    }

    // --- Internal ---

    function _request(address owner, uint256 shares, address receiver) private returns (uint256 id) {
        State memory state = _state;
        uint64 before = state.requested;
        id = _append(state, owner, shares, receiver);
        _state = state;
        TOKEN.escrowFrom(owner, uint256(state.requested - before) * GWEI);
    }

    /// @dev Mints the next request and counts it in `state`, which the caller writes back.
    function _append(State memory state, address owner, uint256 shares, address receiver) private returns (uint256 id) {
        if (shares < MIN_REQUEST) revert RequestBelowMinimum(shares, MIN_REQUEST);
        uint256 size = shares / GWEI;
        id = ++state.lastRequestId;
        state.requested = (state.requested + size).toUint64();
        _mintAndSetExtraDataUnchecked(receiver, id, _pack(state.requested, block.timestamp));
        emit Requested(id, owner, receiver, size * GWEI);
    }

    /// @dev Burns request `id` and returns what it pays. The cumulative shares stay: the next request needs them.
    function _settle(uint256 id, uint256 checkpoint, address recipient) private returns (uint256 assets) {
        Checkpoint memory settled = _checkpoints[checkpoint];
        if (id < settled.firstId || id > settled.lastId) {
            if (id > _state.lastFinalizedId) revert RequestNotFinalized(id);
            revert CheckpointInvalid(id, checkpoint);
        }
        address owner = _ownerOf(id);
        if (owner == address(0)) revert RequestUnknown(id);
        if (recipient != owner && !_isApprovedOrOwner(msg.sender, id)) revert NotOwnerOrApproved(msg.sender, id);
        assets = _assets(_size(id), settled);
        _burn(id);
        emit Claimed(id, recipient, assets);
    }

    /// @dev All gas goes along, what is returned is not read. A failure is that of this call alone.
    function _pay(address recipient, uint256 assets) private {
        if (recipient == address(0) || recipient == address(this)) revert RecipientInvalid(recipient);
        if (!SafeTransferLib.trySafeTransferETH(recipient, assets, gasleft())) {
            revert RecipientRejectedEther(recipient, assets);
        }
    }

    /// @dev A report has counted every loss from before its reference time. A request is paid right after a report that is
    /// younger than it, so neither it nor whoever waits for ether until the next loss shows can escape one. Where no report
    /// comes, time does, unless a slashing was proven that no report has counted.
    function _covered(uint256 requestedAt, uint256 referenceTime, uint256 appliedAt) private view returns (bool) {
        if (requestedAt <= referenceTime && block.timestamp <= appliedAt + FINALIZE_WINDOW) return true;
        return block.timestamp >= Math.max(requestedAt, referenceTime) + STALE_AFTER
            && block.timestamp >= VAULT.slashingPendingUntil();
    }

    /// @dev shares of one request of the checkpoint; the sum over all is at most `settled.assets`.
    function _assets(uint64 size, Checkpoint memory settled) private pure returns (uint256) {
        return uint256(size) * settled.assets / settled.shares;
    }

    function _size(uint256 id) private view returns (uint64) {
        (uint64 upTo,) = _read(id);
        (uint64 before,) = _read(id - 1);
        return upTo - before;
    }

    function _read(uint256 id) private view returns (uint64 cumulative, uint256 time) {
        uint96 data = _getExtraData(id);
        return (uint64(data >> 32), uint32(data));
    }

    function _pack(uint64 cumulative, uint256 time) private pure returns (uint96) {
        return (uint96(cumulative) << 32) | uint32(time);
    }
}
