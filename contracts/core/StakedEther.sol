// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {IStakedEther} from "../interfaces/IStakedEther.sol";
import {IStakingVault} from "../interfaces/IStakingVault.sol";
import {ETHER, ERC7575_SHARE_ID} from "../libraries/Constants.sol";
import {OwnerSignature} from "../libraries/OwnerSignature.sol";

/// @title Staked ether (slETH)
/// @notice See {IStakedEther}.
/// @dev Immutable: no proxy, no owner, no hook on transfers.
contract StakedEther is IStakedEther, EIP712, Nonces {
    /// @dev Topic of {Transfer}.
    bytes32 private constant TRANSFER_TOPIC = 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef;
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    string public constant name = "Sluice Staked Ether";
    string public constant symbol = "slETH";
    uint8 public constant decimals = 18;

    /// @inheritdoc IStakedEther
    address public immutable VAULT;
    /// @inheritdoc IStakedEther
    address public immutable QUEUE;

    /// @notice ERC-20.
    mapping(address account => uint256) public balanceOf;
    /// @notice ERC-20.
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    modifier onlyCaller(address allowed) {
        if (msg.sender != allowed) revert CallerNotAllowed(msg.sender, allowed);
        _;
    }

    constructor(address vault_, address queue) EIP712(name, "1") {
        VAULT = vault_;
        QUEUE = queue;
    }

    // --- ERC-20 ---

    /// @inheritdoc IERC20
    /// @dev The vault keeps the sum of all balances beside the ether it stands for, in the one slot that a stake writes.
    function totalSupply() external view returns (uint256) {
        return IStakingVault(payable(VAULT)).supply();
    }

    /// @inheritdoc IERC20
    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        if (from == address(0)) revert ERC20InvalidSender(from); // else an empty transfer would look like a mint
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < value) revert ERC20InsufficientAllowance(msg.sender, allowed, value);
            unchecked {
                allowance[from][msg.sender] = allowed - value; // compared above
            }
        }
        _transfer(from, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    // --- Core only ---

    /// @inheritdoc IStakedEther
    function mint(address to, uint256 shares) external onlyCaller(VAULT) {
        if (to == address(0) || to == address(this)) revert ERC20InvalidReceiver(to);
        unchecked {
            balanceOf[to] += shares; // <= supply, which the vault keeps below 2^96
        }
        emit Transfer(address(0), to, shares);
    }

    /// @inheritdoc IStakedEther
    function burn(address from, uint256 shares) external onlyCaller(VAULT) {
        uint256 balance = balanceOf[from];
        if (balance < shares) revert ERC20InsufficientBalance(from, balance, shares);
        unchecked {
            balanceOf[from] = balance - shares; // compared above
        }
        emit Transfer(from, address(0), shares);
    }

    /// @inheritdoc IStakedEther
    function escrowFrom(address owner, uint256 shares) external onlyCaller(QUEUE) {
        _transfer(owner, QUEUE, shares);
    }

    // --- ERC-2612 ---

    /// @inheritdoc IERC20Permit
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        permit(owner, spender, value, deadline, abi.encodePacked(r, s, v));
    }

    /// @inheritdoc IStakedEther
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

    // --- ERC-7575, ERC-165 ---

    /// @inheritdoc IStakedEther
    function vault(address asset) external view returns (address) {
        return asset == ETHER ? VAULT : address(0);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC20).interfaceId || id == type(IERC20Permit).interfaceId
            || id == ERC7575_SHARE_ID;
    }

    // --- Internal ---

    /// @dev The hottest path of the protocol: the two slots are addressed by hand (the layout of a mapping), each key is
    /// hashed once, and both checks share one branch.
    function _transfer(address from, address to, uint256 value) private {
        uint256 held;
        bytes32 sender;
        bytes32 receiver;
        bool refused;
        assembly ("memory-safe") {
            mstore(0x20, balanceOf.slot)
            mstore(0x00, from)
            sender := keccak256(0x00, 0x40)
            mstore(0x00, to)
            receiver := keccak256(0x00, 0x40)
            held := sload(sender)
            refused := or(lt(held, value), or(iszero(to), eq(to, address())))
        }
        if (refused) _refuseTransfer(from, to, value, held);
        assembly ("memory-safe") {
            sstore(sender, sub(held, value)) // compared above
            sstore(receiver, add(sload(receiver), value)) // <= supply; read here, for a transfer to oneself
            mstore(0x00, value)
            log3(0x00, 0x20, TRANSFER_TOPIC, from, to)
        }
    }

    /// @dev The token itself is refused as a receiver: what is sent there could never be moved again.
    function _refuseTransfer(address from, address to, uint256 value, uint256 held) private view {
        if (to == address(0) || to == address(this)) revert ERC20InvalidReceiver(to);
        revert ERC20InsufficientBalance(from, held, value);
    }

    function _approve(address owner, address spender, uint256 value) private {
        if (spender == address(0)) revert ERC20InvalidSpender(spender);
        allowance[owner][spender] = value;
        emit Approval(owner, spender, value);
    }
}
