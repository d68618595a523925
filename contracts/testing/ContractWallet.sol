// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Contract wallet for tests
/// @notice Does what its owner says, takes ether, and accepts the owner's signatures as its own (ERC-1271).
contract ContractWallet is IERC1271 {
    address public immutable OWNER;

    error CallerNotOwner(address caller);

    constructor(address owner) {
        OWNER = owner;
    }

    receive() external payable {}

    /// @notice Call `target` with the ether sent. What it reverts with is passed on.
    function execute(address target, bytes calldata data) external payable returns (bytes memory) {
        if (msg.sender != OWNER) revert CallerNotOwner(msg.sender);
        (bool success, bytes memory result) = target.call{value: msg.value}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer,,) = ECDSA.tryRecoverCalldata(hash, signature);
        return signer == OWNER ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
