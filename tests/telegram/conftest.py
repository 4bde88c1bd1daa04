"""One phone per test, and no relay left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_api import Standin
from phone import Phone


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    with Standin() as standin:
        phone = Phone(standin, tmp_path)
        for name, value in phone.environ.items():  # one machine: the tests look at sessions that its processes made
            monkeypatch.setenv(name, value)
        yield phone
        phone.end_relays()
        phone.end_work()
