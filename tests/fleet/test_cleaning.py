"""What remote and database keep of archived sessions, and how it goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_work import Host
from elsewhere import Scene, said
from kit import git, until
from machines import REMOTE, hook, own_clone

from samoloop.fleet import cleaning, transport
from samoloop.fleet.database import Database
from samoloop.fleet.rows import ARCHIVED

pytestmark = pytest.mark.slow


@pytest.fixture
def scene(tmp_path: Path, url: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    yield Scene(tmp_path, "archived", url, database)


def refs(scene: Scene) -> list[str]:
    """What the remote has, beside branches and the project's id."""
    where = Path(git(scene.two.root, "config", "remote.origin.url"))
    found = git(where, "for-each-ref", "--format=%(refname)", "refs/samoloop").split()
    return [ref for ref in found if ref != transport.ID]


def test_what_the_fleet_keeps_of_an_archived_session_goes_when_a_person_says_so(
    scene: Scene, database: Database
) -> None:
    assert "1 archived; what is kept of them goes with: samoloop clean" in said(scene.two, "fleet", "status")[1]
    listed = said(scene.two, "clean")[1]
    assert f"{scene.name}: its refs on origin and its row in the fleet's database; it is archived, and all" in listed
    assert refs(scene) != []
    code, text = said(scene.two, "clean", "--yes")
    assert code == 0 and f"Removed of {scene.name}: its refs on origin and its row" in " ".join(text.split())
    assert refs(scene) == [] and database.sessions() == []
    assert "archived" not in said(scene.two, "fleet", "status")[1]
    assert "its refs" not in said(scene.two, "clean")[1]


@pytest.mark.parametrize("at", ["one", "two"])
def test_a_session_that_was_cleaned_away_is_taken_up_again_from_any_copy(
    scene: Scene, database: Database, at: str
) -> None:
    said(scene.two, "clean", "--yes")
    code, text = said(getattr(scene, at), "resume", scene.name, "-m", "One more thing")
    assert (code, "a machine of the fleet goes on with it" in text) == (0, True), text
    [row] = database.sessions()
    assert row.due_in is not None and row.condition != ARCHIVED
    assert transport.fleet_ref(scene.name) in refs(scene)


def test_what_is_here_is_made_as_new_as_the_remote_first(scene: Scene) -> None:
    """Without `fleet work` here nobody else would."""
    assert "goes on with it" in said(scene.one, "resume", scene.name, "-m", "One more thing")[1]
    assert "its refs" not in said(scene.two, "clean")[1]


def test_nothing_goes_that_is_not_here(scene: Scene, database: Database) -> None:
    """Somebody went on with it, after this machine looked and before it had it go."""
    session = scene.two.session(scene.name)
    with scene.two.at_work():
        kept = cleaning.look([session], database)
    assert "goes on with it" in said(scene.one, "resume", scene.name, "-m", "One more thing")[1]
    before = refs(scene)
    with scene.two.at_work():
        session.forget()
        [text] = cleaning.remove(kept, os.environ, database)
    assert "stays: somebody went on with it meanwhile" in text
    assert refs(scene) == before and len(database.sessions()) == 1


def test_a_remote_lets_go_of_what_it_was_asked_for_alone(scene: Scene) -> None:
    """Somebody's parcel came between the look and the push."""
    with scene.two.at_work():
        name, other = transport.fleet_ref(scene.name), git(scene.two.root, "rev-parse", "HEAD")
        assert transport.let_go(scene.two.repo, REMOTE, {name: other}) == "somebody went on with it meanwhile"
    assert name in refs(scene)


def test_a_remote_that_lets_nothing_go_is_said(scene: Scene, database: Database) -> None:
    keeps = 'case "$3" in 0000*) echo "nothing is deleted here" >&2; exit 1;; esac'
    hook(Path(git(scene.two.root, "config", "remote.origin.url")), "update", keeps)
    before = refs(scene)
    text = " ".join(said(scene.two, "clean", "--yes")[1].split())
    assert "its row in the fleet's database stays: " in text and "nothing is deleted here" in text
    assert refs(scene) == before and len(database.sessions()) == 1


def test_without_a_database_the_rest_is_cleaned(scene: Scene) -> None:
    settings = scene.two.home / ".config" / "samoloop" / "config.yaml"
    settings.write_text("fleet: {database: 'postgresql://nobody@127.0.0.1:9/none'}\n")
    code, text = said(scene.two, "clean")
    assert code == 0 and "what the fleet keeps of archived sessions is not known now" in " ".join(text.split())
    assert f"worktree {scene.two.root}" not in text.split("stays")[0] or "can go" in text


def test_a_copy_that_cannot_be_read_is_named_and_the_rest_is_looked_at(scene: Scene) -> None:
    session = scene.two.session(scene.name)
    with scene.two.at_work():
        session.journal.path.write_bytes(b"{}\n" + session.journal.path.read_bytes())
    code, text = said(scene.two, "clean")
    assert code == 0 and f"{scene.name}: " in text


def test_a_session_that_is_not_archived_is_left_alone(
    tmp_path: Path, url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    scene = Scene(tmp_path, "done", url, database)
    before = refs(scene)
    assert "its refs" not in said(scene.two, "clean", "--yes")[1]
    assert refs(scene) == before and len(database.sessions()) == 1


def test_a_machine_that_comes_later_does_not_fetch_what_is_archived(
    scene: Scene, tmp_path: Path, url: str, database: Database
) -> None:
    other = scene.one.hand_in(name="other")
    with scene.one.at_work():
        assert "goes on on any machine" in said(scene.one, "fleet", "move", other.name, "--to", "any")[1]
    home, root = own_clone(tmp_path / "now", "three")
    three = Host("three", home, root, url, 3)
    three.settle()
    try:
        three.start()
        until(lambda: [path.name for path in three.sessions()] == [other.name])
    finally:
        three.end()
    assert [path.name for path in three.sessions()] == [other.name]
