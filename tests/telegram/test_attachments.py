"""What comes with a message gets a name that leads nowhere, and lands in the place of whatever is there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from phone import Phone

from samoloop.ui.telegram.attachments import Attachments, document_name
from samoloop.ui.telegram.updates import Attachment, Said

SAID = Said(5001, 4711, 4711, "Ann", 112, "", 1_700_000_000.0)
PLAIN = re.compile(r"\d\d-\d\d-\d{4}-phone-[^\W_][\w.]*_112(\.\w+)?")


def name_for(given: str) -> str:
    return document_name(replace(SAID, attachment=Attachment("f", given, 5)))


@pytest.mark.parametrize(
    "given, kept",
    [
        ("photo.jpg", "photo_112.jpg"),
        ("../../../.ssh/authorized_keys", "authorized_keys_112"),
        ("..\\\\..\\\\boot.ini", "boot_112.ini"),
        ("/etc/passwd", "passwd_112"),
        ("..", "file_112"),
        ("", "file_112"),
        (".bashrc", "file_112.bashrc"),
        ("a-plan-b.md", "a_plan_b_112.md"),
        ("11-21-0930-plan-jwt.md", "11_21_0930_plan_jwt_112.md"),
        ("_qa.md", "qa_112.md"),
        ("x; rm -rf ~ $(id) `id` | & > <b>.txt", "x_rm_rf_id_id_b_112.txt"),
        ("new\nline\x1b[2J\u202egnp.exe\0.png", "new_line_2J_gnp.exe_112.png"),
        ("Ünïcode Bild.PNG", "Ünïcode_Bild_112.PNG"),
        ("\ud800.txt", "file_112.txt"),
        ("-rf", "rf_112"),
    ],
)
def test_a_name_holds_nothing_that_acts(given: str, kept: str) -> None:
    assert name_for(given).partition("-phone-")[2] == kept
    assert PLAIN.fullmatch(name_for(given))


def test_a_name_is_not_too_long_for_any_folder() -> None:
    assert len(f".5001-{name_for('ü' * 5000 + '.' + 'ü' * 300)}.12345678.tmp".encode()) < 255
    assert PLAIN.fullmatch(name_for("a" * 5000))


def test_it_lands_in_the_place_of_a_link_and_of_a_folder(phone: Phone) -> None:
    kept = Attachments(phone.folder)
    session, secret = phone.tmp_path / "session", phone.tmp_path / "secret"
    session.mkdir()
    secret.write_text("mine")
    said = replace(SAID, attachment=Attachment("f", "a.txt", 5))
    name = kept.fetched_file(said, b"hello")
    (session / name).symlink_to(secret)
    assert kept.put(said.update_id, session) is None
    assert (session / name).read_text() == "hello"
    assert not (session / name).is_symlink()
    assert secret.read_text() == "mine"
    (session / name).unlink()
    (session / name).mkdir()
    kept.put(said.update_id, session)
    assert (session / name).read_text() == "hello"
    (session / name).unlink()
    assert kept.put(said.update_id, session) == session / name
    kept.forget(said.update_id)
    assert kept.put(said.update_id, session) is None


def test_what_waits_is_there_again_after_a_crash(phone: Phone) -> None:
    said = replace(SAID, text="look", attachment=Attachment("f", "../a.txt", 5))
    later = replace(said, update_id=6000)
    for one in (later, said):
        Attachments(phone.folder).keep(one)
    (phone.folder.path / "attachments" / "7.json").write_text("torn")
    kept = Attachments(phone.folder)
    assert kept.waiting() == [said, later]
    kept.settled(said.update_id)
    assert kept.waiting() == [later]
    assert sorted(path.name for path in (phone.folder.path / "attachments").iterdir()) == ["6000.json"]


def test_the_folder_is_for_its_owner(phone: Phone, tmp_path: Path) -> None:
    Attachments(phone.folder).fetched_voice(SAID, b"voice")
    assert phone.folder.path.stat().st_mode & 0o777 == 0o700
    assert (phone.folder.path / "attachments" / "5001.oga").stat().st_mode & 0o777 == 0o600
