"""Named pipes in the place of git's files: what waits on one goes on."""

import os
import threading
from pathlib import Path

import pytest

from samoloop.git.pipes import release


def test_who_opens_a_pipe_again_at_once_does_not_wait_on_one_that_is_gone(tmp_path: Path):
    pipe = tmp_path / "HEAD"

    def read(opens: threading.Event) -> None:
        while True:
            opens.set()
            try:
                found = os.open(pipe, os.O_RDONLY)
            except FileNotFoundError:
                return
            os.read(found, 1)
            os.close(found)

    for _ in range(100):
        os.mkfifo(pipe)
        opens = threading.Event()
        reader = threading.Thread(target=read, args=[opens], daemon=True)
        reader.start()
        opens.wait()
        release(tmp_path, None)
        reader.join(10)
        assert not reader.is_alive() and not pipe.exists()


def test_who_opens_a_pipe_just_before_it_is_gone_does_not_wait_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pipe, opened, remove = tmp_path / "HEAD", threading.Event(), Path.unlink
    os.mkfifo(pipe)

    def read() -> None:
        found = os.open(pipe, os.O_RDONLY)
        opened.set()
        os.read(found, 1)
        os.close(found)

    reader = threading.Thread(target=read, daemon=True)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        reader.start()
        opened.wait(5)
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    release(tmp_path, None)
    reader.join(10)
    assert not reader.is_alive() and not pipe.exists()
