"""What the tests of the box share: here it is on, and its absence is a failure."""

import pytest


@pytest.fixture(autouse=True)
def boxed(own_home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMOLOOP_SANDBOX", "required")
