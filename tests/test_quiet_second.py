"""A save in an editor counts when the file has been quiet for a second; a command counts at once."""

from collections.abc import Sequence
from pathlib import Path

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
