"""The journal keeps every record that was once whole, whatever a crash does to its end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from samoloop.base.errors import SessionError
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import Noted, Torn, line, moment, timestamp

NOON = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def journal(path: Path) -> Journal:
    return Journal(path, lambda: NOON)


def names(path: Path) -> list[str]:
    return [record.event for record in journal(path).read()]


def test_records_are_read_as_they_were_written(path: Path) -> None:
    written = journal(path).append(Noted(text="naïve\n“quoted”"))
    assert written == Noted(at="2026-11-21T12:00:00.123Z", text="naïve\n“quoted”")
    assert list(journal(path).read()) == [written]


def test_one_record_is_one_line_of_readable_text(path: Path) -> None:
    journal(path).append(Noted(text="zwölf\u2028\r\n"))
    assert path.read_bytes().count(b"\n") == 1
    assert "zwölf" in path.read_text(encoding="utf-8")


def test_a_missing_journal_has_no_records(path: Path) -> None:
    assert list(journal(path).read()) == []


def test_half_a_surrogate_pair_does_not_break_the_line(path: Path) -> None:
    journal(path).append(Noted(text="\ud800"))
    assert [record.text for record in journal(path).read()] == ["?"]


def test_the_line_of_a_stamped_record_is_what_gets_written(path: Path) -> None:
    stamped = journal(path).stamp(Noted(text="x"))
    Journal(path).append(stamped)
    assert path.read_bytes() == line(stamped)


def three_records(path: Path) -> list[bytes]:
    for text in ("one", "zwei – two", "three"):
        journal(path).append(Noted(text=text))
    return path.read_bytes().splitlines(keepends=True)


def cuts(lines: list[bytes]) -> Iterator[int]:
    """Every length that ends in one of the last two records."""
    yield from range(len(lines[0]), sum(map(len, lines)) + 1)


def test_cut_at_any_byte_it_reads_the_whole_records_and_keeps_them_for_ever(path: Path) -> None:
    lines = three_records(path)
    whole = b"".join(lines)
    for cut in cuts(lines):
        path.write_bytes(whole[:cut])
        texts = [record.text for record in journal(path).read()]
        assert texts in (["one"], ["one", "zwei – two"], ["one", "zwei – two", "three"])
        assert len(texts) >= whole[:cut].count(b"\n")
        journal(path).append(Noted(text="after"))
        kept = [record.text for record in journal(path).read() if isinstance(record, Noted)]
        assert kept == [*texts, "after"]


def test_a_cut_line_is_closed_and_said_so(path: Path) -> None:
    lines = three_records(path)
    path.write_bytes(b"".join(lines)[:-4])
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted", "noted", "torn", "noted"]
    assert path.read_bytes().startswith(b"".join(lines)[:-4] + b"\n")


def test_closing_a_cut_line_may_be_cut_off_too(path: Path) -> None:
    lines = three_records(path)
    torn = b"".join(lines)[:-4]
    closing = b"\n" + line(journal(path).stamp(Torn()))
    for length in range(len(closing) + 1):
        path.write_bytes(torn + closing[:length])
        assert [record.text for record in journal(path).read() if isinstance(record, Noted)] == ["one", "zwei – two"]
        journal(path).append(Noted(text="after"))
        kept = [record.text for record in journal(path).read() if isinstance(record, Noted)]
        assert kept == ["one", "zwei – two", "after"]


def test_a_cut_record_longer_than_one_look_at_the_end_is_closed(path: Path) -> None:
    journal(path).append(Noted(text="one"))
    journal(path).append(Noted(text="x" * 3_000_000))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted", "noted", "torn", "noted"]
    path.write_bytes(whole[:-9])
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted", "torn", "noted"]


def test_zeros_that_a_power_cut_left_at_the_end_are_ignored(path: Path) -> None:
    journal(path).append(Noted(text="one"))
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert names(path) == ["noted"]
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted", "torn", "noted"]


def test_damage_in_the_middle_is_refused_and_the_file_left_alone(path: Path) -> None:
    lines = three_records(path)
    path.write_bytes(lines[0] + lines[1].replace(b"}", b" ") + lines[2])
    before = path.read_bytes()
    with pytest.raises(SessionError, match=r"line 2 of .*_history\.jsonl is damaged; put back a good copy"):
        list(journal(path).read())
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [b"[]", b"7", b"null", b'"torn"'])
def test_a_line_that_is_no_record_is_damage(path: Path, value: bytes) -> None:
    lines = three_records(path)
    path.write_bytes(lines[0] + value + b"\n" + lines[2])
    with pytest.raises(SessionError, match="line 2 of"):
        list(journal(path).read())


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from samoloop.core.journal import Journal
from samoloop.core.records import Noted
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, -1))
book = Journal(path)
try:
    book.append(Noted(text="two"))
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
book.append(Noted(text="three"))
"""


def test_a_write_that_fails_midway_leaves_a_line_that_the_next_one_closes(path: Path) -> None:
    """A full disk, played by a limit on the size of files."""
    journal(path).append(Noted(text="one"))
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert [getattr(record, "text", None) for record in journal(path).read()] == ["one", None, "three"]


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        journal(tmp_path / "gone" / FILE_NAME).append(Noted())


def test_times_are_utc_and_come_back() -> None:
    summer = datetime(2026, 7, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(summer) == "2026-07-01T12:30:00.000Z"
    assert moment("2026-07-01T12:30:00.000Z") == summer


def test_every_line_is_json_that_any_reader_understands(path: Path) -> None:
    lines = three_records(path)
    assert [json.loads(line)["event"] for line in lines] == ["noted", "noted", "noted"]


def test_a_last_record_longer_than_one_look_is_whole(path: Path) -> None:
    journal(path).append(Noted(text="x" * 200_000))
    journal(path).append(Noted(text="more"))
    assert names(path) == ["noted", "noted"]


def test_an_empty_line_in_the_middle_ends_nothing(path: Path) -> None:
    path.write_bytes(line(Noted(text="a")) + b"\n" + line(Noted(text="b")) + b'{"torn')
    assert names(path) == ["noted", "noted"]
