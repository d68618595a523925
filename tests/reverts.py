"""A strict, fast replacement for ``ape.reverts``.

``ape.reverts(SomeError)`` only compares when ape managed to decode the failure into a ``CustomError``;
for view calls, string reverts, empty reverts and errors of other contracts it passes whatever happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from ape.exceptions import ContractLogicError, VirtualMachineError
from ape_foundry import FoundryProvider
from eth_abi import decode
from eth_utils import keccak
from ethpm_types.abi import ErrorABI
from hexbytes import HexBytes
from web3 import HTTPProvider

from tests.in_process import Reverted

ERROR_STRING = keccak(text="Error(string)")[:4]
PANIC = keccak(text="Panic(uint256)")[:4]


def _abi_of(error: Any) -> ErrorABI:
    return error if isinstance(error, ErrorABI) else error.abi


@contextmanager
def reverts(expected: Any = None, /, **inputs: Any) -> Iterator[None]:
    """Assert that the one call or transaction made inside reverts with exactly ``expected``.

    ``expected``: a custom error (``vault.ErrA``), a reason string, an int panic code, ``b""`` for an empty
    revert, or ``None`` for any revert. ``inputs``: every named argument given must be equal.
    """
    seen: list[HexBytes] = []
    original = HTTPProvider.make_request

    def record(self: HTTPProvider, method: Any, params: Any) -> Any:
        response = original(self, method, params)
        if method == "eth_call" and isinstance(error := response.get("error"), dict):
            seen.append(HexBytes(error.get("data") or b""))
        return response

    def cheap(self: FoundryProvider, exception: Exception, **kwargs: Any) -> VirtualMachineError:
        if isinstance(data := getattr(exception, "data", None), str):  # the replay of a failed transaction
            seen.append(HexBytes(data))
        return ContractLogicError(revert_message=str(exception), base_err=exception, set_ape_traceback=False)

    with (
        patch.object(HTTPProvider, "make_request", record),
        patch.object(FoundryProvider, "get_virtual_machine_error", cheap),
        pytest.raises((VirtualMachineError, Reverted)) as caught,
    ):
        yield

    if isinstance(caught.value, Reverted):
        seen.append(HexBytes(caught.value.data))
    if expected is None:
        return
    assert seen, "the failure was not an EVM revert"
    data = seen[-1]
    if isinstance(expected, str):
        assert data[:4] == ERROR_STRING, f"expected reason {expected!r}, got {data.hex()!r}"
        reason = decode(["string"], data[4:])[0]
        assert reason == expected, f"expected reason {expected!r}, got {reason!r}"
    elif isinstance(expected, bytes):
        assert data == expected, f"expected an empty revert, got {data.hex()!r}"
    elif isinstance(expected, int):
        assert data[:4] == PANIC, f"expected panic {expected:#x}, got {data.hex()!r}"
        code = decode(["uint256"], data[4:])[0]
        assert code == expected, f"expected panic {expected:#x}, got {code:#x}"
    else:
        abi = _abi_of(expected)
        selector = keccak(text=abi.selector)[:4]
        assert data[:4] == selector, f"expected {abi.selector}, got {data.hex()!r}"
        types = [i.canonical_type for i in abi.inputs]
        got = dict(zip([i.name for i in abi.inputs], decode(types, data[4:]), strict=True))
        unknown = set(inputs) - set(got)
        assert not unknown, f"{abi.selector} has no inputs {unknown}"
        for name, want in inputs.items():
            want = getattr(want, "address", want)
            have = got[name]
            same = have.lower() == want.lower() if isinstance(want, str) and isinstance(have, str) else have == want
            assert same, f"{abi.name}.{name}: expected {want!r}, got {have!r}"
