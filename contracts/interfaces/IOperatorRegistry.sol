// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Operator registry
/// @notice Who may run validators, and on which terms. Curated, bonded (permissionless) and distributed-cluster operators
/// differ in their {Terms} and in who lets them in, in nothing else.
interface IOperatorRegistry {
    struct Terms {
        uint32 stakeCap; // most ether of the pool that its validators may hold; 0 or at least 32
        uint32 weight; // its part of new stake, relative to all others
        uint16 bond; // bond for each ether of stake, basis points
        uint16 fee; // its part of the operators' fee, basis points of what its weight would get; informs the fee splitter
        uint8 threshold; // of its members needed to sign a duty; 0 for an operator that is no cluster
    }

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
    event ConsentRevoked(address indexed member, uint256 nonce);
    event OpenTermsChanged(Terms oldSolo, Terms oldCluster, Terms solo, Terms cluster);
    event MemberCapChanged(uint256 oldCap, uint256 cap);

    error OperatorUnknown(uint256 id);
    error AddressMissing();
    error CallerNotAllowed(address caller, address allowed);
    error StakeCapTooLow(uint256 cap, uint256 minimum);
    error BondAboveMaximum(uint256 bond, uint256 maximum);
    error FeeAboveMaximum(uint256 fee, uint256 maximum);
    /// @notice Governance has not opened this way in (its stake cap is zero).
    error NotOpen();
    /// @notice Members must rise strictly by address, so that none counts twice.
    error MembersNotSorted(address previous, address member);
    error ClusterSizeInvalid(uint256 members);
    /// @notice Not more than two thirds of the members, or more than all.
    error ThresholdInvalid(uint256 threshold, uint256 members);
    /// @notice A threshold is what members have signed (0 where there are none); terms cannot change it.
    error ThresholdChanged(uint256 threshold, uint256 signed);
    error LengthMismatch(uint256 members, uint256 signatures);
    error ConsentInvalid(address member);
    error ConsentExpired(uint256 deadline);
    /// @notice The stake caps of all active clusters of `member` would be `commitment` ether together.
    error MemberAboveCap(address member, uint256 commitment, uint256 cap);

    // --- Ways in ---

    /// @notice Let a curated operator in. Restricted.
    /// @param terms with a threshold of 0
    function add(address manager, address rewards, Terms calldata terms) external returns (uint256 id);

    /// @notice Register the caller as a bonded operator on the open terms. Anybody, while governance keeps it open.
    function register(address rewards) external returns (uint256 id);

    /// @notice Register a distributed cluster on the open cluster terms. Anybody may submit what every member has signed:
    /// `Consent(address manager,address rewards,address[] members,uint8 threshold,uint256 nonce,uint256 deadline)`.
    /// @param members strictly rising, 4, 7, 10 or 13 of them (3f + 1)
    /// @param threshold more than two thirds of the members, at most all
    /// @param deadline last second at which the consents count
    /// @param signatures one a member, in their order, of its key or accepted by its contract (ERC-1271); each uses the
    /// member's nonce up
    function registerCluster(
        address manager,
        address rewards,
        address[] calldata members,
        uint8 threshold,
        uint256 deadline,
        bytes[] calldata signatures
    ) external returns (uint256 id);

    /// @notice Void the consents that the caller has signed with its present nonce.
    function revokeConsent() external;

    // --- The operator itself ---

    /// @notice Propose who follows the caller as manager of `id`; it must accept. Zero withdraws a proposal.
    function proposeManager(uint256 id, address proposed) external;
    function acceptManager(uint256 id) external;
    /// @notice Propose the next reward address; it must accept. By the reward address of today.
    function proposeRewards(uint256 id, address proposed) external;
    function acceptRewards(uint256 id) external;

    // --- Governance (restricted) ---

    /// @notice Give `id` other terms. The threshold of a cluster is its members' and stays what it is.
    /// @dev Errors: {MemberAboveCap} where a stake cap rises; it may always fall.
    function setTerms(uint256 id, Terms calldata terms) external;
    /// @notice An operator that is not active commits its members to nothing.
    /// @dev Errors: {MemberAboveCap} where a cluster becomes active again.
    function setActive(uint256 id, bool active) external;
    /// @notice Terms on which anybody may register from now on (threshold 0); a stake cap of zero closes that way in.
    function setOpenTerms(Terms calldata solo, Terms calldata cluster) external;
    /// @notice Most ether of stake caps that all active clusters of one member may have together. Clusters above it stay;
    /// none can be added.
    function setMemberCap(uint256 cap) external;

    // --- Reading ---

    /// @notice Operators ever let in; ids are 1 to this.
    function count() external view returns (uint256);
    /// @dev Two storage reads. Errors: {OperatorUnknown}.
    function operator(uint256 id) external view returns (Operator memory);
    /// @notice What preparing and topping up need.
    /// @dev One storage read. Errors: {OperatorUnknown}.
    /// @return manager may act for the operator
    /// @return active whether it may get more stake
    /// @return stakeCap ether
    /// @return bond basis points of stake
    function mandate(uint256 id) external view returns (address manager, bool active, uint256 stakeCap, uint256 bond);
    function membersOf(uint256 id) external view returns (address[] memory);
    function proposedManager(uint256 id) external view returns (address);
    function proposedRewards(uint256 id) external view returns (address);
    /// @notice Ether of stake caps of all active clusters of `member`.
    function commitmentOf(address member) external view returns (uint256);
    function memberCap() external view returns (uint256);
    function openTerms() external view returns (Terms memory solo, Terms memory cluster);
    /// @notice What `member` signs next (EIP-712).
    function consentDigest(
        address member,
        address manager,
        address rewards,
        address[] calldata members,
        uint8 threshold,
        uint256 deadline
    ) external view returns (bytes32);
    function nonces(address member) external view returns (uint256);
}
