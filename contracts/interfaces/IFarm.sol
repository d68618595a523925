// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Farm: rewards by share and time
/// @notice Holders stake a token (slETH, a share of a pool, any ERC-20) and earn the rewards that others stream to the
/// stakers of that token. One contract for all tokens; no owner, no parameter that can change, no pause.
///
/// **A stream** is an amount of one reward token for the stakers of one stake token, paid evenly by the second from `start`
/// to `end`. Anybody can add one; the whole amount comes in at once and cannot be taken back.
///
/// **Opt in.** Anybody can add streams, so nobody is made to walk over them: an account chooses at most {MAX_STREAMS} of its
/// stake token. A stream is shared by the stakes that have chosen it ("eligible"), and by nothing else.
///
/// **What a stream pays.** An eligible stake earns `amount / duration * stake / eligible` each second. Seconds in which
/// nothing is eligible pay nobody: their part goes back to the adder after the end ({reclaim}), as does what stakers forfeit.
///
/// **Rounding.** For one account, from choosing a stream to leaving it or to having no stake, let `exact` be the rational sum
/// of the above and `changes` how often the eligible stake changed in that time. It gets at least
///
///     exact - 1 - (changes + its own calls) * stake / 2^shift   and at most   exact,
///
/// in the least units of the reward token. `shift` is given by {stream}; for 1e6 ether of rewards and 1,000 ether of stake
/// the last term is below 1e-8 a change. How often it claims does not matter: fractions are carried. A stream never pays more
/// than its amount; what rounding leaves, below one unit for each account each time that it leaves, and the last term above, stays here for good.
///
/// **Tokens.** Nobody judges a token here, so each must be able to harm itself alone:
/// - Amounts are counted, balances are not. A token sent here without a call, or one whose balances grow, is nobody's.
/// - A token that takes a fee of its transfers is refused as it comes in: {TokenTakesFee}.
/// - A token whose balances shrink cannot pay all that are owed: who comes late gets {TransferFailed} and can take out less.
///   Stakes and rewards of other tokens are not touched. Do not stake rebasing tokens; wrap them (slETH does not rebase).
/// - A reward token is called when it is added, claimed or reclaimed, and by {exit}, where it gets {REWARD_GAS} and may
///   fail. Staking, unstaking, choosing and leaving streams never call it. So it can break its own claims, and no others.
/// - If a token is both staked and paid, its stakes and rewards are counted apart: no stream pays out what it did not bring.
///
/// Units: amounts in the least unit of their token, times in seconds. The calls that change state cannot be entered again.
/// Sources of the method: Euler's Reward Streams (opting in), Synthetix' StakingRewards (the accumulator).
interface IFarm {
    /// @param accumulator what one unit of stake that was eligible from the start on has earned, times 2^shift, as of `ranTo`
    /// @param eligible stake that has chosen the stream
    /// @param amount all it pays
    /// @param start first second; `end` is the first after the last
    /// @param ranTo until when accumulator and idle time are counted; `start` while it has not begun
    /// @param idle seconds up to `ranTo` in which nothing was eligible
    /// @param shift scale of the accumulator
    /// @param left of `amount`, what is still here
    /// @param forfeited what stakers gave up, for the adder
    /// @param reclaimed what the adder has got back
    struct StreamView {
        address stakeToken;
        address rewardToken;
        address adder;
        uint256 amount;
        uint256 start;
        uint256 end;
        uint256 accumulator;
        uint256 eligible;
        uint256 ranTo;
        uint256 idle;
        uint256 shift;
        uint256 left;
        uint256 forfeited;
        uint256 reclaimed;
    }

