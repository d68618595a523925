"""The compiler: whole answers through a pipe, and the same code from the native build and from npm's."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".toolchain/solc/solc-v0.8.30"
NPM = [str(ROOT / ".toolchain/bin/node"), "--stack-size=8192", str(ROOT / "tools/solcjs.js")]
SETTINGS = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]


def compiled(command: list[str], task: dict[str, Any]) -> dict[str, Any]:
    answer = subprocess.run(
        [*command, "--standard-json"], input=json.dumps(task), capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(answer.stdout)


def bytecodes(command: list[str], task: dict[str, Any]) -> dict[str, str]:
    output = compiled(command, task)
    assert not [e for e in output.get("errors", []) if e["severity"] == "error"]
    return {
        f"{path}:{name}": contract["evm"]["bytecode"]["object"]
        for path, contracts in output["contracts"].items()
        for name, contract in contracts.items()
    }


def test_full_version_is_told() -> None:
    answer = subprocess.run([str(INSTALLED), "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert "Version: 0.8.30+commit.73712a01" in answer.stdout


def test_forge_compiles_with_the_settings_of_ape() -> None:
    forge = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    assert forge["solc"].endswith(f"-v{SETTINGS['version']}")
    assert forge["optimizer"] == SETTINGS["optimize"]
    assert forge["optimizer_runs"] == SETTINGS["optimization_runs"]
    assert forge["evm_version"] == SETTINGS["evm_version"]
    assert forge["via_ir"] == SETTINGS["via_ir"]


def test_long_answer_comes_whole_through_a_pipe() -> None:
    functions = "".join(f"function f{i}(uint256 x) external pure returns (uint256) {{ return x; }}" for i in range(200))
    task = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": f"contract A {{ {functions} }}"}},
        "settings": {"outputSelection": {"*": {"*": ["abi"], "": ["ast"]}}},
    }
    output = compiled([str(INSTALLED)], task)
    assert len(json.dumps(output)) > 4 * 64 * 1024
    assert len(output["contracts"]["A.sol"]["A"]["abi"]) == 200


def test_native_and_npm_compilers_give_identical_bytecode() -> None:
    if INSTALLED.read_bytes().startswith(b"#!"):
        pytest.skip("no native solc 0.8.30 here: the set-up could not download it, npm's is used")
    modules = ROOT / "node_modules"
    sources = [*(ROOT / "contracts").rglob("*.sol"), *(modules / "@openzeppelin/contracts").rglob("*.sol")]
    sources += (modules / "solady/src").rglob("*.sol")
    named = {str(path.relative_to(ROOT)): {"content": path.read_text()} for path in sources}
    mine = [name for name in named if name.startswith("contracts/")]
    task = {
        "language": "Solidity",
        "sources": named,
        "settings": {
            "remappings": ["@openzeppelin/=node_modules/@openzeppelin/", "solady/=node_modules/solady/src/"],
            "optimizer": {"enabled": SETTINGS["optimize"], "runs": SETTINGS["optimization_runs"]},
            "evmVersion": SETTINGS["evm_version"],
            "viaIR": SETTINGS["via_ir"],
            "outputSelection": {name: {"*": ["evm.bytecode.object"]} for name in mine},
        },
    }
    native, npm = bytecodes([str(INSTALLED)], task), bytecodes(NPM, task)
    assert native
    assert native == npm
