"""What a person can do with a session of the fleet from another machine than the one that had it last, each command in
each state: what it says, and that the remote has it afterwards, or nothing changed.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import Browser
from elsewhere import STATES, Did, Scene
from kit import until

from samoloop.children.processes import Mark, find
from samoloop.core.session import Session
from samoloop.fleet.database import Database
from samoloop.ui.web.site import url_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

AT_WORK = (2, "is at work on one: samoloop stop", "")
NO_ANSWERS, NO_ACT, NO_PLAN = (
    (2, f"does not wait for {what}", "") for what in ("answers: ", "something to be done: ", "a decision on a plan: ")
)
IDLE = (0, "No machine is at work on", "")
UNFINISHED = (2, "is not finished (", "")
ON, WAITS = "A machine of the fleet goes on from here", "It goes on when a person lets it: it "
OVER = (2, "is done, so no child reads it; one more thing: samoloop resume", "")
FORKED = (0, "new starts after iteration 1 of", "")
BACK = (0, f"is back at the end of iteration 1 ... {ON}", "moved")
BACK_AT_REST = (0, f"is back at the end of iteration 1 ... {WAITS}", "moved")
REMOVED = (0, "Removed the worktree of", "moved")
HOME = (0, "is this machine's own again", "home")
ANY = (0, "goes on on any machine that can", "")
REPAIRED = (0, WAITS, "moved")
HANDED_ON = (0, "a machine of the fleet goes on with it", "moved")
TAUGHT = (0, "proposes nothing to be learned", "")
Cell = tuple[int, str, str]  # exit code, words of what is said, kind of the remote's newest parcel; empty: as before
BETWEEN = " ... "  # two parts of the words


def at_a_gate(what: str, phase: str) -> dict[str, Cell]:
    """What is the same at each gate that still waits."""
    return {
        "answer auth Q1=A": NO_ANSWERS,
        "answer auth done": NO_ACT,
        "approve auth": NO_PLAN,
        "changes auth -m other": NO_PLAN,
        "reject auth": NO_PLAN,
        "tell auth words": (0, f"{WAITS}waits for {what}", "act"),
        "resume auth": (3, f"waiting, waits for {what}", "moved"),
        "resume auth -m words": (3, f"waiting, waits for {what}", "moved"),
        "resume auth --detach": (3, f"waiting, waits for {what}", "moved"),
        "run --session auth": (3, f"waiting, waits for {what}", "moved"),
        "stop auth": IDLE,
        "stop auth --now": IDLE,
        "waive documents auth -m x": (0, f"auth ... {WAITS}", "moved"),
        "rewind auth 1": BACK,
        "fork auth 1 --session new": FORKED,
        "archive auth": UNFINISHED,
        "archive auth --force": REMOVED,
        "finish auth --push": (2, "is not done (waiting)", ""),
        "learn auth": TAUGHT,
        "repair auth": REPAIRED,
        "fleet move auth --to any": ANY,
        "fleet move auth --here": HOME,
        "status auth": (0, f"waiting in {phase}", ""),
        "log auth": (0, "It ran on another machine, which has its log: nothing of it is here.", ""),
    }


AT_END: dict[str, Cell] = {
    "answer auth Q1=A": NO_ANSWERS,
    "answer auth done": NO_ACT,
    "approve auth": NO_PLAN,
    "changes auth -m other": NO_PLAN,
    "reject auth": NO_PLAN,
    "tell auth words": OVER,
    "resume auth": OVER,
    "resume auth -m words": HANDED_ON,
    "run --session auth": (2, "there is no task", ""),
    "stop auth": IDLE,
    "stop auth --now": IDLE,
    "waive documents auth -m x": OVER,
    "rewind auth 1": BACK,
    "fork auth 1 --session new": FORKED,
    "archive auth": REMOVED,
    "finish auth --push": (0, "samoloop/auth", "moved"),
    "learn auth": TAUGHT,
    "repair auth": (0, "It stands in phase done", "moved"),
    "fleet move auth --to any": ANY,
    "fleet move auth --here": HOME,
    "status auth": (0, "done", ""),
    "log auth": (0, "It ran on another machine, which has its log: nothing of it is here.", ""),
}

TABLE: dict[str, dict[str, Cell]] = {
    "at work": {
        "answer auth Q1=A": NO_ANSWERS,
        "answer auth done": NO_ACT,
        "approve auth": NO_PLAN,
        "changes auth -m other": NO_PLAN,
        "reject auth": NO_PLAN,
        "tell auth words": (0, ON, "act"),
        "resume auth": AT_WORK,
        "resume auth --detach": AT_WORK,
        "resume auth -m words": (2, "Your words were not taken; tell it: samoloop tell", ""),
        "run --session auth": AT_WORK,
        "stop auth": (0, "asked one to stop", ""),
        "stop auth --now": (0, "asked one to stop 26-", ""),
        "waive documents auth -m x": AT_WORK,
        "rewind auth 1": AT_WORK,
        "fork auth 1 --session new": (2, "There is no checkpoint of iteration 1", ""),
        "archive auth": UNFINISHED,
        "archive auth --force": AT_WORK,
        "finish auth --push": AT_WORK,
        "learn auth": TAUGHT,
        "repair auth": AT_WORK,
        "fleet move auth --to any": AT_WORK,
        "fleet move auth --here": AT_WORK,
        "status auth": (0, "one, of the fleet", ""),
        "log auth": (2, "has started no child yet", ""),
    },
    "at questions": at_a_gate("answers to Q1", "requirements")
    | {"answer auth Q1=A": (0, ON, "act"), "answer auth --suggested": (0, ON, "act")},
    "at a plan": at_a_gate("approval of", "planning")
    | {
        "approve auth": (0, ON, "act"),
        "changes auth -m other": (0, ON, "act"),
        "reject auth": (0, ON, "act"),
    },
    "at a file": at_a_gate("a change of local.env", "investigation") | {"rewind auth 1": BACK_AT_REST},
    "blocked": at_a_gate("", "")
    | {
        "tell auth words": (0, f"{WAITS}is blocked", "act"),
        "resume auth": HANDED_ON,
        "resume auth -m words": HANDED_ON,
        "resume auth --detach": HANDED_ON,
        "run --session auth": HANDED_ON,
        "rewind auth 1": BACK_AT_REST,
        "finish auth --push": (2, "is not done (blocked)", ""),
        "status auth": (0, "blocked in investigation", ""),
    },
    "done": AT_END,
    "archived": AT_END | {"archive auth": (0, "was archived already", "")},
}


def of_page(scene: Scene, act: Callable[[Browser, str], str]) -> Did:
    """What somebody does on the page of the second machine, what it says, and what came of a worker that it started."""
    with scene.two.at_work():
        ann = Browser(os.environ)
        said = act(ann, url_of(Session(scene.folder)))
        until(lambda: not find(Mark("HOME", str(scene.two.home)), None))
    return scene.after(0, said)


def sent(action: str, page: str = "", **typed: str) -> Callable[[Browser, str], str]:
    def act(ann: Browser, url: str) -> str:
        return ann.notice(ann.send(ann.form(url + page, action), **typed))

    return act


def stopped(ann: Browser, url: str) -> str:
    """Sent from a page that was opened while a machine was at work."""
    token = ann.form(url, "/tell").fields["token"]
    return ann.notice(ann.post(f"{url}/stop", {"token": token}))


def resumed(ann: Browser, url: str) -> str:
    """The settings file here is not that of the machine that had it last, so it is shown first."""
    shown = ann.send(ann.form(f"{url}/act", "/resume"))
    assert shown.status_code == 409 and "I have looked" in shown.text, shown.text
    return ann.notice(ann.send(ann.form_in(shown.text, "/resume")))


Act = Callable[[Browser, str], str]
TOLD: tuple[Act, str, str] = (sent("/tell", words="words"), "The next child reads it.", "act")
PAGE: dict[str, dict[str, tuple[Act, str, str]]] = {
    "at work": {"tell": TOLD, "stop": (sent("/stop"), "Asked one to stop", "")},
    "at questions": {
        "tell": TOLD,
        "stop": (stopped, "No machine is at work", ""),
        "answer": (sent("/answer", "/gate", **{"pick.Q1": "A"}), ON, "act"),
    },
    "at a plan": {
        "tell": TOLD,
        "approve": (sent("/approve", "/gate"), ON, "act"),
        "changes": (sent("/changes", "/gate", comment="other"), ON, "act"),
        "reject": (sent("/reject", "/gate", comment="no", really="yes"), ON, "act"),
    },
    "at a file": {"tell": TOLD},
    "blocked": {"tell": TOLD, "resume": (resumed, "It goes on.", "moved")},
    "done": {"archive": (sent("/archive"), "Removed the worktree of", "moved")},
    "archived": {},
}


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # meant so: in the background
@pytest.mark.parametrize("state", list(STATES))
def test_each_command_from_another_machine(
    state: str, tmp_path: Path, url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    scene, wrong = Scene(tmp_path, state, url, database), []
    for command, (code, words, kind) in TABLE[state].items():
        did = scene.did(*command.split())
        if (did.code, did.kind, all(part in did.said for part in words.split(BETWEEN))) != (code, kind, True):
            wrong.append(f"{command}: {did.code} {did.kind!r}, not {code} {kind!r} with {words!r}: {did.said[-600:]}")
        scene.again()
    for name, (act, words, kind) in PAGE[state].items():
        did = of_page(scene, act)
        if (did.kind, words in did.said) != (kind, True):
            wrong.append(f"page, {name}: {did.kind!r}, not {kind!r} with {words!r}: {did.said}")
        scene.again()
    assert not wrong, "\n\n".join(wrong)
