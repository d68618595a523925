// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Fee splitter
/// @notice Receives the fee as slETH and books it for the treasury, the operators, the cover fund and the referrers.
/// Nothing is pushed and nothing loops over receivers: each takes its own part, or anybody takes it out for them.
///
/// What has arrived is what the contract holds beyond `booked`, so slETH from anybody is split like a fee. It is split in
/// whole multiples of 10,000 wei, so every part is exact; the rest (below 10,000 wei) waits for the next time.
///
/// Operators and referrers are groups: a part that a group gets belongs to its members by weight at that moment. Fractions
/// of a wei are carried, for each member and for the group, so nothing is ever lost or paid twice:
///
///     booked = owed to treasury + owed to cover + sum over groups of (sum of owed to members + carry)
interface IFeeSplitter {
    /// @notice Receivers who share a part by weight.
    enum Group {
        Operators,
        Referrers
    }

    /// @notice Basis points of what arrives, 10,000 together. 2 + 2 + 2 + 2 = 8 bytes.
    struct Split {
        uint16 treasury;
        uint16 operators;
        uint16 cover;
        uint16 referrers;
    }

    /// @notice slETH was booked. Where a group had no weight, or no cover fund was set, its part is in `treasury`.
    event Distributed(uint256 treasury, uint256 operators, uint256 cover, uint256 referrers);
    event Claimed(Group indexed group, address indexed account, uint256 shares);
    event TreasuryPaid(address indexed treasury, uint256 shares);
    event CoverPaid(address indexed cover, uint256 shares);
    event WeightChanged(Group indexed group, address indexed account, uint256 oldWeight, uint256 weight);
    event SplitChanged(Split oldSplit, Split split);
    event TreasuryChanged(address oldTreasury, address treasury);
    event CoverChanged(address oldCover, address cover);

    error SplitSumInvalid(uint256 sum, uint256 expected);
    error WeightAboveMaximum(uint256 weight, uint256 maximum);
    error AddressMissing();

    // --- Receivers ---

    /// @notice Book what has arrived. Anybody may call.
    /// @return shares slETH booked, wei; 0 where less than 10,000 wei have arrived
    function distribute() external returns (uint256 shares);

    /// @notice Pay `account` what is booked for it in `group`. Anybody may call; 0 pays nothing.
    /// @return shares slETH paid, wei
    function claim(Group group, address account) external returns (uint256 shares);

    /// @notice Pay the treasury what is booked for it. Anybody may call.
    function claimTreasury() external returns (uint256 shares);

    /// @notice Pay the cover fund what is booked for it. Anybody may call.
    function claimCover() external returns (uint256 shares);

    // --- Reading ---

    /// @notice slETH held for receivers and not yet paid, wei. Never more than the balance.
    function booked() external view returns (uint256);
    /// @notice slETH that {distribute} would book now, wei.
    function distributable() external view returns (uint256);
    /// @notice What {claim} would pay now, wei.
    function claimable(Group group, address account) external view returns (uint256);
    function treasuryOwed() external view returns (uint256);
    function coverOwed() external view returns (uint256);
    function weightOf(Group group, address account) external view returns (uint256);
    function totalWeight(Group group) external view returns (uint256);
    function split() external view returns (Split memory);
    function treasury() external view returns (address);
    /// @notice Zero where there is none: its part goes to the treasury.
    function cover() external view returns (address);

    // --- Governance (restricted) ---

    /// @notice Set the weight of `account`; what arrived before is booked by the old weights first.
    /// @param weight at most 2^96 - 1, in any unit that the whole group has in common; 0 leaves the group
    /// @dev Errors: {AddressMissing}, {WeightAboveMaximum}.
    function setWeight(Group group, address account, uint256 weight) external;

    /// @notice Change the basis points; what arrived before is booked by the old ones first.
    /// @dev Errors: {SplitSumInvalid}.
    function setSplit(Split calldata newSplit) external;

    /// @notice What is booked for the treasury goes to the new one from now on.
    function setTreasury(address newTreasury) external;

    /// @notice What is booked for the cover fund goes to the new one; with zero it waits for one.
    function setCover(address newCover) external;
}