    event StreamAdded(
        uint256 indexed id,
        address indexed stakeToken,
        address indexed rewardToken,
        address adder,
        uint256 amount,
        uint256 start,
        uint256 end
    );
    /// @notice `sender` paid `amount` of `token` for the stake of `account`.
    event Staked(address indexed token, address indexed account, address indexed sender, uint256 amount);
    event Unstaked(address indexed token, address indexed account, address indexed receiver, uint256 amount);
    /// @notice The stake of `account` counts for the stream from now on.
    event Enabled(uint256 indexed id, address indexed account);
    /// @notice It does not any more: it left, or the stream is over.
    event Disabled(uint256 indexed id, address indexed account);
    event Claimed(uint256 indexed id, address indexed account, address indexed receiver, uint256 amount);
    /// @notice The reward token failed in {exit}; `amount` is still owed.
    event ClaimFailed(uint256 indexed id, address indexed account, uint256 amount);
    /// @notice `account` gave up `amount`, which is the adder's now.
    event Forfeited(uint256 indexed id, address indexed account, uint256 amount);
    event Reclaimed(uint256 indexed id, address indexed adder, uint256 amount);

    error CallerNotAllowed(address caller, address allowed);
    error NotAContract(address account);
    /// @notice Of `asked` only `received` arrived.
    error TokenTakesFee(address token, uint256 asked, uint256 received);
    /// @notice The token reverted, returned false or returned something that is not true.
    error TransferFailed(address token, address from, address to, uint256 amount);
    error AmountMissing();
    /// @notice The zero address, or the farm itself.
    error ReceiverInvalid(address receiver);
    error AmountAboveMaximum(uint256 amount, uint256 maximum);
    error StartInPast(uint256 start, uint256 now_);
    error StartTooLate(uint256 start, uint256 latest);
    error EndBeforeStart(uint256 start, uint256 end);
    error DurationOutOfBounds(uint256 duration, uint256 shortest, uint256 longest);
    /// @notice What would be staked is neither nothing nor the least.
    error StakeBelowMinimum(uint256 given, uint256 minimum);
    /// @param maximum what can still be staked: all stakes of a token are at most {MAX_AMOUNT}
    error StakeAboveMaximum(uint256 amount, uint256 maximum);
    error UnstakeAboveStake(uint256 amount, uint256 stake);
    /// @notice Streams are chosen by the account alone, not by who stakes for it.
    error StreamsOfAnother(address caller, address receiver);
    error StreamUnknown(uint256 id);
    error StreamOver(uint256 id, uint256 end);
    error StreamNotOver(uint256 id, uint256 end);
    error StreamOfAnotherToken(uint256 id, address stakeToken, address token);
    error StreamEnabled(uint256 id);
    error StreamNotEnabled(uint256 id);
    error TooManyStreams(uint256 maximum);

    // --- Streams ---

    /// @notice Stream `amount` of `rewardToken` to the stakers of `stakeToken` who choose it. The caller has approved the
    /// amount, pays it now and is who {reclaim} pays.
    /// @param start not in the past, at most {MAX_DELAY} ahead
    /// @param end {MIN_DURATION} to {MAX_DURATION} after `start`
    /// @return id counted from 1
    /// @dev Errors: {StartInPast}, {StartTooLate}, {EndBeforeStart}, {DurationOutOfBounds}, {AmountMissing},
    /// {AmountAboveMaximum}, {NotAContract}, {TransferFailed}, {TokenTakesFee}.
    function addStream(address stakeToken, address rewardToken, uint256 amount, uint256 start, uint256 end)
        external
        returns (uint256 id);

    /// @notice Pay the adder of a stream that is over what nobody can earn any more: the part of the seconds in which nothing
    /// was eligible, and what was forfeited. Anybody can call, again whenever more was forfeited.
    /// @return amount rounded down
    /// @dev Errors: {StreamUnknown}, {StreamNotOver}, {TransferFailed}.
    function reclaim(uint256 id) external returns (uint256 amount);

    // --- Stake ---

    /// @notice Add `amount` of the caller's `token` to the stake of `receiver`, and have it count for the streams `ids`, too.
    /// @param ids may be empty; others than these stay chosen. Empty where the receiver is not the caller
    /// @dev Errors: {AmountMissing}, {ReceiverInvalid}, {StreamsOfAnother}, {StakeBelowMinimum}, {StakeAboveMaximum}, those
    /// of {enable}, {NotAContract}, {TransferFailed}, {TokenTakesFee}.
    function stake(address token, uint256 amount, address receiver, uint256[] calldata ids) external;

