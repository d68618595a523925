"""The key of a service: an encrypted keystore (Web3 secret storage, version 3) and its password, both in files.

Version 3 and not EIP-2335, which is the same scheme for BLS keys: this one signs on the execution side, and geth, ape
and every wallet write and read it. Neither key nor password is ever an argument or in a log.
"""

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount


class KeyFileError(Exception):
    """The key cannot be had, and why."""


def load_key(path: Path, password_file: Path) -> LocalAccount:
    try:
        keystore = json.loads(_text(path))
        password = _text(password_file).rstrip("\r\n")
    except json.JSONDecodeError as error:
        raise KeyFileError(f"{path} is no keystore: it is not JSON") from error
    version = keystore.get("version") if isinstance(keystore, dict) else None
    if version is None:
        raise KeyFileError(f"{path} is no keystore: it has no version")
    if version != 3:
        kind = ", which holds a validator's key (EIP-2335)" if version == 4 else ""
        raise KeyFileError(f"{path} is a keystore of version {version}{kind}; version 3 is needed")
    try:
        secret = Account.decrypt(keystore, password)
    except (ValueError, TypeError, KeyError) as error:
        raise KeyFileError(f"{path} does not open with the password in {password_file}") from error
    key: LocalAccount = Account.from_key(secret)
    return key


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path} is not UTF-8") from error
