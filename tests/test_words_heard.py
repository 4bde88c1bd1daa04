"""No words of a person are taken and not delivered: every command that takes words against every state of a session."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from kit import Bench, make_repo, script, until

from samoloop.api.asked import Order, Wishes
from samoloop.api.hand_off import hand_off
from samoloop.base.errors import SamoloopError
from samoloop.core import hearing
from samoloop.core.records import Moved, Started
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.ui.cli import cli
from samoloop.ui.telegram import effects
from samoloop.ui.telegram.ledger import Ledger
from samoloop.ui.telegram.sessions import Known

WORDS = "mind the gap"
CHILD = """
hold={here}/hold.$SAMOLOOP_PHASE; [ ! -e $hold ] || {{ touch {here}/at_work; while [ -e $hold ]; do sleep 0.02; done; }}
if [ -e {here}/block ]; then signal '{{"status": "blocked", "reason": "stuck"}}'; exit; fi
if [ -e {here}/fail ]; then exit 3; fi
if [ -e {here}/action ]; then signal '{{"status": "waiting", "for": "human_action", "reason": "plug it in"}}'; exit; fi
if [ -e {here}/file ]; then echo x > key.txt
  signal '{{"status": "waiting", "for": "file_update", "file": "key.txt"}}'; exit; fi
