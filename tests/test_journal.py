"""The journal keeps every record that was once whole, whatever a crash does to its end."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from samoloop.base import effects
from samoloop.base.errors import SessionError
from samoloop.core import records
from samoloop.core.journal import FILE_NAME, Journal, JournalChanged, is_sealed, sealed_bytes, utc_now
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
    expected = Journal(path).line(stamped)
    Journal(path).append(stamped)
    assert path.read_bytes() == expected
    assert json.loads(expected).keys() == {"event", "at", "text", "seal"}


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
    path.write_bytes(torn + b"\n")
    closing = b"\n" + journal(path).line(journal(path).stamp(Torn())).splitlines(keepends=True)[0]
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
    lines = many(3)
    path.write_bytes(lines[0] + lines[1].replace(b"}", b" ") + lines[2])
    before = path.read_bytes()
    with pytest.raises(SessionError, match=r"line 2 of .*_history\.jsonl is damaged; put back a good copy"):
        list(journal(path).read())
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [b"[]", b"7", b"null", b'"torn"'])
def test_a_line_that_is_no_record_is_damage(path: Path, value: bytes) -> None:
    lines = many(3)
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


# --- longer than one piece, and damaged anywhere ----------------------------------------------------------------------


def many(count: int = 500) -> list[bytes]:
    """Several pieces of what is read at once, with texts that look like the ends of records."""
    texts = ["}", "},{", "]\n", "x" * 90, '"}\n{"', "[1,{}]"]
    return [line(Noted(at=timestamp(NOON), text=f"{number}{texts[number % 6]}")) for number in range(count)]


def test_a_long_journal_is_read_whole_whatever_its_texts_hold(path: Path) -> None:
    lines = many()
    path.write_bytes(b"".join(lines))
    assert path.stat().st_size > 40_000
    assert [line(record) for record in journal(path).read()] == lines
    assert list(journal(path)) == list(journal(path).read())
    path.write_bytes(b"".join(lines)[:-2])
    assert [line(record) for record in journal(path)] == lines[:-1]


@pytest.mark.parametrize("number", [1, 2, 130, 250, 400, 499])
def test_damage_is_named_by_its_line(path: Path, number: int) -> None:
    lines = many()
    lines[number - 1] = lines[number - 1].replace(b'{"event"', b'{"event', 1)
    path.write_bytes(b"".join(lines))
    with pytest.raises(SessionError) as error:
        list(journal(path).read())
    assert str(error.value) == (
        f"line {number} of {path} is damaged; put back a good copy of the file, nothing was changed"
    )


def test_an_empty_first_line_is_counted(path: Path) -> None:
    lines = many()
    path.write_bytes(b"\n" + b"".join([*lines[:400], b"{\n", *lines[400:]]))
    with pytest.raises(SessionError, match="line 402 of"):
        list(journal(path).read())


@pytest.mark.parametrize("end", [b"x", b"}\n", b"}", b",\n"])
def test_a_last_line_with_something_behind_its_record_is_torn(path: Path, end: bytes) -> None:
    lines = many(3)
    path.write_bytes(b"".join(lines)[:-1] + end)
    assert [line(record) for record in journal(path)] == lines[:-1]


def test_of_several_damaged_lines_the_first_is_named(path: Path) -> None:
    lines = many(6)
    path.write_bytes(b"".join([*lines[:2], b"{\n", b"\n", b"7\n", *lines[2:]]))
    with pytest.raises(SessionError, match="line 3 of"):
        list(journal(path).read())


def test_a_line_that_only_looks_like_records_is_damage(path: Path) -> None:
    first, second, *_ = lines = many(4)
    for joined in (first[:-1] + b",7," + second, b"[" + first[:-1] + b"]\n" + second):
        path.write_bytes(joined + lines[2] + lines[3])
        with pytest.raises(SessionError, match="line 1 of"):
            list(journal(path).read())


@pytest.mark.parametrize("cut", [b"{", b'{"event":"noted"', b'"', b"[" * 100_000, b"7", b"\xff"])
def test_whatever_a_crash_left_is_closed_once_and_damage_no_more(path: Path, cut: bytes) -> None:
    lines = many(3)
    path.write_bytes(b"".join(lines) + cut)
    book = journal(path)
    book.append(Noted(text="a"))
    book.append(Noted(text="b"))
    assert names(path) == ["noted", "noted", "noted", "torn", "noted", "noted"]
    assert path.read_bytes().startswith(b"".join(lines) + cut + b"\n" + line(Torn(at=timestamp(NOON)))[:-2])


@pytest.mark.parametrize("lost", [b"7", b"  ", b"X", b"{", b"\x00\x00", b"[]"])
@pytest.mark.parametrize("end", [b"\n", b"\n\n"])
def test_a_last_line_that_is_none_is_told_apart_though_it_ends(path: Path, lost: bytes, end: bytes) -> None:
    whole = b"".join(many(3)) + lost + end
    path.write_bytes(whole)
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted", "noted", "noted", "torn", "noted"]
    assert path.read_bytes().startswith(whole + line(Torn(at=timestamp(NOON)))[:-2])


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_a_whole_last_line_is_not_closed_again(path: Path, end: bytes) -> None:
    whole = b"".join(many(3)) + end
    path.write_bytes(whole)
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted"] * 4
    assert path.read_bytes().startswith(whole + line(Noted(at=timestamp(NOON), text="after"))[:-2])


def test_a_disk_that_takes_few_bytes_at_once_gets_the_whole_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:7])))
    record = Noted(at=timestamp(NOON), text="one")
    expected = journal(path).line(record)
    journal(path).append(record)
    assert path.read_bytes() == expected


def test_a_line_that_was_torn_by_this_journal_itself_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = journal(path)
    book.append(Noted(text="one"))
    real, left = os.write, [9]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return real(descriptor, bytes(data[: left.pop()]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            book.append(Noted(text="two"))
    book.append(Noted(text="three"))
    assert names(path) == ["noted", "torn", "noted"]


def test_a_record_is_on_the_disk_before_its_append_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(f"synced {os.fstat(descriptor).st_size}"))
    monkeypatch.setattr(effects, "observer", seen.append)
    journal(path).append(Noted(text="one"))
    assert seen == ["before record noted", f"synced {path.stat().st_size}", "after record noted"]
    assert path.stat().st_mode & 0o777 == 0o644 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_record_with_its_time_keeps_it(path: Path) -> None:
    early = Noted(at="2026-11-21T08:00:00.000Z", text="x")
    assert journal(path).stamp(early) is early
    assert journal(path).append(early) == early
    assert utc_now().tzinfo is UTC
    before = datetime.now(UTC)
    assert before - timedelta(seconds=1) <= moment(Journal(path).stamp(Noted()).at) <= datetime.now(UTC)


# --- seals ------------------------------------------------------------------------------------------------------------


def spoilt(data: bytes) -> Iterator[tuple[str, bytes, int]]:
    """A journal after somebody was at it, and how many of its lines are still a worker's."""
    first, second, third = lines = data.splitlines(keepends=True)
    yield "a line more", data + line(Noted(at=timestamp(NOON), text="forged")), 3
    yield "a sealed line more", data + third, 3
    yield "a line less", first + third, 1
    yield "another word", data.replace(b"one", b"two"), 0
    yield "another last word", data.replace(b"three", b"there"), 2
    yield "another seal", data[:-5] + (b"00" if data[-5:-3] != b"00" else b"11") + data[-3:], 2
    yield "no seals but the first", first + b"".join(re.sub(rb',"seal":"\w+"', b"", one) for one in lines[1:]), 1
    yield "another order", second + first + third, 0


