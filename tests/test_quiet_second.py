"""A save in an editor counts when the file has been quiet for a second; a command counts at once."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from samoloop.base.clock import Clock
from samoloop.children.stop import StopRequest
from samoloop.core import gates
from samoloop.worker.waiting import LOOK_SECONDS, watching


class Hands(Clock):
    """Whenever somebody waits, the next thing happens, and time goes by."""

    def __init__(self, *acts: object) -> None:
        self.acts, self.present = list(acts), 0.0

    def monotonic(self) -> float:
        return self.present

    def epoch(self) -> float:
        return self.present

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> bool:
        assert seconds is not None
        act = self.acts.pop(0) if self.acts else None
        self.present += min(0.4, seconds) if act else seconds
        if callable(act):
            act()
        return False


def test_half_a_save_is_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "_qa.md"
    clock = Hands(*(lambda text=text: file.write_text(text) for text in ("a", "as ", "as you")))
    with watching(tmp_path, [file]) as watch:
        assert watch.wait(clock, StopRequest())
    assert file.read_text() == "as you" and clock.present >= 3 * 0.4 + 1.0
    assert clock.present < 3 * 0.4 + LOOK_SECONDS


def test_a_command_is_looked_at_at_once(tmp_path: Path) -> None:
    clock = Hands(lambda: gates.wake(tmp_path))
    with watching(tmp_path, [tmp_path / "_qa.md"]) as watch:
        assert watch.wait(clock, StopRequest())
    assert clock.present == 0.4


def test_nothing_happens_until_the_time_is_over(tmp_path: Path) -> None:
    clock = Hands()
    with watching(tmp_path, [tmp_path / "_qa.md"]) as watch:
        assert not watch.wait(clock, StopRequest(), until=12.0)
    assert clock.present == 12.0


@pytest.mark.parametrize("spoil", [lambda path: path.symlink_to(path.name), lambda path: path.mkdir()])
def test_a_wake_file_that_a_child_made_into_something_else_is_put_right(tmp_path: Path, spoil) -> None:
    spoil(tmp_path / gates.WAKE)
    clock = Hands(lambda: gates.wake(tmp_path))
    with watching(tmp_path, [tmp_path / "_qa.md"]) as watch:
        assert (tmp_path / gates.WAKE).is_file() and not (tmp_path / gates.WAKE).is_symlink()
        assert watch.wait(clock, StopRequest())


def test_a_change_in_a_subfolder_wakes_by_event_though_another_folder_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "worktree" / "conf").mkdir(parents=True)
    file, elsewhere = tmp_path / "worktree" / "conf" / "keys.ini", tmp_path / "session" / "conf" / "keys.ini"
    elsewhere.parent.parent.mkdir()
    with watching(tmp_path / "session", [file, elsewhere]) as watch:
        file.write_text("key=42\n")
        assert Clock().wait([watch._reader], 20.0), "no event came: only the slow look would see it"


def test_where_nothing_can_be_watched_no_thread_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.observers.api import BaseObserver, EventEmitter

    def fails(self: BaseObserver) -> None:
        for emitter in self.emitters:
            emitter.start()
        raise OSError(24, "no inotify instance left")

    monkeypatch.setattr(BaseObserver, "start", fails)
    with watching(tmp_path, [tmp_path / "_qa.md"]):
        left = [thread for thread in threading.enumerate() if isinstance(thread, EventEmitter)]
        assert left == []