    /// @notice As {stake}, with an ERC-2612 permit. A permit that fails does no harm where the allowance suffices, so nobody
    /// can stop the call by submitting the permit before.
    function stakeWithPermit(
        address token,
        uint256 amount,
        address receiver,
        uint256[] calldata ids,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Take `amount` out of the caller's stake. What it has earned stays claimable, its streams stay chosen.
    /// Who wants all of it calls {exit} or {emergencyExit}: others may have added to it in the meantime.
    /// @dev Errors: {AmountMissing}, {ReceiverInvalid}, {UnstakeAboveStake}, {StakeBelowMinimum}, {TransferFailed}.
    function unstake(address token, uint256 amount, address receiver) external;

    /// @notice Take out the whole stake, leave its streams and claim them. A reward token that fails, or needs more than
    /// {REWARD_GAS}, is still owed ({ClaimFailed}) and stops nothing. Streams that were left before are not claimed.
    /// @return amount of `token`
    /// @dev Errors: {ReceiverInvalid}, {TransferFailed} of `token`.
    function exit(address token, address receiver) external returns (uint256 amount);

    /// @notice Take out the whole stake and leave its streams, without counting what it has earned since its last change or
    /// claim: that goes to the adders. What was counted before stays claimable. Calls nothing but `token`.
    /// @return amount of `token`
    /// @dev Errors: {ReceiverInvalid}, {TransferFailed}.
    function emergencyExit(address token, address receiver) external returns (uint256 amount);

    // --- Choose streams ---

    /// @notice Have the caller's stake of `token`, which may be nothing yet, count for the streams `ids`, too. Streams that
    /// are over make room for others.
    /// @dev Errors: {StreamUnknown}, {StreamOfAnotherToken}, {StreamOver}, {StreamEnabled}, {TooManyStreams}.
    function enable(address token, uint256[] calldata ids) external;

    /// @notice Leave the streams `ids`.
    /// @param forget give up all that is earned and not claimed, for the adder; else it stays claimable
    /// @dev Errors: {StreamNotEnabled}.
    function disable(address token, uint256[] calldata ids, bool forget) external;

    // --- Claim ---

    /// @notice Pay `receiver` what the caller has earned in the streams `ids`, chosen still or not. What is below one unit is
    /// carried. One reward token that fails makes the call fail: leave its streams out.
    /// @dev Errors: {ReceiverInvalid}, {StreamUnknown}, {TransferFailed}.
    function claim(uint256[] calldata ids, address receiver) external;

    /// @notice Of the farm itself alone, in {exit}: a token that moves and does not return true must not have moved.
    /// @dev Errors: {CallerNotAllowed}, {TransferFailed}.
    function payReward(address token, address to, uint256 amount) external;

    // --- Reading ---

    /// @notice Streams that a stake can count for.
    function MAX_STREAMS() external view returns (uint256);
    /// @notice Least stake of an account that has one.
    function MIN_STAKE() external view returns (uint256);
    /// @notice Most of one stream, and of all stakes of one token.
    function MAX_AMOUNT() external view returns (uint256);
    /// @notice Seconds.
    function MIN_DURATION() external view returns (uint256);
    /// @notice Seconds.
    function MAX_DURATION() external view returns (uint256);
    /// @notice Seconds from now to the start of a stream at most.
    function MAX_DELAY() external view returns (uint256);
    /// @notice Gas that {exit} lets a reward token use.
    function REWARD_GAS() external view returns (uint256);

    /// @notice Id of the newest stream, 0 where there is none.
    function lastStreamId() external view returns (uint256);
    function totalStaked(address token) external view returns (uint256);
    function stakeOf(address token, address account) external view returns (uint256);
    /// @notice Streams for which the stake of `account` counts, those that are over and were not left yet included.
    function streamsOf(address token, address account) external view returns (uint256[] memory ids);
    /// @notice What {claim} would pay now.
    function earned(uint256 id, address account) external view returns (uint256 amount);
    /// @notice What {reclaim} would pay, 0 before the end.
    function reclaimable(uint256 id) external view returns (uint256 amount);
    /// @notice As of now. Errors: {StreamUnknown}.
    function stream(uint256 id) external view returns (StreamView memory);
}
