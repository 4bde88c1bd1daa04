"""Whole-file writes that a crash cannot tear, and reads that a child cannot abuse."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from samoloop.base.files import is_plainly, open_log, read_plain, remove, sha256, small_text, tail, write_atomic


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "_overview.md"
    for text in ("one", "zwei – two", b"\xff"):
        write_atomic(path, text)
        assert path.read_bytes() == (text if isinstance(text, bytes) else text.encode())
    assert [left.name for left in tmp_path.iterdir()] == ["_overview.md"]


def test_a_reader_of_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomic(path, "old")
    with path.open() as reader:
        write_atomic(path, "new")
        assert reader.read() == "old"


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("safe")
    (tmp_path / "x").symlink_to("target")
    write_atomic(tmp_path / "x", "new")
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "target").read_text() == "safe"


def test_a_folder_in_the_way_is_moved_aside_with_what_is_in_it(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "y").write_text(str(number))
        write_atomic(tmp_path / "x", "new")
        assert (tmp_path / f"x.replaced-{number}" / "y").read_text() == str(number)
        (tmp_path / "x").unlink()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "x", "new")
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["x"]


def test_only_a_plain_file_is_read_and_only_so_much_of_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert read_plain(path, 10) is None
    path.write_bytes(b"0123456789ABC")
    assert read_plain(path, 10) == b"0123456789A"  # one more, so that too large is known
    assert read_plain(path, 100) == b"0123456789ABC"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("x"), "is a link"),
        (lambda path: path.symlink_to("/etc/passwd"), "is a link"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, make: object, why: str) -> None:
    assert callable(make)
    make(tmp_path / "y")
    with pytest.raises(ValueError, match=f"y {why}"):
        read_plain(tmp_path / "y", 10)
    assert small_text(tmp_path / "y") == tail(tmp_path / "y", 10) == ""
    assert not is_plainly(tmp_path / "y", b"")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), Path.mkdir, os.mkfifo, Path.touch])
def test_a_log_is_written_whatever_was_put_in_its_place(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "log")
    for said in (b"one\n", b"two\n"):
        with open_log(tmp_path / "log") as log:
            log.write(said)
    assert tail(tmp_path / "log", 5) == "two"
    assert is_plainly(tmp_path / "log", b"one\ntwo\n") and not is_plainly(tmp_path / "log", b"one\n")


def test_a_person_s_own_settings_may_be_a_link_but_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("a: 1\n")
    (tmp_path / "link").symlink_to("elsewhere")
    assert small_text(tmp_path / "link", follow=True) == "a: 1\n"
    os.mkfifo(tmp_path / "pipe")
    assert small_text(tmp_path / "pipe", follow=True) == ""
    (tmp_path / "elsewhere").write_bytes(b"x" * 1_000_001)
    assert small_text(tmp_path / "elsewhere") == ""


def test_text_is_hashed_as_utf_8() -> None:
    assert sha256("é") == sha256(b"\xc3\xa9")
    assert sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_read_only_folders_go_too(tmp_path: Path) -> None:
    """Go and others leave what they download read-only, which root does not notice."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/b/c/file").touch()
    for folder in ("a/b/c", "a/b", "a"):
        (tmp_path / folder).chmod(0o555)
    for folder, _, files in os.walk(tmp_path):
        for name in (folder, *(f"{folder}/{file}" for file in files)):
            os.chown(name, 65534 if os.getuid() == 0 else -1, -1)
    child = os.fork()
    if not child:
        try:
            os.chdir(tmp_path)
            if os.getuid() == 0:
                os.setuid(65534)
            remove(Path("a"))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not (tmp_path / "a").exists()
