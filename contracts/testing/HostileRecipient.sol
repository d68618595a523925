// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Hostile recipient
/// @notice For tests: does what a payee could do against those who pay it and those who wait beside it.
contract HostileRecipient {
    enum Mode {
        Accept,
        Revert,
        RevertLong, // with a megabyte
        ReturnLong, // takes the ether and returns a megabyte
        Spin // until the gas is gone
    }

    error NotToday();

    Mode public mode;

    // solhint-disable-next-line no-complex-fallback
    receive() external payable {
        Mode mode_ = mode;
        if (mode_ == Mode.Revert) revert NotToday();
        if (mode_ == Mode.Spin) while (true) {}
        if (mode_ == Mode.RevertLong) {
            assembly {
                revert(0, 0x100000)
            }
        }
        if (mode_ == Mode.ReturnLong) {
            assembly {
                return(0, 0x100000)
            }
        }
    }

    function become(Mode mode_) external {
        mode = mode_;
    }
}