def test_what_somebody_else_wrote_is_seen_by_whoever_reads(path: Path) -> None:
    three_records(path)
    data = path.read_bytes()
    assert is_sealed(data) and sealed_bytes(data) == len(data)
    for what, changed, sound in spoilt(data):
        path.write_bytes(changed)
        with pytest.raises(JournalChanged, match=f"from line {sound + 1} on: look who"):
            list(journal(path))
        assert changed[: sealed_bytes(changed)].count(b"\n") == sound, what
        assert path.read_bytes() == changed


def test_a_journal_without_seals_is_believed_and_sealed_from_then_on(path: Path) -> None:
    lines = many(3)
    path.write_bytes(b"".join(lines))
    journal(path).append(Noted(text="after"))
    assert names(path) == ["noted"] * 4
    path.write_bytes(path.read_bytes().replace(lines[0], lines[0].replace(b"0", b"9")))
    with pytest.raises(JournalChanged, match="from line 1 on"):
        list(journal(path))


def test_a_line_that_appeared_is_put_right_before_the_next_is_written(path: Path) -> None:
    book = journal(path)
    book.append(Noted(text="one"))
    with path.open("ab") as file:
        file.write(line(Noted(at=timestamp(NOON), text="forged")))
    book.append(Noted(text="two"))
    assert [record.text for record in journal(path)] == ["one", "two"]
    assert book.put_right() and not book.put_right()


def test_a_failed_write_is_no_change_by_somebody_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = journal(path)
    book.append(Noted(text="one"))
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]) and failed())
    with pytest.raises(OSError, match="full"):
        book.append(Noted(text="two"))
    monkeypatch.undo()
    book.append(Noted(text="three"))
    assert not book.put_right()
    assert names(path) == ["noted", "torn", "noted"]


def failed() -> int:
    raise OSError("full")


def test_each_record_is_understood_once_however_often_the_journal_is_read(path: Path, monkeypatch) -> None:
    written = Journal(path)
    real, understood = records.read, []
    monkeypatch.setattr(records, "read", lambda value: understood.append(value) or real(value))
    for text in ("one", "two"):
        written.append(Noted(text=text))
        assert [record.text for record in written.read()] == [record.text for record in written.read()]
    assert [value["text"] for value in understood] == ["one", "two"]


def test_what_another_process_wrote_meanwhile_is_read_too(path: Path) -> None:
    seen = Journal(path)
    seen.append(Noted(text="one"))
    assert len(list(seen)) == 1
    Journal(path).append(Noted(text="two"))
    assert [record.text for record in seen] == ["one", "two"]
    path.unlink()
    Journal(path).append(Noted(text="three"))
    assert [record.text for record in seen] == ["three"]


def test_records_that_are_wanted_are_asked_about_once_until_the_journal_is_another(path: Path) -> None:
    seen, asked = Journal(path), []

    def short(record: records.Record) -> bool:
        asked.append(record)
        return isinstance(record, Noted) and len(record.text) < 4

    for text in ("one", "three", "two"):
        Journal(path).append(Noted(text=text))
        seen.only(short)
    assert [record.text for record in seen.only(short)] == ["one", "two"]
    assert len(asked) == 3
    path.unlink()
    Journal(path).append(Noted(text="six"))
    assert [record.text for record in seen.only(short)] == ["six"]


def test_a_read_that_failed_leaves_nothing_behind(path: Path) -> None:
    """What a newer samoloop wrote is refused; once the file is one that can be read, each record is there once."""
    good = b'{"event":"noted","text":"one"}\n'
    path.write_bytes(good + b'{"event":"from_tomorrow"}\n')
    mine = journal(path)
    for _ in range(2):
        with pytest.raises(SessionError, match="from_tomorrow"):
            mine.read()
    path.write_bytes(good)
    assert [record.text for record in mine.read()] == ["one"]
