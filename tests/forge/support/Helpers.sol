// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {ILossCover} from "../../../contracts/interfaces/ILossCover.sol";
import {BeaconDeposit, ConsensusReport} from "../../../contracts/interfaces/IStakingVault.sol";
import {IWithdrawalGateway} from "../../../contracts/interfaces/IWithdrawalGateway.sol";
import {Vault} from "./Faces.sol";

/// @dev A loss module that does what its mode says.
contract ScriptedModule is ILossCover {
    enum Mode {
        GivesWhatItHas,
        GivesNothing,
        GivesAll,
        Reverts
    }

    IERC20 private immutable TOKEN;
    address private immutable VAULT;
    Mode public mode;
    uint256 public asked;
    uint256 public calls;

    constructor(address token, address vault) {
        TOKEN = IERC20(token);
        VAULT = vault;
    }

    function setMode(Mode newMode) external {
        mode = newMode;
    }

    function cover(uint256 shares) external {
        asked = shares;
        ++calls;
        uint256 held = TOKEN.balanceOf(address(this));
        if (mode == Mode.GivesWhatItHas) TOKEN.transfer(VAULT, held < shares ? held : shares);
        if (mode == Mode.GivesAll) TOKEN.transfer(VAULT, held);
        if (mode == Mode.Reverts) {
            TOKEN.transfer(VAULT, held);
            revert("no");
        }
    }
}

/// @dev A loss module that tries everything while the report runs and keeps what each attempt answered.
contract ReentrantModule is ILossCover {
    Vault private immutable VAULT;
    bytes4[12] public answers;
    uint256 public rateInside;

    constructor(address vault) {
        VAULT = Vault(payable(vault));
    }

    receive() external payable {}

    function cover(uint256) external {
        rateInside = VAULT.rate();
        BeaconDeposit[] memory none;
        ConsensusReport memory empty;
        answers[0] = _try(abi.encodeCall(VAULT.stake, (address(this), 0, address(0))), 1 ether);
        answers[1] = _try(abi.encodeCall(VAULT.mint, (1 ether, address(this))), 2 ether);
        answers[2] = _try("", 1 ether);
        answers[3] = _try(abi.encodeCall(VAULT.depositToBeacon, (none)), 0);
        answers[4] = _try(abi.encodeCall(VAULT.report, (empty)), 0);
        answers[5] = _try(abi.encodeWithSignature("redeem(uint256)", 1 gwei), 0);
        answers[6] = _try(abi.encodeCall(VAULT.pauseStaking, (1)), 0);
        answers[7] = _try(abi.encodeCall(VAULT.resumeStaking, ()), 0);
        answers[8] = _try(abi.encodeCall(VAULT.setStakeLimit, (1, 1)), 0);
        (bool done, bytes memory answer) = VAULT.GATEWAY().call(abi.encodeCall(IWithdrawalGateway.sweep, ()));
        answers[9] = done ? bytes4(0) : bytes4(answer);
        answers[10] = _try(abi.encodeCall(VAULT.cancelUnvested, ()), 0);
        answers[11] = _try(abi.encodeCall(VAULT.noteSlashing, ()), 0);
    }

    function _try(bytes memory data, uint256 value) private returns (bytes4 selector) {
        (bool done, bytes memory answer) = address(VAULT).call{value: value}(data);
        return done ? bytes4(0) : bytes4(answer);
    }
}

contract RejectsEther {
    receive() external payable {
        revert("no ether");
    }
}

/// @dev An account with code: takes ether, and signs by keeping digests (ERC-1271).
contract SigningWallet {
    mapping(bytes32 digest => bool) public agreed;

    receive() external payable {}

    function agree(bytes32 digest) external {
        agreed[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return agreed[digest] ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }

    function run(address target, uint256 value, bytes calldata data) external payable returns (bytes memory) {
        (bool done, bytes memory answer) = target.call{value: value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }
}
