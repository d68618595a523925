// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ILossCover} from "./ILossCover.sol";

/// @title Operators' bonds
/// @notice slETH that stands in for what operators do: it earns like any slETH, and it pays first when the pool loses by
/// their fault. First step of the vault's loss waterfall.
///
/// A proven fault (slashing, credentials that are not ours, an abandoned preparation) opens a *case*: from then on a loss
/// that a report carries is taken from the bond of that operator, at most the loss that the case allows, oldest case first.
/// What a bond covers is burnt by the vault at the rate before the report, so the rate of all others stays to the wei.
interface IOperatorBonds is ILossCover {
    /// @notice 12 + 12 + 5 = 29 bytes.
    struct Bond {
        uint96 shares; // counted for what is required; the part that leaves is not
        uint96 leaving; // asked back, chargeable until it is paid
        uint40 leavingFrom; // seconds, when it can be paid
    }

    /// @notice 4 + 8 + 5 = 17 bytes.
    struct Case {
        uint32 operator;
        uint64 open; // gwei of loss that it may still take
        uint40 closes; // seconds, from when anybody may end it
    }

    struct Settlement {
        uint32 operator;
        uint96 shares;
        uint40 executableFrom; // seconds; until then it can be cancelled
        bytes32 reason; // hash of the evidence
    }

    event BondDeposited(uint256 indexed operator, address indexed from, uint256 shares);
    event BondWithdrawalRequested(uint256 indexed operator, uint256 shares, uint256 from);
    event BondWithdrawn(uint256 indexed operator, address indexed to, uint256 shares);
    event CaseOpened(uint256 indexed id, uint256 indexed operator, uint256 loss, uint256 closes);
    event CaseCharged(uint256 indexed id, uint256 indexed operator, uint256 shares);
    event CaseClosed(uint256 indexed id);
    event SettlementProposed(
        uint256 indexed id, uint256 indexed operator, uint256 shares, bytes32 reason, uint256 executableFrom
    );
    event SettlementCancelled(uint256 indexed id);
    event SettlementExecuted(uint256 indexed id, uint256 shares);

    error CallerNotAllowed(address caller, address allowed);
    error AmountMissing();
    error BondTooLow(uint256 operator, uint256 shares, uint256 required);
    error NothingLeaves(uint256 operator);
    error StillLocked(uint256 from);
    /// @notice While a case of the operator is open nothing leaves its bond.
    error CaseStillOpen(uint256 operator, uint256 cases);
    error CaseUnknown(uint256 id);
    error SettlementUnknown(uint256 id);

    // --- Operators ---

    /// @notice Take `shares` slETH of the caller (approved) into the bond of `operator`. Anybody may add.
    function deposit(uint256 operator, uint256 shares) external;
    /// @notice Stake the ether sent and keep the slETH as bond of `operator`.
    function depositEther(uint256 operator) external payable returns (uint256 shares);
    /// @notice Ask for `shares` back: they count no longer for what is required and stay chargeable for {DELAY}. A later
    /// request joins an earlier one and starts the delay anew. By the operator's manager.
    function requestWithdrawal(uint256 operator, uint256 shares) external;
    /// @notice Pay what has waited out the delay to the operator's reward address. Anybody may call.
    function withdraw(uint256 operator) external returns (uint256 shares);

    // --- Proven faults ---

    /// @notice Open a case of at most `loss` gwei. Validator manager only.
    /// @param duration seconds for which it stays open at least
    function openCase(uint256 operator, uint256 loss, uint256 duration) external returns (uint256 id);
    /// @notice End a case whose time is over. Anybody.
    function closeCase(uint256 id) external;

    // --- Settlements: faults that no proof shows ---

    /// @notice Propose to take `shares` from the bond (missed duties, misdirected MEV). The oracle committee has signed
    /// `Settlement(uint256 operator,uint256 shares,bytes32 reason,uint256 nonce)`; anybody may submit.
    function propose(uint256 operator, uint256 shares, bytes32 reason, bytes[] calldata signatures)
        external
        returns (uint256 id);
    /// @notice Cancel a proposal before it is executed. Restricted (guardian).
    function cancel(uint256 id) external;
    /// @notice Carry out a proposal whose window is over; what it takes goes to the cover fund. Anybody.
    function execute(uint256 id) external returns (uint256 shares);

    // --- Reading ---

    /// @notice Time between asking for a bond and getting it, seconds.
    function DELAY() external view returns (uint256);
    function bondOf(uint256 operator) external view returns (Bond memory);
    /// @notice Shares that the stake and the open preparations of `operator` require at the rate of the moment, rounded up.
    function required(uint256 operator) external view returns (uint256);
    /// @notice Reverts with {BondTooLow} where the counted bond is below what `staked` (gwei) and `prepared` require.
    function requireBond(uint256 operator, uint256 staked, uint256 prepared, uint256 bondBps) external view;
    function openCases(uint256 operator) external view returns (uint256);
    function getCase(uint256 id) external view returns (Case memory);
    function getSettlement(uint256 id) external view returns (Settlement memory);
}
