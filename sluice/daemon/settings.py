"""Settings from a YAML file and the environment (``SLUICE_...``, which goes first), with errors that name the field."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from eth_utils.address import is_address, is_checksum_address, is_checksum_formatted_address, to_checksum_address
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import PydanticBaseSettingsSource as Source

PREFIX: Final = "SLUICE_"
OTHERS: Final = (
    "SLUICE_ROOT",
    "SLUICE_RPC",
    "SLUICE_BEACON",
    "SLUICE_OPERATOR_KEY_FILE",
    "SLUICE_OPERATOR_PASSWORD_FILE",
    "SLUICE_DEVNET_URL",
)
"""Variables that are no settings: of the project's own shell, of `sluice operator` and `sluice devnet`."""
OF_TESTS: Final = "SLUICE_TEST_"


class SettingsError(Exception):
    """What is wrong, field by field."""


def read_address(value: object) -> str:
    """With its checksum, which must be right where there is one (EIP-55); raises :class:`ValueError`."""
    if not (isinstance(value, str) and is_address(value)):
        number = isinstance(value, int)
        raise ValueError("YAML reads a number: put it in quotes" if number else f"'{value}' is not an address")
    if is_checksum_formatted_address(value) and not is_checksum_address(value):
        raise ValueError(f"'{value}' has a wrong checksum: is it mistyped?")
    return str(to_checksum_address(value))


def _several(value: object) -> object:
    """Several in one variable, with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _url(value: str) -> str:
    # the value may hold a key, so no error tells it
    if not value.startswith(("http://", "https://")):
        raise ValueError("it does not begin with http:// or https://")
    try:
        parts = urlsplit(value)
        leads = bool(parts.hostname) and parts.port != 0
    except ValueError:
        leads = False
    if not leads:
        raise ValueError("it has no host, or a wrong port")
    return value.rstrip("/")


def _one(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > 1:
        raise ValueError("one: a keeper asks no second node")
    return value


Address = Annotated[str, BeforeValidator(read_address)]


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise ValueError(f"'{value}' is not host:port")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
Url = Annotated[str, AfterValidator(_url)]
Urls = Annotated[tuple[Url, ...], NoDecode, BeforeValidator(_several)]
OneUrl = Annotated[Urls, AfterValidator(_one)]
Addresses = Annotated[tuple[Address, ...], NoDecode, BeforeValidator(_several)]


class ServiceSettings(BaseSettings):
    """Of every service."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    execution_urls: Urls = Field(min_length=1, description="JSON-RPC of execution nodes, at least one; all must agree")
    beacon_urls: Urls = Field(min_length=1, description="Beacon API of consensus nodes, at least one; all must agree")
    oracle: Address = Field(description="Address of the ReportOracle; every other contract is found from it")
    first_block: int = Field(0, ge=0, description="Block of the deployment: no log is looked for before it")
    state_dir: Path = Field(description="Folder for what is kept between runs; one service in one folder")
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:0", description="host:port of the endpoints; port 0: a free one"
    )
    key_file: Path | None = Field(None, description="Keystore (version 3, as geth and ape write it). Without: dry mode")
    password_file: Path | None = Field(None, description="Its password, in a file")
    log_format: Literal["console", "json"] = Field("console", description="How log lines look")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least that is logged")
    poll_seconds: float = Field(12.0, gt=0, le=3_600, description="Between two looks at the chain")
    max_fee_gwei: int = Field(100, ge=1, le=100_000, description="Most that a unit of gas may cost; above it, wait")
    receipt_seconds: float = Field(180.0, gt=0, description="Until a transaction is sent again with a higher fee")

    @model_validator(mode="after")
    def _password_with_key(self) -> Self:
        if (self.key_file is None) != (self.password_file is None):
            raise ValueError("key_file and password_file belong together")
        return self

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, _kind: type[BaseSettings], init_settings: Source, env_settings: Source, *_others: Source, **_more: Source
    ) -> tuple[Source, ...]:
        """The environment before the file, which comes as arguments."""
        return env_settings, init_settings

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


_S = TypeVar("_S", bound=ServiceSettings)


def load(kind: type[_S], path: Path | None) -> _S:
    """From ``path`` (YAML) and the environment; raises :class:`SettingsError`."""
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{path} is not UTF-8") from error
        except yaml.YAMLError as error:
            raise SettingsError(f"{path} is not YAML: {error}") from error
        if not isinstance(given, dict):
            raise SettingsError(f"{path} holds no fields")
        for name in given:
            if not isinstance(name, str):
                raise SettingsError(f"{path}: {name} is not the name of a setting")
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX)
        and name not in OTHERS
        and not name.startswith(OF_TESTS)
        and _field(name) not in kind.model_fields
    )
    if unknown:
        raise SettingsError(f"no such setting: {', '.join(unknown)}. `--help` lists them all")
    try:
        return kind(**given)
    except ValidationError as error:
        lines = [f"  {_name(item['loc'])}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]
        hint = "`--help` explains them; docs/examples has whole files"
        raise SettingsError("\n".join(["the settings are refused:", *lines, hint])) from error


def _field(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _name(place: tuple[int | str, ...]) -> str:
    name = ".".join(map(str, place))
    return f"{name} ({PREFIX}{str(place[0]).upper()})" if place else "settings"


def described(kind: type[ServiceSettings]) -> str:
    """All settings with what they mean, for ``--help``."""
    lines = []
    for name, info in kind.model_fields.items():
        default = "" if info.is_required() else f" [{info.default}]"
        lines.append(f"  {PREFIX}{name.upper()}{default}\n      {info.description}")
    return "\n".join(lines)
