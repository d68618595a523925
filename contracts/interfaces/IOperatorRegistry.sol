// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Operator registry
/// @notice Who may run validators, and on which terms. Curated, bonded (permissionless) and distributed-cluster operators
/// differ in their {Terms} and in who lets them in, in nothing else.
interface IOperatorRegistry {
    /// @notice 4 + 4 + 2 + 2 + 1 = 13 bytes.
    struct Terms {
        uint32 stakeCap; // most ether of the pool that its validators may hold
        uint32 weight; // its part of new stake, relative to all others
        uint16 bond; // bond for each ether of stake, basis points
        uint16 fee; // its part of the operators' fee, basis points of what its weight would get; informs the fee splitter
        uint8 threshold; // of its members needed to sign a duty; 0 for an operator that is no cluster
    }

    /// @notice Two slots: 20 + 13 - kept in the order that the manager and the bonds read together; then 20 bytes.
    struct Operator {
        address manager; // prepares validators, asks for exits
        bool active; // may prepare and be topped up; exits and bonds go on when it is not
        address rewards; // gets what leaves the bond
        Terms terms;
    }

    event OperatorAdded(uint256 indexed id, address indexed manager, address indexed rewards, Terms terms);
    event MembersSet(uint256 indexed id, address[] members);
    event TermsChanged(uint256 indexed id, Terms oldTerms, Terms terms);
    event ActiveChanged(uint256 indexed id, bool active);
    event ManagerProposed(uint256 indexed id, address indexed proposed);
    event ManagerChanged(uint256 indexed id, address oldManager, address manager);
    event RewardsProposed(uint256 indexed id, address indexed proposed);
    event RewardsChanged(uint256 indexed id, address oldRewards, address rewards);
    event OpenTermsChanged(Terms solo, Terms cluster);
    event MemberCapChanged(uint256 oldCap, uint256 cap);

    error OperatorUnknown(uint256 id);
    error AddressMissing();
    error CallerNotAllowed(address caller, address allowed);
    error TermsOutOfBounds();
    /// @notice Governance has not opened this way in (its stake cap is zero).
    error NotOpen();
    error MembersNotSorted(address previous, address member);
    error ClusterSizeInvalid(uint256 members);
    error ThresholdInvalid(uint256 threshold, uint256 members);
    error ConsentInvalid(address member);
    error ConsentExpired(uint256 deadline);
    /// @notice The stake caps of all clusters of `member` would be `ether_` together.
    error MemberAboveCap(address member, uint256 ether_, uint256 cap);

    // --- Ways in ---

    /// @notice Let a curated operator in. Restricted.
    function add(address manager, address rewards, Terms calldata terms) external returns (uint256 id);

    /// @notice Register the caller as a bonded operator on the open terms. Anybody, while governance keeps it open.
    function register(address rewards) external returns (uint256 id);

    /// @notice Register a distributed cluster on the open cluster terms; every member has signed
    /// `Consent(address manager,address rewards,bytes32 membersHash,uint8 threshold,uint256 nonce,uint256 deadline)`.
    /// @param members strictly rising, 4, 7, 10 or 13 of them (3f + 1)
    /// @param threshold more than two thirds of the members, at most all
    /// @param signatures one a member, of its key or accepted by its contract (ERC-1271)
    function registerCluster(
        address manager,
        address rewards,
        address[] calldata members,
        uint8 threshold,
        uint256 deadline,
        bytes[] calldata signatures
    ) external returns (uint256 id);

    // --- The operator itself ---

    /// @notice Propose who follows the caller as manager of `id`; it must accept. Zero withdraws a proposal.
    function proposeManager(uint256 id, address proposed) external;
    function acceptManager(uint256 id) external;
    /// @notice Propose the next reward address; it must accept. By the reward address of today.
    function proposeRewards(uint256 id, address proposed) external;
    function acceptRewards(uint256 id) external;

    // --- Governance (restricted) ---

    function setTerms(uint256 id, Terms calldata terms) external;
    function setActive(uint256 id, bool active) external;
    /// @notice Terms on which anybody may register; a stake cap of zero closes that way in.
    function setOpenTerms(Terms calldata solo, Terms calldata cluster) external;
    /// @notice Most ether of stake caps that all clusters of one member may have together.
    function setMemberCap(uint256 cap) external;

    // --- Reading ---

    function count() external view returns (uint256);
    /// @dev Errors: {OperatorUnknown}. Ids start at 1.
    function operator(uint256 id) external view returns (Operator memory);
    function membersOf(uint256 id) external view returns (address[] memory);
    /// @notice Ether of stake caps of all clusters of `member`.
    function commitmentOf(address member) external view returns (uint256);
    function nonces(address member) external view returns (uint256);
}
