// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReportLimits} from "../../../contracts/interfaces/IReportLimits.sol";
import {IReportOracle, Report} from "../../../contracts/interfaces/IReportOracle.sol";
import {BeaconDeposit} from "../../../contracts/interfaces/IStakingVault.sol";
import {Deployment} from "../support/Deployment.sol";

/// @dev Members who sign, vote, rotate, come and go, and forgers beside them.
contract OracleHandler is Deployment {
    enum Action {
        Submit,
        Vote,
        Replay,
        Short,
        Unsorted,
        Twice,
        Stranger,
        Tampered,
        WrongFrame,
        OutsideLimits,
        Released,
        Rotate,
        Add,
        Remove,
        Quorum
    }

    uint256 internal constant KEYS = 96;

    /// @dev Who signs with what, beside what the oracle says; key 0 where nobody.
    address[] internal members;
    mapping(address member => uint256) internal keyOfMember;
    mapping(uint256 key => bool) internal inUse;
    mapping(uint256 key => address) internal ownerOf; // for ever
    uint256 internal nextMember;
    uint256 internal quorum = QUORUM;
    uint256 internal lastSlot;
    uint256 internal validators;
    uint256 internal beaconGwei; // what the validators have by the newest report
    uint256 public accepted;
    uint256 public calls;
    mapping(Action action => uint256) public done;
    Report internal lastReport;

    constructor() {
        deployProtocol();
        for (uint256 i = 0; i < MEMBERS; ++i) {
            members.push(vm.addr(memberKey(i)));
            keyOfMember[members[i]] = signingKey(i);
            inUse[signingKey(i)] = true;
            ownerOf[signingKey(i)] = members[i];
        }
        nextMember = MEMBERS;
        address staker = named("staker");
        vm.deal(staker, 10_000 ether);
        vm.prank(staker);
        vault.stake{value: 10_000 ether}(staker, 0, address(0));
        BeaconDeposit[] memory items = new BeaconDeposit[](1);
        items[0] = beaconDeposit(0x01, 8_000e9);
        vm.prank(depositor);
        vault.depositToBeacon(items);
        beaconGwei = 8_000e9;
        vm.warp(block.timestamp + FRAME_SLOTS * SLOT);
    }

    // --- Reports ---

    function submit(uint256 change, uint256 count) external {
        ++calls;
        _awaitFrame();
        Report memory report = _honest(change);
        _accept(report, quorum + count % (members.length - quorum + 1), count);
        ++done[Action.Submit];
    }

    function vote(uint256 change, uint256 first) external {
        ++calls;
        _awaitFrame();
        Report memory report = _honest(change);
        uint256 before = vault.referenceTime();
        for (uint256 i = 0; i < quorum; ++i) {
            vm.assertEq(vault.referenceTime(), before, "INV-ORC-01: nothing happens below the quorum");
            vm.prank(vm.addr(keyOfMember[members[addmod(first, i, members.length)]]));
            oracle.vote(report);
        }
        _applied(report);
        ++done[Action.Vote];
    }

    function replay(uint256 count) external {
        ++calls;
        if (accepted == 0) return;
        (uint256 expectedSlot,,,) = oracle.expected();
        bytes[] memory signatures = _sign(oracle.digest(lastReport), quorum, count);
        bytes memory error = lastReport.referenceSlot == expectedSlot
            ? abi.encodeWithSelector(IReportOracle.AlreadyReported.selector, expectedSlot)
            : abi.encodeWithSelector(
                IReportOracle.ReferenceSlotUnexpected.selector, lastReport.referenceSlot, expectedSlot
            );
        _refuse(error, lastReport, signatures);
        ++done[Action.Replay];
    }

    function forge(uint256 change, uint256 how) external {
        ++calls;
        _awaitFrame();
        Report memory report = _honest(change);
        bytes32 digest = oracle.digest(report);
        bytes[] memory signatures = _sign(digest, quorum, how);
        uint256 kind = how % 6;
        if (kind == 0) {
            bytes[] memory fewer = new bytes[](quorum - 1);
            for (uint256 i = 0; i + 1 < quorum; ++i) {
                fewer[i] = signatures[i];
            }
            _refuse(abi.encodeWithSelector(IReportOracle.QuorumNotReached.selector, quorum - 1, quorum), report, fewer);
            ++done[Action.Short];
        } else if (kind == 1 && quorum > 1) {
            (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
            _refuse(
                abi.encodeWithSelector(
                    IReportOracle.SignersNotSorted.selector,
                    _signer(digest, signatures[0]),
                    _signer(digest, signatures[1])
                ),
                report,
                signatures
            );
            ++done[Action.Unsorted];
        } else if (kind == 2 && quorum > 1) {
            signatures[1] = signatures[0];
            address signer = _signer(digest, signatures[0]);
            _refuse(abi.encodeWithSelector(IReportOracle.SignersNotSorted.selector, signer, signer), report, signatures);
            ++done[Action.Twice];
        } else if (kind == 3) {
            uint256[] memory keys = _keys(quorum, how);
            keys[0] = 0xF000 + change % 1_000; // nobody's
            signatures = _signAll(digest, keys);
            _refuse(
                abi.encodeWithSelector(IReportOracle.QuorumNotReached.selector, quorum - 1, quorum), report, signatures
            );
            ++done[Action.Stranger];
        } else if (kind == 4) {
            report.consensusBalance += 1; // what was signed is another report
            uint256 before = vault.referenceTime();
            (bool fine,) = address(oracle).call(abi.encodeCall(oracle.submit, (report, signatures)));
            vm.assertTrue(!fine, "INV-ORC-01: what nobody signed is refused");
            vm.assertEq(vault.referenceTime(), before);
            ++done[Action.Tampered];
        } else {
            (uint256 expectedSlot,,,) = oracle.expected();
            report.referenceSlot = uint64(change % 2 == 0 ? expectedSlot - FRAME_SLOTS : expectedSlot + FRAME_SLOTS);
            signatures = _sign(oracle.digest(report), quorum, how);
            _refuse(
                abi.encodeWithSelector(
                    IReportOracle.ReferenceSlotUnexpected.selector, report.referenceSlot, expectedSlot
                ),
                report,
                signatures
            );
            ++done[Action.WrongFrame];
        }
    }

    /// @dev A full quorum is bounded, too: outside the limits only what governance released passes.
    function overstep(uint256 size, bool release) external {
        ++calls;
        _awaitFrame();
        Report memory report = _honest(0);
        uint256 elapsed = oracle.GENESIS_TIME() + report.referenceSlot * SLOT - vault.referenceTime();
        uint256 share = 500 * (elapsed < 1 days ? 1 days : elapsed) / 1 days;
        uint256 most = vault.totalAssets() * (share > 5_000 ? 5_000 : share) / 10_000;
        uint256 loss = most / 1 gwei + 1 + size % 10e9;
        if (loss > beaconGwei / 2) return;
        report.consensusBalance = uint64(beaconGwei - loss);
        bytes[] memory signatures = _sign(oracle.digest(report), quorum, size);
        if (release) {
            bytes32 digest = oracle.digest(report);
            vm.prank(governor);
            limits.release(digest);
            oracle.submit(report, signatures);
            _applied(report);
            ++done[Action.Released];
        } else {
            _refuse(
                abi.encodeWithSelector(IReportLimits.LossAboveLimit.selector, loss * 1 gwei, most), report, signatures
            );
            ++done[Action.OutsideLimits];
        }
    }

    // --- Members ---

    function rotate(uint256 who, uint256 key) external {
        ++calls;
        address member = members[who % members.length];
        uint256 fresh = signingKey(key % KEYS);
        vm.prank(member);
        if (ownerOf[fresh] != address(0) && ownerOf[fresh] != member) {
            vm.expectRevert(abi.encodeWithSelector(IReportOracle.KeyInUse.selector, vm.addr(fresh)));
            oracle.rotateKey(vm.addr(fresh));
            return;
        }
        oracle.rotateKey(vm.addr(fresh));
        inUse[keyOfMember[member]] = false;
        inUse[fresh] = true;
        ownerOf[fresh] = member;
        keyOfMember[member] = fresh;
        ++done[Action.Rotate];
    }

    function add(uint256 key, uint256 newQuorum) external {
        ++calls;
        uint256 fresh = signingKey(key % KEYS);
        if (ownerOf[fresh] != address(0) || members.length >= 9) return;
        address member = vm.addr(memberKey(nextMember++));
        newQuorum = bound(newQuorum, (members.length + 1) / 2 + 1, members.length + 1);
        vm.prank(governor);
        oracle.addMember(member, vm.addr(fresh), newQuorum);
        members.push(member);
        keyOfMember[member] = fresh;
        inUse[fresh] = true;
        ownerOf[fresh] = member;
        quorum = newQuorum;
        ++done[Action.Add];
    }

    function remove(uint256 who, uint256 newQuorum) external {
        ++calls;
        if (members.length <= 2) return;
        uint256 index = who % members.length;
        address member = members[index];
        newQuorum = bound(newQuorum, (members.length - 1) / 2 + 1, members.length - 1);
        vm.prank(governor);
        oracle.removeMember(member, newQuorum);
        inUse[keyOfMember[member]] = false;
        keyOfMember[member] = 0;
        members[index] = members[members.length - 1];
        members.pop();
        quorum = newQuorum;
        ++done[Action.Remove];
    }

    function setQuorum(uint256 newQuorum) external {
        ++calls;
        newQuorum %= members.length + 3;
        vm.prank(governor);
        if (newQuorum * 2 <= members.length || newQuorum > members.length) {
            vm.expectRevert(abi.encodeWithSelector(IReportOracle.QuorumOutOfBounds.selector, newQuorum, members.length));
            oracle.setQuorum(newQuorum);
            return;
        }
        oracle.setQuorum(newQuorum);
        quorum = newQuorum;
        ++done[Action.Quorum];
    }

    function warp(uint256 seconds_) external {
        ++calls;
        vm.warp(block.timestamp + seconds_ % (2 * FRAME_SLOTS * SLOT));
    }

    // --- What must hold ---

    function check() external view {
        address[] memory there = oracle.members();
        vm.assertEq(there.length, members.length, "INV-ORC-01: members");
        vm.assertEq(oracle.quorum(), quorum, "INV-ORC-01: quorum");
        vm.assertTrue(quorum * 2 > there.length && quorum <= there.length, "INV-ORC-01: more than half, at most all");
        for (uint256 i = 0; i < members.length; ++i) {
            address key = vm.addr(keyOfMember[members[i]]);
            vm.assertEq(oracle.keyOf(members[i]), key);
            vm.assertEq(oracle.memberOf(key), members[i]);
        }
        uint256 used;
        for (uint256 i = 0; i < KEYS; ++i) {
            address owner = oracle.memberOf(vm.addr(signingKey(i)));
            vm.assertEq(owner != address(0), inUse[signingKey(i)]);
            if (owner != address(0)) ++used;
        }
        vm.assertEq(used, members.length, "INV-ORC-01: one key a member, one member a key");
        vm.assertEq(oracle.lastReferenceSlot(), lastSlot, "INV-ORC-02: the slot of the newest report");
        vm.assertEq(oracle.validators(), validators);
        if (accepted != 0) {
            vm.assertEq(
                vault.referenceTime(), oracle.GENESIS_TIME() + lastSlot * SLOT, "INV-ORC-02: and its time in the vault"
            );
            vm.assertEq(vault.outside(), beaconGwei * 1 gwei, "INV-ORC-01: the vault believes what was agreed on");
        }
        (uint256 slot, uint256 time, uint256 deadline, bool reported) = oracle.expected();
        vm.assertTrue(time <= block.timestamp && block.timestamp < deadline, "INV-ORC-02: the frame that runs now");
        vm.assertEq((slot - oracle.FIRST_SLOT()) % FRAME_SLOTS, 0);
        vm.assertEq(reported, slot == lastSlot);
    }

    function doneMask() external view returns (uint256 mask) {
        for (uint256 i = 0; i <= uint256(type(Action).max); ++i) {
            if (done[Action(i)] != 0) mask |= 1 << i;
        }
    }

    function fullMask() external pure returns (uint256) {
        return (2 << uint256(type(Action).max)) - 1;
    }

    // --- Internal ---

    /// @dev To a frame that has no report yet, and whose slot is final.
    function _awaitFrame() private {
        (, uint256 time, uint256 deadline, bool reported) = oracle.expected();
        if (reported) time = deadline;
        if (block.timestamp < time + 13 minutes) vm.warp(time + 13 minutes);
    }

    function _honest(uint256 change) private returns (Report memory report) {
        (uint256 slot, uint256 time,,) = oracle.expected();
        uint256 part = (change >> 8) % (beaconGwei / 2_000);
        uint256 balance = change % 3 == 0 ? beaconGwei + part : change % 3 == 1 ? beaconGwei - part : beaconGwei;
        report.referenceSlot = uint64(slot);
        report.beaconRoot = keccak256(abi.encode(change, slot));
        publishRoot(time, report.beaconRoot);
        report.validators = uint64((change >> 16) % 2_000);
        report.consensusBalance = uint64(balance);
        report.deposited = 8_000e9;
    }

    function _accept(Report memory report, uint256 count, uint256 first) private {
        bytes[] memory signatures = _sign(oracle.digest(report), count, first);
        oracle.submit(report, signatures);
        _applied(report);
    }

    function _applied(Report memory report) private {
        vm.assertTrue(report.referenceSlot > lastSlot, "INV-ORC-02: the reference slot rises");
        lastSlot = report.referenceSlot;
        validators = report.validators;
        beaconGwei = report.consensusBalance;
        lastReport = report;
        ++accepted;
    }

    function _refuse(bytes memory error, Report memory report, bytes[] memory signatures) private {
        (bool fine, bytes memory answer) = address(oracle).call(abi.encodeCall(oracle.submit, (report, signatures)));
        vm.assertTrue(!fine, "this must be refused");
        vm.assertEq(answer, error);
    }

    /// @dev Of `count` members from `first` on.
    function _sign(bytes32 digest, uint256 count, uint256 first) private view returns (bytes[] memory) {
        return _signAll(digest, _keys(count, first));
    }

    function _keys(uint256 count, uint256 first) private view returns (uint256[] memory keys) {
        keys = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            keys[i] = keyOfMember[members[addmod(first, i, members.length)]];
        }
    }

    /// @dev Sorted by address; every other one in the short form.
    function _signAll(bytes32 digest, uint256[] memory keys) private pure returns (bytes[] memory signatures) {
        signatures = new bytes[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            uint256 key = keys[i];
            uint256 at = i;
            while (at != 0 && vm.addr(keys[at - 1]) > vm.addr(key)) {
                keys[at] = keys[at - 1];
                --at;
            }
            keys[at] = key;
        }
        for (uint256 i = 0; i < keys.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[i], digest);
            signatures[i] = i % 2 == 0
                ? abi.encodePacked(r, s, v)
                : abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        }
    }

    function _signer(bytes32 digest, bytes memory signature) private pure returns (address) {
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        if (signature.length == 65) return ecrecover(digest, uint8(signature[64]), r, s);
        return ecrecover(digest, uint8(27 + (uint256(s) >> 255)), r, bytes32(uint256(s) << 1 >> 1));
    }
}
