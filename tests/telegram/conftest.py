"""One phone per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bot_api import Standin
from phone import Phone


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    with Standin() as standin:
        yield Phone(standin, tmp_path)
