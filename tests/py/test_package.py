"""What services run on: the package stands without ape."""

import subprocess
import sys

BLOCKED = ("ape", "ape_solidity", "ape_foundry", "solcx", "matplotlib", "pytest", "hypothesis")
IMPORT_ALL = f"""
import importlib, pkgutil, sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
import sluice
for module in pkgutil.walk_packages(sluice.__path__, "sluice."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def test_every_module_is_imported_without_ape_and_test_tools() -> None:
    subprocess.run([sys.executable, "-c", IMPORT_ALL], check=True, timeout=120)
