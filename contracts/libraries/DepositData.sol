// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title SSZ root of a deposit
/// @notice `hash_tree_root(DepositData)` (consensus specs, phase 0): sha256 over 32-byte chunks, integers little endian.
library DepositData {
    /// @param pubkey 48 bytes, checked by the caller
    /// @param signature 96 bytes, checked by the caller
    /// @param amount gwei
    function root(bytes calldata pubkey, bytes32 credentials, bytes calldata signature, uint64 amount)
        internal
        pure
        returns (bytes32)
    {
        bytes32 pubkeyRoot = sha256(abi.encodePacked(pubkey, bytes16(0)));
        bytes32 signatureRoot = sha256(
            abi.encodePacked(
                sha256(signature[:64]), //
                sha256(abi.encodePacked(signature[64:], bytes32(0)))
            )
        );
        return sha256(
            abi.encodePacked(
                sha256(abi.encodePacked(pubkeyRoot, credentials)),
                sha256(abi.encodePacked(_littleEndian(amount), bytes24(0), signatureRoot))
            )
        );
    }

    function _littleEndian(uint64 value) private pure returns (bytes8) {
        value = ((value & 0xFF00FF00FF00FF00) >> 8) | ((value & 0x00FF00FF00FF00FF) << 8);
        value = ((value & 0xFFFF0000FFFF0000) >> 16) | ((value & 0x0000FFFF0000FFFF) << 16);
        return bytes8((value >> 32) | (value << 32));
    }
}