case $SAMOLOOP_PHASE in
requirements) if [ -f asked ]; then next planning; else touch asked; ask 'Which way?'; fi;;
planning) echo "the plan" > 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md;;
investigation) next requirements;;
implementation) next testing;;
testing) next quality;;
quality) next done;;
done) signal '{{"status": "done", "summary": "all good"}}';;
esac
"""


class Scene:
    """A project, one session in it, and files that say what its child does."""

    def __init__(self, tmp_path: Path) -> None:
        self.here = tmp_path
        self.bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, CHILD.format(here=tmp_path)))
        self.until: str | None = None
        self.worker: threading.Thread | None = None

    @cached_property
    def session(self) -> Session:
        order = Order(self.bench.root, "x", Wishes(until=self.until), name="it", said=self.bench.said)
        return hand_off(order, self.bench.environ)

    def run(self, **how: Any) -> None:
        self.bench.run(self.session, **how)

    def command(self, *words: str) -> str:
        """What a command refuses; empty where it does as it was told."""
        before = Path.cwd()
        os.chdir(self.bench.root)
        try:
            cli.main(args=list(words), standalone_mode=False)
        except SamoloopError as error:
            return str(error)
        finally:
            os.chdir(before)
        return ""

    def release(self) -> None:
        for path in self.here.glob("hold.*"):
            path.unlink()

    def now(self) -> Session:
        return Session(self.session.dir)

    def children(self) -> list[Started]:
        return [record for record in self.now().journal if isinstance(record, Started)]

    def heard(self, after: int) -> bool:
        """Whether a child after so many was told the words."""
        stems = [record.stem for record in self.children()[after:]]
        logs = self.session.logs
        told = [path.read_text() for stem in stems for path in (logs / f"{stem}.prompt.md", logs / f"{stem}.notes.md")
                if path.exists()]  # fmt: skip
        guidance = self.session.dir / "_guidance.md"
        return any(WORDS in text for text in told) or (bool(stems) and WORDS in guidance.read_text())

    def anywhere(self) -> bool:
        """Whether the words lie where they would count later."""
        files = ("_qa.md", "_approval.md", "_action.md")
        places = [*(self.session.dir / name for name in files), self.session.control / "_inbox.md"]
        return any(WORDS in path.read_text() for path in places if path.exists())

    def go_on(self) -> None:
        """Until a child has signalled: everything that holds the session up goes."""
        self.release()
        for name in ("block", "fail", "action", "file"):
            (self.here / name).unlink(missing_ok=True)
        if self.worker:
            self.worker.join(60)
        key = self.session.dir / "key.txt"
        self.command("answer", "it", "done")  # where an action waits
        for _ in range(3):
            if key.exists():
                key.write_text("new")
            if self.now().state().condition is not Condition.DONE:
                self.run(by="ada (command)", yes=True)


def new(scene: Scene) -> None:
    assert scene.now().state().condition is Condition.NEW


def running(scene: Scene, phase: str = "investigation", by: str | None = None) -> None:
    (scene.here / f"hold.{phase}").touch()
    scene.worker = threading.Thread(target=lambda: scene.run(by=by), daemon=True)
    scene.worker.start()
    until((scene.here / "at_work").exists)


def running_last(scene: Scene) -> None:
    scene.run()
    scene.command("answer", "it", "--suggested")
    scene.run()
    scene.command("approve", "it")
    (scene.here / "block").touch()
    scene.run()
    (scene.here / "block").unlink()
    path = scene.session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: implementation", "Phase: done"))
    running(scene, "done", "ada (command)")


def planning_last(scene: Scene) -> None:
    scene.until = "planning"
    scene.run()
    scene.command("answer", "it", "--suggested")
    running(scene, "planning")


def at_questions(scene: Scene) -> None:
    scene.run()
    assert scene.now().state().gate


def at_plan(scene: Scene) -> None:
    scene.run()
    scene.command("answer", "it", "--suggested")
    scene.run()
    gate = scene.now().state().gate
    assert gate and gate.file


def at_last_plan(scene: Scene) -> None:
    scene.until = "planning"
    at_plan(scene)


def planned(scene: Scene) -> None:
    at_last_plan(scene)
    scene.command("approve", "it")
    scene.run()
    assert scene.now().state().condition is Condition.DONE


def flagged(name: str, condition: Condition) -> Callable[[Scene], None]:
    def make(scene: Scene) -> None:
        (scene.here / name).touch()
        scene.run()
        assert scene.now().state().condition is condition

    return make


def rejected(scene: Scene) -> None:
    at_plan(scene)
    scene.command("reject", "it")
    scene.run()
    assert scene.now().state().condition is Condition.STOPPED


def moved(scene: Scene) -> None:
    flagged("block", Condition.BLOCKED)(scene)
    path = scene.session.dir / "_overview.md"
    path.write_text(path.read_text().replace("Phase: investigation", "Phase: requirements"))


def done(scene: Scene) -> None:
    scene.run(yes=True)
    assert scene.now().state().condition is Condition.DONE


def archived(scene: Scene) -> None:
    done(scene)
    assert scene.command("archive", "it") == ""
    assert not scene.session.worktree.exists()


def put_away(scene: Scene) -> None:
    at_questions(scene)
    assert scene.command("archive", "it", "--force") == ""


STATES = {
    "new": new,
    "running": running,
    "running, the last child": running_last,
    "running, before a plan that ends it": planning_last,
    "at questions": at_questions,
    "at a plan": at_plan,
    "at a plan that ends it": at_last_plan,
    "at an action": flagged("action", Condition.WAITING),
    "at a file": flagged("file", Condition.WAITING),
    "blocked": flagged("block", Condition.BLOCKED),
    "failed": flagged("fail", Condition.FAILED),
    "rejected": rejected,
    "moved": moved,
    "done": done,
    "done until planning": planned,
    "done and archived": archived,
    "archived at a gate": put_away,
}


def phone(act: Callable[..., str]) -> Callable[[Scene], str]:
    def do(scene: Scene) -> str:
        one = Known(scene.session.dir, scene.bench.root, Ledger.load(scene.session.dir))
        one.look()
        try:
            act(one, WORDS, "Ann (Telegram 4711/7)")
        except SamoloopError as error:
            return str(error)
        return ""

    return do


def typed(*words: str) -> Callable[[Scene], str]:
    return lambda scene: scene.command(*words)


COMMANDS = {
    "tell": typed("tell", "it", WORDS),
    "resume -m": typed("resume", "it", "-m", WORDS, "--no-wait"),
    "answer": typed("answer", "it", f"Q1={WORDS}"),
    "answer done": typed("answer", "it", "done", WORDS),
    "answer declined": typed("answer", "it", "declined", WORDS),
    "changes -m": typed("changes", "it", "-m", WORDS),
    "reject -m": typed("reject", "it", "-m", WORDS),
    "waive -m": typed("waive", "tree", "it", "-m", WORDS),
    "/tell": phone(effects.tell),
}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("SAMOLOOP_SANDBOX", "off")
    yield (made := Scene(tmp_path))
    made.release()
    if made.worker:
        made.worker.join(60)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_words_reach_the_next_child_or_are_refused_with_a_sentence(scene: Scene, state: str, command: str) -> None:
    STATES[state](scene)
    before = len(scene.children())
    refused = COMMANDS[command](scene)
    if refused:
        assert len(refused.split()) > 5, refused
        assert not scene.anywhere(), refused
        return
    scene.go_on()
    assert scene.heard(before), f"{command} was taken when {state}, and no child was told"


def test_words_for_a_plan_that_ends_a_session_reach_the_child_that_plans(scene: Scene) -> None:
    planning_last(scene)
    assert scene.command("tell", "it", WORDS) == ""
    scene.go_on()
    assert scene.heard(4)
    assert [child.phase for child in scene.children()][-2:] == ["planning", "planning"]
    assert scene.now().state().condition is Condition.DONE


def test_one_more_thing_takes_a_finished_session_up_where_the_code_is_changed(scene: Scene) -> None:
    archived(scene)
    before = len(scene.children())
    assert "one more thing: samoloop resume" in scene.command("resume", "it")
    assert scene.command("resume", "it", "-m", WORDS, "--no-wait") == ""
    assert [child.phase for child in scene.children()[before:]] == ["implementation", "testing", "quality", "done"]
    assert scene.heard(before)
    assert scene.now().state().condition is Condition.DONE
    assert [record.target for record in scene.now().journal if isinstance(record, Moved)] == ["implementation"]
    assert scene.session.worktree.exists()


def test_words_that_come_as_it_ends_are_taken_up_by_its_worker_or_refused(scene: Scene) -> None:
    done(scene)
    with pytest.raises(SamoloopError, match="is done"):
        hearing.tell(scene.now(), WORDS, "ada")
    before = len(scene.children())
    inbox = scene.session.control / "_inbox.md"
    inbox.write_text(f"From ada:\n{WORDS}\n\n")  # told just before, and looked for by nobody yet
    scene.run(by="ada (command)")
    assert scene.heard(before)
    assert scene.now().state().condition is Condition.DONE
