// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Request signer
/// @notice For tests: contract wallets that answer ERC-1271 in every way that is not a yes.
contract RequestSigner {
    enum Answer {
        No,
        Short, // the magic value in four bytes instead of a word
        Dirty, // the magic value with bits behind it
        RevertMagic, // the magic value, as the reason of a revert
        Empty
    }

    Answer private immutable ANSWER;

    constructor(Answer answer) {
        ANSWER = answer;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        bytes32 magic = IERC1271.isValidSignature.selector;
        Answer answer = ANSWER;
        if (answer == Answer.No) return 0xffffffff;
        assembly {
            mstore(0, magic)
            if eq(answer, 1) { return(0, 4) }
            if eq(answer, 2) {
                mstore(0, or(magic, 1))
                return(0, 32)
            }
            if eq(answer, 3) { revert(0, 32) }
            return(0, 0)
        }
    }
}
