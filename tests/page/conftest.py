"""A Chromium for all tests, and for each a home of its own with `samoloop web` in it."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit import until

if TYPE_CHECKING:
    from filled import Played
    from playwright.sync_api import Browser
    from window import Client, Person, Web

ADA = "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """A plain `pytest` leaves these tests out: they need a browser. `pytest tests/page` asks for them."""
    asked = any("page" in Path(argument.partition("::")[0]).resolve().parts for argument in config.args)
    return None if asked else True


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's Chromium without a window; the one that never has any costs half as much."""
    from playwright.sync_api import expect, sync_playwright

    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        pytest.exit("there is no Chromium: run `make page`, which installs it", returncode=2)
    expect.set_options(timeout=20_000)  # as long as an act may take, on a busy machine too
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def home(own_home: Path) -> Iterator[Path]:
    """A home with a git identity; what still works in it at the end is ended."""
    (own_home / ".gitconfig").write_text(ADA)
    yield own_home
    until(lambda: not _ended(own_home))


def _ended(home: Path) -> list[int]:
    """The processes of this home, each killed: workers and children that a test left at work."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"\0HOME=%s\0" % os.fsencode(home) in b"\0" + (entry / "environ").read_bytes():
                found.append(int(entry.name))
                os.kill(int(entry.name), signal.SIGKILL)
    return found


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Played]":
    """The marked session, played once."""
    from filled import play

    folder = tmp_path_factory.mktemp("played")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("SAMOLOOP_SANDBOX", "off")
        found = play(folder)
    yield found


@pytest.fixture
def open_web(home: Path, tmp_path: Path) -> "Iterator[Callable[..., Web]]":
    """Starts `samoloop web` in a folder, with further words if there are any."""
    from window import Web

    with ExitStack() as stack:
        number = iter(range(100))

        def start(folder: Path, *words: str) -> Web:
            port = () if "--port" in words else ("--port", "0")
            web = Web(folder, os.environ, tmp_path / f"web-{next(number)}.txt", *port, *words)
            return stack.enter_context(web)

        yield start


@pytest.fixture
def call() -> "Iterator[Callable[[Web], Client]]":
    """Lets a program come to a page, by its link."""
    from window import Client

    with ExitStack() as stack:
        yield lambda web: stack.enter_context(closing(Client(web)))


@pytest.fixture
def meet(browser: "Browser") -> "Iterator[Callable[..., Person]]":
    """Lets a person come to a page, by its link."""
    from window import Person

    with ExitStack() as stack:

        def come(web: "Web", **options: Any) -> Person:
            person = stack.enter_context(Person(browser, web, **options))
            person.arrive()
            return person

        yield come
