// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IRequestDescriptor} from "../../../contracts/interfaces/IRequestDescriptor.sol";
import {IWithdrawalQueue} from "../../../contracts/interfaces/IWithdrawalQueue.sol";
import {Test} from "../support/Test.sol";

/// @dev Whole documents, letter by letter. What they look like is for a person to judge.
contract RequestDescriptorTest is Test {
    IRequestDescriptor private descriptor;

    function setUp() public {
        descriptor = IRequestDescriptor(vm.deployCode("RequestDescriptor.sol:RequestDescriptor"));
    }

    function test_OpenRequest() external view {
        IWithdrawalQueue.Request memory request = IWithdrawalQueue.Request({
            owner: address(1),
            shares: 12.345678999 ether,
            requestedAt: 1_763_887_530, // 2025-11-23 08:45:30 UTC
            assets: 13.050000000000000001 ether,
            finalized: false,
            claimed: false
        });
        _check(
            7,
            request,
            1_000 ether + 1,
            "#fbbf24",
            ["open", "12.345678999", "13.050000000000000001", "1000.000000000000000001", "1763887530"],
            ["12.345678", "Worth ether now", "13.05", "1000", "2025-11-23 08:45 UTC"]
        );
    }

    function test_FinalisedRequest() external view {
        IWithdrawalQueue.Request memory request = IWithdrawalQueue.Request({
            owner: address(1),
            shares: 0.001 ether + 1,
            requestedAt: 946_684_799 + 600 + 36_000, // 2000-01-01 10:09:59 UTC
            assets: 0.00000099 ether,
            finalized: true,
            claimed: false
        });
        _check(
            1_000_000,
            request,
            0,
            "#2dd4bf",
            ["finalised", "0.001000000000000001", "0.00000099", "0", "946721399"],
            ["0.001", "Pays ether", "0", "0", "2000-01-01 10:09 UTC"]
        );
    }

    function test_ClaimedRequest() external view {
        IWithdrawalQueue.Request memory request = IWithdrawalQueue.Request({
            owner: address(0),
            shares: 100_000 ether,
            requestedAt: 4_102_444_800 - 60, // 2099-12-31 23:59:00 UTC
            assets: 123_456.1 ether,
            finalized: true,
            claimed: true
        });
        _check(
            3,
            request,
            10 ether,
            "#2dd4bf",
            ["claimed", "100000", "123456.1", "10", "4102444740"],
            ["100000", "Pays ether", "123456.1", "10", "2099-12-31 23:59 UTC"]
        );
    }

    function _check(
        uint256 id,
        IWithdrawalQueue.Request memory request,
        uint256 ahead,
        string memory colour,
        string[5] memory traits, // state, slETH, ether, ahead, time
        string[5] memory rows // slETH, label, ether, ahead, time
    ) private view {
        string memory number = vm.toString(id);
        string memory image = string.concat(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" font-family="sans-serif" fill="#e2e8f0">',
            '<rect width="400" height="400" rx="24" fill="#0f172a"/>',
            '<path d="M0 330q50-24 100 0t100 0 100 0 100 0v46a24 24 0 0 1-24 24H24a24 24 0 0 1-24-24z" opacity=".35" fill="',
            colour,
            '"/><text x="32" y="60" font-size="22">Withdrawal request #',
            number,
            '</text><text x="32" y="92" font-size="18" fill="',
            colour,
            '">',
            traits[0],
            "</text>"
        );
        image = string.concat(image, _row("150", "slETH", rows[0]), _row("195", rows[1], rows[2]));
        image = string.concat(image, _row("240", "Ether ahead", rows[3]), _row("285", "Requested", rows[4]), "</svg>");
        string memory json = string.concat(
            '{"name":"Sluice Withdrawal Request #',
            number,
            '","description":"A place in the withdrawal queue of Sluice. Its slETH goes on earning until the request is ',
            'finalised; then its owner is paid in ether.","image":"data:image/svg+xml;base64,',
            vm.toBase64(bytes(image)),
            '","attributes":['
        );
        json = string.concat(json, _trait("State", traits[0]), _trait("slETH", traits[1]), _trait("Ether", traits[2]));
        json = string.concat(
            json,
            _trait("Ether ahead", traits[3]),
            '{"display_type":"date","trait_type":"Requested","value":',
            traits[4],
            "}]}"
        );
        vm.assertEq(
            descriptor.tokenURI(id, request, ahead),
            string.concat("data:application/json;base64,", vm.toBase64(bytes(json)))
        );
    }

    function _row(string memory y, string memory label, string memory value) private pure returns (string memory) {
        string memory left = string.concat('<text x="32" font-size="15" opacity=".7" y="', y, '">', label, "</text>");
        return string.concat(left, '<text x="368" font-size="18" text-anchor="end" y="', y, '">', value, "</text>");
    }

    function _trait(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":"', value, '"},');
    }
}
