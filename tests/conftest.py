"""What every test shares: nothing of the person's reaches it, and nothing of it reaches the person."""

import os
import signal
from pathlib import Path

import pytest

from samoloop.config.projects import register

_KEPT = {"PATH", "LANG", "LC_ALL", "TMPDIR", "TERM", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV", "CI"}

# A shell starts background jobs with SIGINT ignored, and what a process ignores its children ignore too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an environment without keys, tokens, git or samoloop settings."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(
            ("PYTEST_", "SAMOLOOP_E2E", "npm_config_", "PIP_", "SSL_", "NODE_EXTRA")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("SAMOLOOP_SANDBOX", "off")  # scripted children write where they like; tests/box turns it on
    return home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registered project, without git."""
    folder = tmp_path / "shop"
    folder.mkdir()
    register(folder, os.environ)
    return folder
