"""One phone per test, and no relay left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_api import Standin
from phone import Phone


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    with Standin() as standin:
        phone = Phone(standin, tmp_path)
        yield phone
        phone.end_relays()
