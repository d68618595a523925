// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev What a {WeirdToken} tells of a movement, as ERC-777 does.
interface ITokenHook {
    function tokensMoved(address from, address to, uint256 amount) external;
}

/// @title An ERC-20 that can become any of the tokens that have broken farms
/// @dev Its way is set, and changed midway, by anybody. See https://github.com/d-xo/weird-erc20.
contract WeirdToken {
    enum Way {
        Plain,
        NoReturn, // USDT
        ReturnsFalse, // and moves nothing
        Reverts,
        RevertsLong, // with far too much data
        TakesFee, // of what arrives
        TakesFeeOnTop, // of what the sender keeps
        TakesAll,
        HooksBefore, // ERC-777
        HooksAfter,
        BlocksSome, // USDC
        Paused,
        Uint96, // UNI
        ReturnsMore, // true, and another word
        ReturnsShort, // one byte
        ReturnsGarbage, // a word that is neither true nor false
        ReturnsLong, // true, and far too much data
        BurnsGas,
        ApprovalRace, // an allowance must be taken to 0 first
        LiesAboutBalance
    }

    uint256 private constant ONE = 1e18;

    uint8 public decimals;
    Way public way;
    uint256 public scale = ONE; // of balances: rebasing
    mapping(address account => bool) public blocked;
    mapping(address account => address hook) public hookOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    mapping(address account => uint256) private _parts;

    error Refused();

    event Transfer(address indexed from, address indexed to, uint256 amount);

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function become(Way way_) external {
        way = way_;
    }

    function rebase(uint256 scale_) external {
        scale = scale_;
    }

    function setBlocked(address account, bool yes) external {
        blocked[account] = yes;
    }

    function setHook(address account, address hook) external {
        hookOf[account] = hook;
    }

    function mint(address to, uint256 amount) external {
        _parts[to] += amount * ONE / scale;
        emit Transfer(address(0), to, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        if (way == Way.ApprovalRace && amount != 0 && allowance[msg.sender][spender] != 0) revert Refused();
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
        _return();
    }

    function transferFrom(address from, address to, uint256 amount) external {
        uint256 allowed = allowance[from][msg.sender];
        if (way != Way.ReturnsFalse && allowed != type(uint256).max) allowance[from][msg.sender] = allowed - amount;
        _move(from, to, amount);
        _return();
    }

    function balanceOf(address account) public view returns (uint256) {
        if (way == Way.LiesAboutBalance) return uint256(keccak256(abi.encode(gasleft())));
        return _parts[account] * scale / ONE;
    }

    function _move(address from, address to, uint256 amount) private {
        Way way_ = way;
        if (way_ == Way.Reverts || way_ == Way.Paused) revert Refused();
        if (way_ == Way.BlocksSome && (blocked[from] || blocked[to])) revert Refused();
        if (way_ == Way.Uint96 && amount > type(uint96).max) revert Refused();
        if (way_ == Way.ReturnsFalse) return;
        if (way_ == Way.BurnsGas) {
            assembly {
                invalid() // all there is
            }
        }
        if (way_ == Way.RevertsLong) {
            assembly {
                revert(0, 100000)
            }
        }
        if (way_ == Way.HooksBefore) _tell(from, to, amount);
        uint256 parts = amount * ONE / scale;
        _parts[from] -= parts;
        if (way_ == Way.TakesFee) parts -= parts / 100;
        if (way_ == Way.TakesAll) parts = 0;
        if (way_ == Way.TakesFeeOnTop) _parts[from] -= parts / 100;
        _parts[to] += parts;
        emit Transfer(from, to, amount);
        if (way_ == Way.HooksAfter) _tell(from, to, amount);
    }

    function _tell(address from, address to, uint256 amount) private {
        if (hookOf[from] != address(0)) ITokenHook(hookOf[from]).tokensMoved(from, to, amount);
        if (hookOf[to] != address(0)) ITokenHook(hookOf[to]).tokensMoved(from, to, amount);
    }

    function _return() private view {
        Way way_ = way;
        uint256 word = way_ == Way.ReturnsFalse ? 0 : way_ == Way.ReturnsGarbage ? 2 : 1;
        uint256 size = 32;
        if (way_ == Way.NoReturn) size = 0;
        if (way_ == Way.ReturnsMore) size = 64;
        if (way_ == Way.ReturnsShort) size = 1;
        if (way_ == Way.ReturnsLong) size = 100_000;
        assembly {
            mstore(0, word)
            return(0, size)
        }
    }
}
