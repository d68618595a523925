// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IAsyncRedeemVault} from "../interfaces/IAsyncRedeemVault.sol";
import {IERC7540Operator, IERC7540Redeem} from "../interfaces/IERC7540.sol";
import {IERC7575} from "../interfaces/IERC7535.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";
import {IWrappedEther} from "../interfaces/IWrappedEther.sol";
import {GWEI} from "../libraries/Constants.sol";
import {ERC7575} from "../libraries/ERC7575.sol";

/// @title Asynchronous redeem vault
/// @notice See {IAsyncRedeemVault}.
/// @dev Immutable: no owner, no price of its own. The ether of a request is what the queue says it pays, never a balance,
/// so it does not matter who claims it from the queue: it comes here in any case.
contract AsyncRedeemVault is IAsyncRedeemVault {
    using SafeERC20 for IWrappedEther;
    using SafeERC20 for IStakedEther;
    using SafeCast for uint256;

    /// @dev 20 + 6 = 26 bytes.
    struct Entry {
        address controller;
        uint48 next; // id of the controller's next request, 0 for the last
    }

    /// @dev Slot 0: 6 + 6 + 12 = 24 bytes. Slot 1: 12 bytes.
    /// Requests from `first` on are not redeemed whole; `first` is drawn from the queue where `shares` is not 0.
    struct Line {
        uint48 first; // 0 where there is none
        uint48 last;
        uint96 shares; // of the drawn request, not yet redeemed
        uint96 assets; // wei that belong to them, and what rounding left of requests before
    }

    /// @inheritdoc IAsyncRedeemVault
    uint256 public constant MAX_VIEWED = 32;

    IWrappedEther private immutable ASSET;
    IStakedEther private immutable SHARE;
    IStakingVault private immutable VAULT;
    IWithdrawalQueue private immutable QUEUE;

    mapping(uint256 id => Entry) private _entries;
    mapping(address controller => Line) private _lines;
    /// @inheritdoc IERC7540Operator
    mapping(address controller => mapping(address operator => bool)) public isOperator;

    modifier onlyFor(address account) {
        if (msg.sender != account && !isOperator[account][msg.sender]) revert NotOwnerOrOperator(msg.sender, account);
        _;
    }

    constructor(address asset_, address vault_, address queue_) {
        ASSET = IWrappedEther(asset_);
        VAULT = IStakingVault(payable(vault_));
        QUEUE = IWithdrawalQueue(queue_);
        SHARE = IStakedEther(VAULT.share());
    }

    /// @dev Ether comes from unwrapping and from claims alone.
    receive() external payable {
        if (msg.sender != address(ASSET) && msg.sender != address(QUEUE)) revert EtherNotAccepted(msg.sender);
    }

    // --- Stake ---

    /// @inheritdoc IAsyncRedeemVault
    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        _unwrapFrom(msg.sender, assets);
        shares = VAULT.stake{value: assets}(receiver, 0, address(0));
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    /// @inheritdoc IAsyncRedeemVault
    function mint(uint256 shares, address receiver) external returns (uint256 assets) {
        assets = VAULT.previewMint(shares);
        _unwrapFrom(msg.sender, assets);
        VAULT.mint{value: assets}(shares, receiver);
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    // --- Request ---

    /// @inheritdoc IERC7540Operator
    function setOperator(address operator, bool approved) external returns (bool) {
        isOperator[msg.sender][operator] = approved;
        emit OperatorSet(msg.sender, operator, approved);
        return true;
    }

    /// @inheritdoc IERC7540Redeem
    function requestRedeem(uint256 shares, address controller, address owner)
        external
        onlyFor(owner)
        returns (uint256 requestId)
    {
        if (controller == address(0)) revert ControllerMissing();
        shares -= shares % GWEI;
        SHARE.safeTransferFrom(owner, address(this), shares);
        requestId = QUEUE.request(shares, address(this));

        uint48 id = requestId.toUint48();
        Line storage line = _lines[controller];
        if (line.first == 0) line.first = id;
        else _entries[line.last].next = id;
        line.last = id;
        _entries[id].controller = controller;
        emit RedeemRequest(controller, owner, requestId, msg.sender, shares);
    }

    // --- Redeem ---

    /// @inheritdoc IAsyncRedeemVault
    function redeem(uint256 shares, address receiver, address controller)
        external
        onlyFor(controller)
        returns (uint256 assets)
    {
        Line memory line = _lines[controller];
        uint256 left = shares;
        while (left != 0) {
            if (line.shares == 0 && !_draw(line)) revert RedeemAboveClaimable(shares, shares - left);
            if (left < line.shares) {
                uint256 part = left * line.assets / line.shares;
                assets += part;
                line.assets -= uint96(part); // < assets, as left < shares
                line.shares -= uint96(left); // compared above
                break;
            }
            left -= line.shares;
            assets += line.assets;
            line.assets = 0;
            _advance(line);
        }
        _lines[controller] = line;
        _pay(receiver, controller, assets, shares);
    }

    /// @inheritdoc IAsyncRedeemVault
    function withdraw(uint256 assets, address receiver, address controller)
        external
        onlyFor(controller)
        returns (uint256 shares)
    {
        Line memory line = _lines[controller];
        uint256 left = assets;
        while (left != 0) {
            if (line.shares == 0 && !_draw(line)) revert WithdrawAboveClaimable(assets, assets - left);
            if (left < line.assets) {
                uint256 part = Math.ceilDiv(left * line.shares, line.assets);
                shares += part;
                line.assets -= uint96(left); // compared above
                if (part == line.shares) _advance(line); // a wei or two are left for the next request
                else line.shares -= uint96(part); // <= shares, as left < assets
                break;
            }
            left -= line.assets;
            shares += line.shares;
            line.assets = 0;
            _advance(line);
        }
        _lines[controller] = line;
        _pay(receiver, controller, assets, shares);
    }

    // --- Reading ---

    /// @inheritdoc IERC7540Redeem
    function pendingRedeemRequest(uint256 requestId, address controller) external view returns (uint256 shares) {
        if (!_isOf(requestId, controller)) return 0;
        IWithdrawalQueue.Request memory request = QUEUE.getRequest(requestId);
        return request.finalized ? 0 : request.shares;
    }

    /// @inheritdoc IERC7540Redeem
    function claimableRedeemRequest(uint256 requestId, address controller) external view returns (uint256 shares) {
        if (!_isOf(requestId, controller)) return 0;
        Line memory line = _lines[controller];
        // ids rise along the line
        if (line.first == 0 || requestId < line.first) return 0;
        if (requestId == line.first && line.shares != 0) return line.shares;
        IWithdrawalQueue.Request memory request = QUEUE.getRequest(requestId);
        return request.finalized ? request.shares : 0;
    }

    /// @inheritdoc IAsyncRedeemVault
    function maxRedeem(address controller) external view returns (uint256 shares) {
        (shares,) = _claimable(controller);
    }

    /// @inheritdoc IAsyncRedeemVault
    function maxWithdraw(address controller) external view returns (uint256 assets) {
        (, assets) = _claimable(controller);
    }

    /// @inheritdoc IAsyncRedeemVault
    function lineOf(address controller) external view returns (uint256, uint256, uint256, uint256) {
        Line memory line = _lines[controller];
        return (line.first, line.last, line.shares, line.assets);
    }

    /// @inheritdoc IAsyncRedeemVault
    function totalAssets() external view returns (uint256) {
        return VAULT.totalAssets();
    }

    /// @inheritdoc IAsyncRedeemVault
    function convertToShares(uint256 assets) external view returns (uint256) {
        return VAULT.convertToShares(assets);
    }

    /// @inheritdoc IAsyncRedeemVault
    function convertToAssets(uint256 shares) external view returns (uint256) {
        return VAULT.convertToAssets(shares);
    }

    /// @inheritdoc IAsyncRedeemVault
    function maxDeposit(address receiver) external view returns (uint256) {
        return VAULT.maxDeposit(receiver);
    }

    /// @inheritdoc IAsyncRedeemVault
    function previewDeposit(uint256 assets) external view returns (uint256) {
        return VAULT.previewDeposit(assets);
    }

    /// @inheritdoc IAsyncRedeemVault
    function maxMint(address receiver) external view returns (uint256) {
        return VAULT.maxMint(receiver);
    }

    /// @inheritdoc IAsyncRedeemVault
    function previewMint(uint256 shares) external view returns (uint256) {
        return VAULT.previewMint(shares);
    }

    /// @inheritdoc IAsyncRedeemVault
    function previewWithdraw(uint256) external pure returns (uint256) {
        revert PreviewUnavailable();
    }

    /// @inheritdoc IAsyncRedeemVault
    function previewRedeem(uint256) external pure returns (uint256) {
        revert PreviewUnavailable();
    }

    /// @inheritdoc IAsyncRedeemVault
    function asset() external view returns (address) {
        return address(ASSET);
    }

    /// @inheritdoc IERC7575
    function share() external view returns (address) {
        return address(SHARE);
    }

    /// @inheritdoc IAsyncRedeemVault
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc IAsyncRedeemVault
    function queue() external view returns (address) {
        return address(QUEUE);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC7540Operator).interfaceId
            || id == type(IERC7540Redeem).interfaceId || ERC7575.isVaultId(id);
    }

    // --- Internal ---

    function _unwrapFrom(address from, uint256 assets) private {
        ASSET.safeTransferFrom(from, address(this), assets);
        ASSET.withdraw(assets);
    }

    function _pay(address receiver, address controller, uint256 assets, uint256 shares) private {
        emit Withdraw(msg.sender, receiver, controller, assets, shares);
        ASSET.deposit{value: assets}();
        ASSET.safeTransfer(receiver, assets);
    }

    /// @dev Takes the ether of the first request out of the queue, if it has not come already.
    /// @return false where there is none, or it is not finalised
    function _draw(Line memory line) private returns (bool) {
        if (line.first == 0) return false;
        IWithdrawalQueue.Request memory request = QUEUE.getRequest(line.first);
        if (!request.finalized) return false;
        if (!request.claimed) QUEUE.claim(line.first);
        line.shares = request.shares.toUint96();
        line.assets = (line.assets + request.assets).toUint96();
        return true;
    }

    /// @dev The first request is redeemed whole.
    function _advance(Line memory line) private view {
        line.shares = 0;
        line.first = _entries[line.first].next;
        if (line.first == 0) line.last = 0;
    }

    /// @dev Controllers are never zero.
    function _isOf(uint256 requestId, address controller) private view returns (bool) {
        return controller != address(0) && _entries[requestId].controller == controller;
    }

    /// @dev What the line could be redeemed for now, of at most MAX_VIEWED requests.
    function _claimable(address controller) private view returns (uint256 shares, uint256 assets) {
        Line memory line = _lines[controller];
        uint256 id = line.first;
        shares = line.shares;
        assets = line.assets;
        if (shares != 0) id = _entries[id].next;
        for (uint256 viewed = 0; id != 0 && viewed < MAX_VIEWED; ++viewed) {
            IWithdrawalQueue.Request memory request = QUEUE.getRequest(id);
            if (!request.finalized) break; // nor is any after it
            shares += request.shares;
            assets += request.assets;
            id = _entries[id].next;
        }
        if (shares == 0) assets = 0; // what rounding left waits for the next request
    }
}
