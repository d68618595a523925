// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

// solhint-disable quotes -- JSON has double ones inside

import {Base64} from "solady/utils/Base64.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";
import {LibString} from "solady/utils/LibString.sol";

import {IRequestDescriptor} from "../interfaces/IRequestDescriptor.sol";
import {IWithdrawalQueue} from "../interfaces/IWithdrawalQueue.sol";

/// @title Request descriptor
/// @notice See {IRequestDescriptor}.
/// @dev Everything drawn is a number or a word from here, so there is nothing to escape in JSON or XML.
contract RequestDescriptor is IRequestDescriptor {
    using LibString for uint256;

    /// @dev Digits after the point that the picture shows; the rest is cut off, so it never shows too much.
    uint256 private constant SHOWN = 6;

    /// @inheritdoc IRequestDescriptor
    function tokenURI(uint256 id, IWithdrawalQueue.Request memory request, uint256 ahead)
        external
        pure
        returns (string memory)
    {
        bytes memory json = abi.encodePacked(
            '{"name":"Sluice Withdrawal Request #',
            id.toString(),
            '","description":"A place in the withdrawal queue of Sluice. Its slETH goes on earning until the request is '
            'finalised; then its owner is paid in ether.","image":"data:image/svg+xml;base64,',
            Base64.encode(_image(id, request, ahead)),
            '","attributes":[',
            _traits(request, ahead),
            "]}"
        );
        return string.concat("data:application/json;base64,", Base64.encode(json));
    }

    function _traits(IWithdrawalQueue.Request memory request, uint256 ahead) private pure returns (bytes memory) {
        return abi.encodePacked(
            _trait("State", _state(request)),
            _trait("slETH", _ether(request.shares, 18)),
            _trait("Ether", _ether(request.assets, 18)),
            _trait("Ether ahead", _ether(ahead, 18)),
            '{"display_type":"date","trait_type":"Requested","value":',
            request.requestedAt.toString(),
            "}"
        );
    }

    function _trait(string memory name, string memory value) private pure returns (bytes memory) {
        return abi.encodePacked('{"trait_type":"', name, '","value":"', value, '"},');
    }

    function _image(uint256 id, IWithdrawalQueue.Request memory request, uint256 ahead)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" font-family="sans-serif" fill="#e2e8f0">'
            '<rect width="400" height="400" rx="24" fill="#0f172a"/>',
            _head(id, request),
            _row("150", "slETH", _ether(request.shares, SHOWN)),
            _row("195", request.finalized ? "Pays ether" : "Worth ether now", _ether(request.assets, SHOWN)),
            _row("240", "Ether ahead", _ether(ahead, SHOWN)),
            _row("285", "Requested", _time(request.requestedAt)),
            "</svg>"
        );
    }

    function _head(uint256 id, IWithdrawalQueue.Request memory request) private pure returns (bytes memory) {
        string memory colour = request.finalized ? "#2dd4bf" : "#fbbf24";
        return abi.encodePacked(
            '<path d="M0 330q50-24 100 0t100 0 100 0 100 0v46a24 24 0 0 1-24 24H24a24 24 0 0 1-24-24z" opacity=".35" fill="',
            colour,
            '"/><text x="32" y="60" font-size="22">Withdrawal request #',
            id.toString(),
            '</text><text x="32" y="92" font-size="18" fill="',
            colour,
            '">',
            _state(request),
            "</text>"
        );
    }

    function _row(string memory y, string memory label, string memory value) private pure returns (bytes memory) {
        return abi.encodePacked(
            '<text x="32" font-size="15" opacity=".7" y="',
            y,
            '">',
            label,
            '</text><text x="368" font-size="18" text-anchor="end" y="',
            y,
            '">',
            value,
            "</text>"
        );
    }

    function _state(IWithdrawalQueue.Request memory request) private pure returns (string memory) {
        if (request.claimed) return "claimed";
        return request.finalized ? "finalised" : "open";
    }

    /// @return `amount` wei in ether with at most `places` digits after the point, rounded down, without trailing zeros
    function _ether(uint256 amount, uint256 places) private pure returns (string memory) {
        string memory whole = (amount / 1 ether).toString();
        uint256 fraction = amount % 1 ether / 10 ** (18 - places);
        if (fraction == 0) return whole;
        while (fraction % 10 == 0) {
            fraction /= 10;
            --places;
        }
        string memory digits = fraction.toString();
        return string.concat(whole, ".", LibString.repeat("0", places - bytes(digits).length), digits);
    }

    /// @return as "2025-11-23 08:45 UTC"
    function _time(uint256 timestamp) private pure returns (string memory) {
        (uint256 year, uint256 month, uint256 day) = DateTimeLib.timestampToDate(timestamp);
        uint256 minute = timestamp % 1 days / 1 minutes;
        string memory date = string.concat(year.toString(), "-", _two(month), "-", _two(day));
        return string.concat(date, " ", _two(minute / 60), ":", _two(minute % 60), " UTC");
    }

    function _two(uint256 value) private pure returns (string memory) {
        return string.concat(value < 10 ? "0" : "", value.toString());
    }
}
