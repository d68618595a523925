// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @dev For tests.
contract StoneVaultStandIn {
    address public stone;
    uint256 public latestRoundID;
    uint256 public withdrawFeeRate;
    mapping(uint256 round => uint256) public roundPricePerShare;
    mapping(uint256 round => uint256) public settlementTime;
    uint256 private _price = 1e18;
    uint256 private _writes;
    bool private _writing;

    constructor(address stone_) {
        stone = stone_;
    }

    /// @dev No view function, as in the real one: a strategy may write.
    function currentSharePrice() external returns (uint256 price) {
        if (_writing) ++_writes;
        return _price;
    }

    function rollToNextRound() external {
        roundPricePerShare[latestRoundID] = _price;
        settlementTime[latestRoundID] = block.timestamp;
        ++latestRoundID;
    }

    function setPrice(uint256 price) external {
        _price = price;
    }

    function setWithdrawFeeRate(uint256 rate) external {
        withdrawFeeRate = rate;
    }

    function setWriting(bool writing) external {
        _writing = writing;
    }
}
