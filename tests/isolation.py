"""A repair of ape's isolation of tests (0.8.51), put in place by conftest.

ape takes the snapshot of a test after its fixtures of wider scopes. It asks by name alone which scope a fixture has,
over all modules: a `holder` of function scope counts as one of module scope where any other module has such a one.
Then it is made before the snapshot, and what it did to the chain stays for all tests that follow.
"""

from __future__ import annotations

from typing import Any


def from_test_item(cls: Any, item: Any) -> Any:
    """The fixtures of a test by scope, as the test itself sees them."""
    fixtures = cls(item)
    visible = item._fixtureinfo.name2fixturedefs
    for name, everywhere in fixtures._arg2fixturedefs.items():
        if name in item.fixturenames and (definitions := visible.get(name) or everywhere):
            fixtures[definitions[-1].scope].append(name)
    return fixtures


def repair() -> None:
    from ape.pytest.fixtures import FixtureMap

    FixtureMap.from_test_item = classmethod(from_test_item)
