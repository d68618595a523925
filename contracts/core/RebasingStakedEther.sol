// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {IRebasingStakedEther} from "../interfaces/IRebasingStakedEther.sol";
import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {OwnerSignature} from "../libraries/OwnerSignature.sol";

/// @title Rebasing staked ether (rslETH)
/// @notice See {IRebasingStakedEther}.
/// @dev Immutable: no proxy, no owner. An ordinary holder of slETH without any power over the core.
contract RebasingStakedEther is IRebasingStakedEther, EIP712, Nonces {
    /// @dev The rate as the core has it: amount = shares * total / supply. Both are above zero for ever.
    struct Rate {
        uint256 total; // wei
        uint256 supply; // slETH
    }

    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    string public constant name = "Sluice Rebasing Staked Ether";
    string public constant symbol = "rslETH";
    uint8 public constant decimals = 18;

    IStakedEther private immutable TOKEN;
    IStakingVault private immutable VAULT;

    /// @inheritdoc IRebasingStakedEther
    /// @dev The sum of `sharesOf`, at most the slETH this contract holds, so no share of an account can overflow.
    uint256 public totalShares;
    /// @inheritdoc IRebasingStakedEther
    mapping(address account => uint256) public sharesOf;
    /// @notice ERC-20, in amounts.
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(address vault_) EIP712(name, "1") {
        VAULT = IStakingVault(payable(vault_));
        TOKEN = IStakedEther(VAULT.share());
    }

    // --- In and out ---

    /// @inheritdoc IRebasingStakedEther
    function wrap(uint256 shares) external returns (uint256 amount) {
        amount = _wrap(shares);
    }

    /// @inheritdoc IRebasingStakedEther
    function wrapWithPermit(uint256 shares, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 amount)
    {
        try TOKEN.permit(msg.sender, address(this), shares, deadline, signature) {} catch {}
        amount = _wrap(shares);
    }

    /// @inheritdoc IRebasingStakedEther
    function stake(address receiver, uint256 minShares, address referral) external payable returns (uint256 shares) {
        shares = VAULT.stake{value: msg.value}(address(this), minShares, referral);
        _mint(receiver, shares);
    }

    /// @inheritdoc IRebasingStakedEther
    function unwrap(uint256 amount) external returns (uint256 shares) {
        shares = _sharesFor(msg.sender, amount);
        _unwrap(shares, amount);
    }

    /// @inheritdoc IRebasingStakedEther
    function unwrapShares(uint256 shares) external returns (uint256 amount) {
        amount = convertToAmount(shares);
        _unwrap(shares, amount);
    }

    // --- ERC-20 ---

    /// @inheritdoc IERC20
    function transfer(address to, uint256 amount) external returns (bool) {
        _transfer(msg.sender, to, _sharesFor(msg.sender, amount), amount);
        return true;
    }

    /// @inheritdoc IERC20
    /// @dev Takes the worth of the shares that move, rounded up, off the allowance, or all of an allowance that covers
    /// `amount` but not the last fraction of a share: many small calls cannot move more than one large one.
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < amount) revert ERC20InsufficientAllowance(msg.sender, allowed, amount);
        uint256 shares = _sharesFor(from, amount);
        if (allowed != type(uint256).max) {
            allowance[from][msg.sender] = Math.saturatingSub(allowed, convertToAmountRoundUp(shares));
        }
        _transfer(from, to, shares, amount);
        return true;
    }

    /// @inheritdoc IERC20
    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    /// @inheritdoc IERC20
    function balanceOf(address account) external view returns (uint256) {
        return convertToAmount(sharesOf[account]);
    }

    /// @inheritdoc IERC20
    function totalSupply() external view returns (uint256) {
        return convertToAmount(totalShares);
    }

    // --- Shares ---

    /// @inheritdoc IRebasingStakedEther
    function transferShares(address to, uint256 shares) external returns (uint256 amount) {
        amount = convertToAmount(shares);
        _transfer(msg.sender, to, shares, amount);
    }

    /// @inheritdoc IRebasingStakedEther
    function transferSharesFrom(address from, address to, uint256 shares) external returns (uint256 amount) {
        Rate memory rate = _rate();
        amount = shares * rate.total / rate.supply;
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            uint256 charge = Math.ceilDiv(shares * rate.total, rate.supply);
            if (allowed < charge) revert ERC20InsufficientAllowance(msg.sender, allowed, charge);
            allowance[from][msg.sender] = allowed - charge;
        }
        _transfer(from, to, shares, amount);
    }

    // --- Conversion ---

    /// @inheritdoc IRebasingStakedEther
    function convertToShares(uint256 amount) external view returns (uint256) {
        Rate memory rate = _rate();
        return amount * rate.supply / rate.total;
    }

    /// @inheritdoc IRebasingStakedEther
    function convertToSharesRoundUp(uint256 amount) external view returns (uint256) {
        Rate memory rate = _rate();
        return Math.ceilDiv(amount * rate.supply, rate.total);
    }

    /// @inheritdoc IRebasingStakedEther
    function convertToAmount(uint256 shares) public view returns (uint256) {
        Rate memory rate = _rate();
        return shares * rate.total / rate.supply;
    }

    /// @inheritdoc IRebasingStakedEther
    function convertToAmountRoundUp(uint256 shares) public view returns (uint256) {
        Rate memory rate = _rate();
        return Math.ceilDiv(shares * rate.total, rate.supply);
    }

    // --- ERC-2612 ---

    /// @inheritdoc IERC20Permit
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        permit(owner, spender, value, deadline, abi.encodePacked(r, s, v));
    }

    /// @inheritdoc IRebasingStakedEther
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes memory signature) public {
        if (block.timestamp > deadline) revert ERC2612ExpiredSignature(deadline);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(PERMIT_TYPEHASH, owner, spender, value, _useNonce(owner), deadline)));
        (bool valid, address signer) = OwnerSignature.check(owner, digest, signature);
        if (!valid) revert ERC2612InvalidSigner(signer, owner);
        _approve(owner, spender, value);
    }

    /// @inheritdoc IERC20Permit
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(Nonces, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    // --- Reading ---

    /// @inheritdoc IRebasingStakedEther
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc IRebasingStakedEther
    function vault() external view returns (address) {
        return address(VAULT);
    }

    // --- Internal ---

    function _rate() private view returns (Rate memory) {
        return Rate({total: VAULT.totalAssets(), supply: VAULT.supply()});
    }

    /// @dev Shares of `account` that make up `amount`, rounded up; all of them for the whole balance, because below a rate of 1
    /// the worth of one more share can round to nothing.
    function _sharesFor(address account, uint256 amount) private view returns (uint256) {
        if (amount == 0) return 0;
        Rate memory rate = _rate();
        uint256 shares = sharesOf[account];
        uint256 balance = shares * rate.total / rate.supply;
        if (amount > balance) revert ERC20InsufficientBalance(account, balance, amount);
        if (amount == balance) return shares;
        return Math.ceilDiv(amount * rate.supply, rate.total); // <= shares, because amount <= shares * total / supply
    }

    function _wrap(uint256 shares) private returns (uint256 amount) {
        if (shares == 0) revert SharesMissing();
        TOKEN.transferFrom(msg.sender, address(this), shares); // slETH reverts where it fails
        amount = _mint(msg.sender, shares);
    }

    function _mint(address to, uint256 shares) private returns (uint256 amount) {
        _requireReceiver(to);
        amount = convertToAmount(shares);
        totalShares += shares;
        unchecked {
            sharesOf[to] += shares; // <= totalShares
        }
        _emitTransfer(address(0), to, shares, amount);
    }

    function _unwrap(uint256 shares, uint256 amount) private {
        if (shares == 0) revert SharesMissing();
        _take(msg.sender, shares);
        unchecked {
            totalShares -= shares; // >= what the account had
        }
        _emitTransfer(msg.sender, address(0), shares, amount);
        TOKEN.transfer(msg.sender, shares); // slETH reverts where it fails
    }

    /// @dev To itself it changes nothing: what is taken is given back.
    function _transfer(address from, address to, uint256 shares, uint256 amount) private {
        if (from == address(0)) revert ERC20InvalidSender(from); // else an empty transfer would look like a mint
        _requireReceiver(to);
        _take(from, shares);
        unchecked {
            sharesOf[to] += shares; // <= totalShares
        }
        _emitTransfer(from, to, shares, amount);
    }

    function _take(address from, uint256 shares) private {
        uint256 held = sharesOf[from];
        if (held < shares) revert InsufficientShares(from, held, shares);
        unchecked {
            sharesOf[from] = held - shares; // compared above
        }
    }

    function _emitTransfer(address from, address to, uint256 shares, uint256 amount) private {
        emit Transfer(from, to, amount);
        emit TransferShares(from, to, shares);
    }

    /// @dev This contract and slETH are refused: what is sent there could never be moved again.
    function _requireReceiver(address to) private view {
        if (to == address(0) || to == address(this) || to == address(TOKEN)) revert ERC20InvalidReceiver(to);
    }

    function _approve(address owner, address spender, uint256 value) private {
        if (spender == address(0)) revert ERC20InvalidSpender(spender);
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }
}
