// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ILossCover} from "./ILossCover.sol";

/// @title Operators' bonds
/// @notice slETH that stands in for what operators do: it earns like any slETH, and it pays first when the pool loses by
/// their fault. First step of the vault's loss waterfall.
///
/// A proven slashing opens a *case*: from then on a loss that a report carries is taken from the bond of that operator, at
/// most the loss that the case allows, oldest case first. What a bond covers is burnt by the vault at the rate before the
/// report, so the rate of all others stays to the wei.
///
/// A preparation that has failed (credentials that are not ours, or never proven) has cost exactly 1 ether: it is taken at
/// once and kept for the report that tells that loss.
///
/// An operator has one case at most; a further fault joins it. So a loss costs one step for each operator at fault,
/// however many of its validators are, and nobody can hide behind others' cases.
interface IOperatorBonds is ILossCover {
    struct Bond {
        uint96 shares; // counted for what is required; the part that leaves is not
        uint96 leaving; // asked back, chargeable until it is paid
        uint40 leavingFrom; // seconds, when it can be paid
        uint24 settlements; // proposed and neither cancelled nor executed
    }

    struct Case {
        uint96 open; // wei of loss that it may still take; 0 where there is no case
        uint40 closes; // seconds; a report that counts this moment lets anybody end it
    }

    struct Settlement {
        uint32 operator;
        uint96 shares;
        uint40 executableFrom; // seconds; until then it can be cancelled
        bytes32 reason; // hash of the evidence
    }

    event BondDeposited(uint256 indexed operator, address indexed from, uint256 shares);
    /// @notice `leaving` is all that leaves now, from second `from` on.
    event BondWithdrawalRequested(uint256 indexed operator, uint256 shares, uint256 leaving, uint256 from);
    event BondWithdrawalCancelled(uint256 indexed operator, uint256 shares);
    event BondWithdrawn(uint256 indexed operator, address indexed to, uint256 shares);
    /// @notice A fault of at most `loss` wei; with what was open before the case may take `open`.
    event CaseOpened(uint256 indexed operator, uint256 loss, uint256 open, uint256 closes);
    event CaseCharged(uint256 indexed operator, uint256 shares, uint256 open);
    event CaseClosed(uint256 indexed operator);
    /// @notice `shares` is what was taken for a preparation that has failed: less than 1 ether where the bond was smaller.
    event PreparationCharged(uint256 indexed operator, uint256 shares);
    event Collected(address indexed to, uint256 shares);
    event SettlementProposed(
        uint256 indexed id, uint256 indexed operator, uint256 shares, bytes32 reason, uint256 executableFrom
    );
    event SettlementCancelled(uint256 indexed id);
    /// @notice `shares` is what was taken: less than proposed where the bond was smaller.
    event SettlementExecuted(uint256 indexed id, address indexed to, uint256 shares);
    event ManagerChanged(address oldManager, address manager);

    error CallerNotAllowed(address caller, address allowed);
    error NotAContract(address account);
    error WindowInvalid(uint256 window, uint256 delay);
    error AmountMissing();
    error AmountAboveBond(uint256 operator, uint256 shares, uint256 counted);
    /// @notice `shares` would count where the stake of the operator requires more.
    error BondTooLow(uint256 operator, uint256 shares, uint256 required);
    error NothingLeaves(uint256 operator);
    error StillLocked(uint256 from);
    /// @notice While an operator has a case nothing leaves its bond, and no stake comes to it.
    error CaseIsOpen(uint256 operator);
    error CaseUnknown(uint256 operator);
    /// @notice The newest report counts what was at `referenceTime`, not yet what was at `closes`.
    error CaseNotOver(uint256 closes, uint256 referenceTime);
    /// @notice While a settlement is proposed nothing leaves the bond.
    error SettlementIsOpen(uint256 operator);
    error SettlementUnknown(uint256 id);
    error SettlementExpired(uint256 deadline);
    error CoverMissing();
    /// @notice A bond that a case has emptied is not begun anew with so little.
    error AmountBelowMinimum(uint256 shares, uint256 minimum);
    error NothingToCollect();

    // --- Operators ---

    /// @notice Take `shares` slETH of the caller (approved) into the bond of `operator`. Anybody may add.
    /// @dev Errors: {AmountMissing}, {AmountBelowMinimum}, `OperatorUnknown` of the registry, those of slETH.
    function deposit(uint256 operator, uint256 shares) external;
    /// @notice {deposit} with the caller's ERC-2612 permit for exactly `shares`. A permit that somebody has submitted
    /// before does no harm.
    function depositWithPermit(uint256 operator, uint256 shares, uint256 deadline, bytes calldata signature) external;
    /// @notice Stake the ether sent and keep the slETH as bond of `operator`. Anybody may add.
    function depositEther(uint256 operator) external payable returns (uint256 shares);
    /// @notice Ask for `shares` back: they count no longer for what is required and stay chargeable until they are paid,
    /// {DELAY} later at the earliest. A later request joins an earlier one and starts the delay anew. By the operator's
    /// manager.
    function requestWithdrawal(uint256 operator, uint256 shares) external;
    /// @notice Let what leaves count again. By the operator's manager.
    function cancelWithdrawal(uint256 operator) external;
    /// @notice Pay what has waited out the delay to the operator's reward address. Anybody may call.
    /// @dev Errors: {NothingLeaves}, {StillLocked}, {CaseIsOpen}, {SettlementIsOpen}, {BondTooLow} where what stays is below
    /// what is required.
    function withdraw(uint256 operator) external returns (uint256 shares);

