"""Locks: taken, inherited, tested, and named by who holds them."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from kit import full_disk, until

from samoloop.base.errors import LockHeld
from samoloop.base.locks import Lock, holders, is_held


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "_lock"


def test_taken_once(path: Path):
    with Lock.take(path, 0, "17\n"):
        assert path.read_text() == "17\n"
        assert is_held(path)
        with pytest.raises(LockHeld, match=f"_lock is locked by process {os.getpid()}: end it"):
            Lock.take(path, 0, "18\n")
        assert path.read_text() == "17\n"
    assert not is_held(path)


def test_old_content_is_replaced(path: Path):
    path.write_text("a long line of an earlier worker\n")
    Lock.take(path, 0, "17\n").release()
    assert path.read_text() == "17\n"


def test_what_a_full_disk_refuses_is_held_by_nobody(path: Path):
    with full_disk(), pytest.raises(OSError, match="File too large"):
        Lock.take(path, 0, "17\n")
    assert not is_held(path)
    Lock.take(path, 0, "17\n").release()


def test_no_file_no_lock(path: Path):
    assert not is_held(path)
    assert holders(path) == []
    assert not path.exists()


def test_a_taker_waits_for_a_moment(path: Path):
    lock = Lock.take(path, 0, "")
    threading.Timer(0.05, lock.release).start()
    Lock.take(path, 10, "").release()


def test_who_only_reads_the_file_holds_nothing(path: Path):
    path.touch()
    with path.open() as file, subprocess.Popen(["sleep", "1000"], stdin=file) as reader:
        assert not is_held(path)
        with Lock.take(path, 0, "") as lock:
            assert holders(path) == [os.getpid()]
            assert lock.descriptor >= 200
        reader.kill()


def test_who_inherits_it_holds_it_on(path: Path):
    with Lock.take(path, 0, "") as lock:
        child = subprocess.Popen(["sleep", "1000"], pass_fds=[lock.descriptor])
    assert is_held(path)
    assert holders(path) == [child.pid]
    child.kill()
    child.wait()
    assert not is_held(path)


def test_other_children_do_not_inherit_it(path: Path):
    with Lock.take(path, 0, ""), subprocess.Popen(["sleep", "1000"]) as child:
        assert holders(path) == [os.getpid()]
        child.kill()


def test_holders_come_oldest_first(path: Path):
    with Lock.take(path, 0, "") as lock:
        child = subprocess.Popen(["sh", "-c", "sleep 1000; true"], pass_fds=[lock.descriptor], start_new_session=True)
    until(lambda: len(holders(path)) == 2)
    assert holders(path)[0] == child.pid
    os.killpg(child.pid, 9)
    child.wait()


def test_a_removed_file_keeps_nobody_out(path: Path):
    with Lock.take(path, 0, ""):
        path.unlink()
        assert not is_held(path)
        Lock.take(path, 0, "").release()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_stands_in_the_place_of_a_lock_keeps_nobody_out(path: Path, kind: str):
    match kind:
        case "link":
            path.symlink_to(path.with_name("elsewhere"))
        case "folder":
            (path / "full").mkdir(parents=True)
        case "pipe":
            os.mkfifo(path)
    assert not is_held(path) and holders(path) == []
    with Lock.take(path, 0, "held"):
        assert is_held(path) and path.read_text() == "held"
    assert not path.with_name("elsewhere").exists()


def test_only_one_of_many_takers_has_it(path: Path):
    taken: list[int] = []
    most: list[int] = []

    def take() -> None:
        with Lock.take(path, 30, ""):
            taken.append(1)
            most.append(len(taken))
            taken.pop()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
