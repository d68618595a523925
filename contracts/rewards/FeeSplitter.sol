// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IFeeSplitter} from "../interfaces/IFeeSplitter.sol";
import {BPS} from "../libraries/Constants.sol";

/// @title Fee splitter
/// @notice See {IFeeSplitter}.
contract FeeSplitter is IFeeSplitter, AccessManaged {
    using SafeERC20 for IERC20;

    /// @dev sum over members of (owed + weight * (perWeight - member's perWeight)) + carry = RAY * (credited - paid)
    struct Pot {
        uint256 totalWeight; // sum of the members' weights
        uint256 perWeight; // 1e-27 wei credited for each unit of weight since the beginning
        uint256 carry; // 1e-27 wei that did not divide by the weight; < totalWeight when it was left
    }

    struct Member {
        uint256 weight;
        uint256 perWeight; // the group's when last settled
        uint256 owed; // 1e-27 wei
    }

    /// @notice Highest weight of one account. No sum or product here can overflow below it: a share of a part is at most
    /// the part, and slETH in 1e-27 wei fits twice over.
    uint256 public constant MAX_WEIGHT = type(uint96).max;

    uint256 private constant RAY = 1e27;

    IERC20 private immutable TOKEN;

    /// @inheritdoc IFeeSplitter
    uint256 public booked;
    /// @inheritdoc IFeeSplitter
    uint256 public treasuryOwed;
    /// @inheritdoc IFeeSplitter
    uint256 public coverOwed;
    /// @inheritdoc IFeeSplitter
    address public treasury;
    /// @inheritdoc IFeeSplitter
    address public cover;
    /// @dev treasury + operators + cover + referrers = BPS
    Split private _split;
    mapping(Group group => Pot) private _pots;
    mapping(Group group => mapping(address account => Member)) private _members;

    constructor(address authority_, address token_, address treasury_, address cover_, Split memory split_)
        AccessManaged(authority_)
    {
        TOKEN = IERC20(token_);
        _setTreasury(treasury_);
        _setCover(cover_);
        _setSplit(split_);
    }

    // --- Receivers ---

    /// @inheritdoc IFeeSplitter
    function distribute() external returns (uint256 shares) {
        shares = _distribute();
    }

    /// @inheritdoc IFeeSplitter
    function claim(Group group, address account) external returns (uint256 shares) {
        Member storage member = _settle(group, account);
        shares = member.owed / RAY;
        if (shares == 0) return 0;
        member.owed -= shares * RAY;
        booked -= shares;
        emit Claimed(group, account, shares);
        TOKEN.safeTransfer(account, shares);
    }

    /// @inheritdoc IFeeSplitter
    function claimTreasury() external returns (uint256 shares) {
        shares = treasuryOwed;
        if (shares == 0) return 0;
        treasuryOwed = 0;
        booked -= shares;
        emit TreasuryPaid(treasury, shares);
        TOKEN.safeTransfer(treasury, shares);
    }

    /// @inheritdoc IFeeSplitter
    function claimCover() external returns (uint256 shares) {
        shares = coverOwed;
        if (shares == 0) return 0;
        if (cover == address(0)) revert AddressMissing();
        coverOwed = 0;
        booked -= shares;
        emit CoverPaid(cover, shares);
        TOKEN.safeTransfer(cover, shares);
    }

    // --- Reading ---

    /// @inheritdoc IFeeSplitter
    function distributable() public view returns (uint256) {
        return (TOKEN.balanceOf(address(this)) - booked) / BPS * BPS;
    }

    /// @inheritdoc IFeeSplitter
    function claimable(Group group, address account) external view returns (uint256) {
        Member memory member = _members[group][account];
        return (member.owed + member.weight * (_pots[group].perWeight - member.perWeight)) / RAY;
    }

    /// @inheritdoc IFeeSplitter
    function weightOf(Group group, address account) external view returns (uint256) {
        return _members[group][account].weight;
    }

    /// @inheritdoc IFeeSplitter
    function totalWeight(Group group) external view returns (uint256) {
        return _pots[group].totalWeight;
    }

    /// @inheritdoc IFeeSplitter
    function split() external view returns (Split memory) {
        return _split;
    }

    function token() external view returns (address) {
        return address(TOKEN);
    }

    // --- Governance ---

    /// @inheritdoc IFeeSplitter
    function setWeight(Group group, address account, uint256 weight) external restricted {
        if (account == address(0)) revert AddressMissing();
        if (weight > MAX_WEIGHT) revert WeightAboveMaximum(weight, MAX_WEIGHT);
        _distribute();
        Member storage member = _settle(group, account);
        Pot storage pot = _pots[group];
        emit WeightChanged(group, account, member.weight, weight);
        pot.totalWeight = pot.totalWeight - member.weight + weight;
        member.weight = weight;
    }

    /// @inheritdoc IFeeSplitter
    function setSplit(Split calldata newSplit) external restricted {
        _distribute();
        _setSplit(newSplit);
    }

    /// @inheritdoc IFeeSplitter
    function setTreasury(address newTreasury) external restricted {
        _setTreasury(newTreasury);
    }

    /// @inheritdoc IFeeSplitter
    function setCover(address newCover) external restricted {
        _distribute();
        _setCover(newCover);
    }

    // --- Internal ---

    function _distribute() private returns (uint256 shares) {
        shares = distributable();
        if (shares == 0) return 0;
        Split memory parts = _split;
        uint256 unit = shares / BPS; // divides exactly
        uint256 forOperators = _credit(Group.Operators, unit * parts.operators);
        uint256 forReferrers = _credit(Group.Referrers, unit * parts.referrers);
        uint256 forCover = cover == address(0) ? 0 : unit * parts.cover;
        uint256 forTreasury = shares - forOperators - forReferrers - forCover;
        booked += shares;
        treasuryOwed += forTreasury;
        coverOwed += forCover;
        emit Distributed(forTreasury, forOperators, forCover, forReferrers);
    }

    /// @return what the group took: all of `shares`, or nothing where it has no weight
    function _credit(Group group, uint256 shares) private returns (uint256) {
        Pot storage pot = _pots[group];
        uint256 weight = pot.totalWeight;
        if (weight == 0) return 0;
        uint256 scaled = shares * RAY + pot.carry;
        pot.perWeight += scaled / weight;
        pot.carry = scaled % weight;
        return shares;
    }

    /// @dev Brings what `account` is owed up to date, at the weight it had until now.
    function _settle(Group group, address account) private returns (Member storage member) {
        member = _members[group][account];
        uint256 perWeight = _pots[group].perWeight;
        member.owed += member.weight * (perWeight - member.perWeight);
        member.perWeight = perWeight;
    }

    function _setSplit(Split memory newSplit) private {
        uint256 sum = uint256(newSplit.treasury) + newSplit.operators + newSplit.cover + newSplit.referrers;
        if (sum != BPS) revert SplitSumInvalid(sum, BPS);
        emit SplitChanged(_split, newSplit);
        _split = newSplit;
    }

    function _setTreasury(address newTreasury) private {
        if (newTreasury == address(0)) revert AddressMissing();
        emit TreasuryChanged(treasury, newTreasury);
        treasury = newTreasury;
    }

    function _setCover(address newCover) private {
        emit CoverChanged(cover, newCover);
        cover = newCover;
    }
}