    // --- Proven faults ---

    /// @notice Open a case of at most `loss` gwei, or let it join that of the operator. Validator manager only. A loss of
    /// nothing opens none.
    /// @param duration seconds for which it stays open at least
    function openCase(uint256 operator, uint256 loss, uint256 duration) external;
    /// @notice Take 1 ether of slETH, at the rate of the moment and as far as it is there, for a preparation that has failed.
    /// Validator manager only.
    function chargePreparation(uint256 operator) external;
    /// @notice Go on where the newest loss has stopped after {MAX_CHARGES} operators, within a day: what those behind them
    /// owe goes to the vault's cover fund. Anybody; again and again.
    /// @dev Errors: {CoverMissing}, {NothingToCollect}.
    function collect() external returns (uint256 shares);
    /// @notice End a case once a report counts all of its time. Anybody.
    function closeCase(uint256 operator) external;

    // --- Settlements: faults that no proof shows ---

    /// @notice Propose to take `shares` from the bond (missed duties, misdirected MEV). A quorum of the oracle committee has
    /// signed `Settlement(uint256 operator,uint256 shares,bytes32 reason,uint256 nonce,uint256 deadline)`, ordered by
    /// signer; until second `deadline` anybody may
    /// submit. The nonce is that of the operator, so signatures count once.
    /// @dev Errors: {AmountMissing}, {SettlementExpired}, `OperatorUnknown` of the registry, those of
    /// {IReportOracle-requireQuorum}.
    function propose(uint256 operator, uint256 shares, bytes32 reason, uint256 deadline, bytes[] calldata signatures)
        external
        returns (uint256 id);
    /// @notice Cancel a proposal before it is executed. Restricted (guardian).
    function cancel(uint256 id) external;
    /// @notice Carry out a proposal whose window is over: what it takes, as far as it is there, goes to the vault's cover
    /// fund. Anybody.
    function execute(uint256 id) external returns (uint256 shares);

    // --- Governance ---

    /// @notice Replace the validator manager, which opens cases and knows what operators have at stake. Restricted.
    function setManager(address newManager) external;

    // --- Reading ---

    /// @notice Time between asking for a bond and getting it, seconds.
    function DELAY() external view returns (uint256);
    /// @notice Time between proposing a settlement and executing it, seconds; shorter than {DELAY}.
    function WINDOW() external view returns (uint256);
    /// @notice Least that is put into the bond of an operator with a case and an empty bond, shares.
    function MIN_RETURN() external view returns (uint256);
    /// @notice Most operators that one loss is taken from; {collect} goes on behind them.
    function MAX_CHARGES() external view returns (uint256);
    function manager() external view returns (address);
    function bondOf(uint256 operator) external view returns (Bond memory);
    /// @notice Shares that the stake and the open preparations of `operator` require at the rate of the moment: basis
    /// points of stake by its terms, and 1 ether for each preparation, rounded up.
    function required(uint256 operator) external view returns (uint256);
    /// @notice Reverts where no new stake may come: with {BondTooLow} where the counted bond is below what `staked` (gwei)
    /// and `prepared` require, with {CaseIsOpen} or {SettlementIsOpen} where something waits to be taken from it.
    function requireBond(uint256 operator, uint256 staked, uint256 prepared, uint256 bondBps) external view;
    /// @notice What {requireBond} looks at.
    /// @return claimed whether a case or a settlement waits to be taken from the bond
    /// @return shares that are counted
    function backing(uint256 operator) external view returns (bool claimed, uint256 shares);
    function caseOf(uint256 operator) external view returns (Case memory);
    /// @notice The operator that pays after `operator`, and with 0 the first that pays; 0 where there is none. Only those
    /// with a case and with something in their bond are in this line.
    function nextCharged(uint256 operator) external view returns (uint256);
    /// @notice Shares taken for failed preparations that pay the next losses. Where another contract is to take this one's
    /// place they would stay behind: replace it while they are 0.
    function due() external view returns (uint256);
    /// @notice Settlements ever proposed; ids are 1 to this.
    function settlementCount() external view returns (uint256);
    /// @dev Errors: {SettlementUnknown}, also for one that was cancelled or executed.
    function getSettlement(uint256 id) external view returns (Settlement memory);
    /// @notice Nonce of the next settlement of `operator`.
    function nonces(uint256 operator) external view returns (uint256);
    /// @notice What a member's key signs for the next settlement of `operator` (EIP-712).
    function settlementDigest(uint256 operator, uint256 shares, bytes32 reason, uint256 deadline)
        external
        view
        returns (bytes32);
}
