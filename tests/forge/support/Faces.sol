// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ICoverFund} from "../../../contracts/interfaces/ICoverFund.sol";
import {IReportLimits} from "../../../contracts/interfaces/IReportLimits.sol";
import {IReportOracle} from "../../../contracts/interfaces/IReportOracle.sol";
import {IStakingVault} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";

// The contracts as tests see them: what is public beside the interfaces. Tests import no implementation, so a change
// of one contract compiles that contract alone.

/// @dev As in StakingVault.
struct VaultConfig {
    address authority;
    address token;
    address queue;
    address gateway;
    address rewardsVault;
    address depositContract;
    address oracle;
    address bonds;
    address cover;
    address feeRecipient;
    uint256 fee;
    uint256 minStake;
    uint256 vestingPeriod;
    uint256 limitBurst;
    uint256 limitGrowth;
    address[] depositors;
}

/// @dev As in ReportOracle.
struct OracleConfig {
    address authority;
    address vault;
    address limits;
    address challenge;
    uint256 genesisTime;
    uint256 secondsPerSlot;
    uint256 firstSlot;
    uint256 frameSlots;
    address[] members;
    address[] keys;
    uint256 quorum;
    uint256 validators;
}

struct ChallengeConfig {
    address token;
    address vault;
    address oracle;
    address manager;
    uint256 bond;
    uint256 delay;
    uint256 answerTime;
    uint256 demandFee;
}

interface Vault is IStakingVault {
    receive() external payable;
    function MAX_PAUSE() external view returns (uint256);
    function MAX_FEE() external view returns (uint256);
    function MIN_SEED() external view returns (uint256);
    function SEED_HOLDER() external view returns (address);
    function MAX_VESTING_PERIOD() external view returns (uint256);
    function QUEUE() external view returns (address);
    function GATEWAY() external view returns (address);
    function CREDENTIALS() external view returns (bytes32);
    function MIN_STAKE() external view returns (uint256);
    function VESTING_PERIOD() external view returns (uint256);
    function rewardsVault() external view returns (address);
    function depositContract() external view returns (address);
    function fee() external view returns (uint16);
    function feeRecipient() external view returns (address);
    function unrecovered() external view returns (uint96);
    function authority() external view returns (address);
}

interface Queue is IWithdrawalQueue {
    receive() external payable;
    function MIN_REQUEST() external view returns (uint256);
    function STALE_AFTER() external view returns (uint256);
    function FINALIZE_WINDOW() external view returns (uint256);
    function token() external view returns (address);
    function vault() external view returns (address);
    function descriptor() external view returns (address);
    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function ownerOf(uint256 id) external view returns (address);
    function balanceOf(address owner) external view returns (uint256);
    function getApproved(uint256 id) external view returns (address);
    function approve(address account, uint256 id) external payable;
    function setApprovalForAll(address operator, bool approved) external;
    function transferFrom(address from, address to, uint256 id) external payable;
    function safeTransferFrom(address from, address to, uint256 id) external payable;
    function tokenURI(uint256 id) external view returns (string memory);
    function supportsInterface(bytes4 id) external view returns (bool);
}

interface Oracle is IReportOracle {
    function MAX_MEMBERS() external view returns (uint256);
    function CHALLENGE() external view returns (address);
    function FIRST_SLOT() external view returns (uint256);
    function FRAME_SLOTS() external view returns (uint256);
    function vault() external view returns (address);
    function authority() external view returns (address);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory);
}

interface LimitsFace is IReportLimits {
    function MAX_YEARLY_GAIN() external view returns (uint256);
    function MAX_LOSS() external view returns (uint256);
    function FRAME() external view returns (uint256);
}

interface Cover is ICoverFund {
    function VAULT() external view returns (address);
    function token() external view returns (address);
}

interface Access {
    function grantRole(uint64 role, address account, uint32 delay) external;
    function setTargetFunctionRole(address target, bytes4[] calldata selectors, uint64 role) external;
}

interface Deployer3 {
    function deploy(bytes32 salt, bytes calldata initCode) external payable returns (address);
    function predict(address deployer, bytes32 salt) external view returns (address);
}

interface OfficialDepositContract {
    function get_deposit_root() external view returns (bytes32);
    function get_deposit_count() external view returns (bytes memory);
    function deposit(
        bytes calldata pubkey,
        bytes calldata withdrawalCredentials,
        bytes calldata signature,
        bytes32 depositDataRoot
    ) external payable;
}

interface AccessManagedError {
    error AccessManagedUnauthorized(address caller);
}
