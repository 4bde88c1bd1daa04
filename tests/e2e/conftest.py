"""What the whole-session tests share: the installed CLIs, an isolated home, a small project."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from install import cache_folder, programs_folder

SANDBOX = os.environ.get("SAMOLOOP_E2E_SANDBOX", "required")  # or off: `make e2e SANDBOX=off`
PROGRAMS = programs_folder(cache_folder())


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """A plain `pytest` leaves these tests out: they need the CLIs. `pytest tests/e2e` asks for them."""
    asked = any("e2e" in Path(argument.partition("::")[0]).resolve().parts for argument in config.args)
    return None if asked else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are marked; those that mostly wait come first, so that they do not run alone at the end."""
    for item in items:
        item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: "outage" not in item.name)


@pytest.fixture(scope="session", autouse=True)
def programs() -> Path:
    """The folder of the CLIs."""
    if not (PROGRAMS / "mini").exists():
        pytest.exit(f"the child CLIs are not in {PROGRAMS}: run `make e2e`, which installs them", returncode=2)
    return PROGRAMS


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a git identity and nothing else."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = trunk\n")
    return folder


@pytest.fixture
def environ(home: Path, tmp_path: Path, programs: Path) -> Mapping[str, str]:
    """An environment with nothing of the person's: their keys, their PATH, their settings stay out."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    return {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "SAMOLOOP_SANDBOX": SANDBOX,
    }
