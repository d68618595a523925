// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Signature of an owner
/// @notice The owner's key is tried before the owner's contract (ERC-1271), so an account with delegated code (EIP-7702)
/// still signs as itself.
library OwnerSignature {
    /// @param owner whose consent is asked
    /// @param digest EIP-712
    /// @param signature 65 bytes of a key, or whatever the owner's contract accepts
    /// @return valid whether `owner` signed
    /// @return signer what the signature recovers to; zero where it is no signature of a key
    function check(address owner, bytes32 digest, bytes memory signature)
        internal
        view
        returns (bool valid, address signer)
    {
        (signer,,) = ECDSA.tryRecover(digest, signature);
        // an account without code gives ERC-1271 no answer, so it needs no check of its own
        valid = (signer != address(0) && signer == owner)
            || SignatureChecker.isValidERC1271SignatureNow(owner, digest, signature);
    }
}
