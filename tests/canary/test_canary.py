"""Must fail: tests/py/test_canaries.py checks that the runners say so."""


def test_canary_must_fail() -> None:
    assert 1 + 1 == 3, "the canary sings"
