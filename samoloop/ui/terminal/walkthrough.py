"""`samoloop demo`: a small shop's till learns a discount, and a person feels the two gates.

The loop, the gates, the repository and the tests are the real ones; only the model is a script.
"""

import io
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from samoloop.api import evidence
from samoloop.api.go_on import go_on, stoppable
from samoloop.core import gates
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.demo import examples
from samoloop.demo.commands import run as run_command
from samoloop.demo.play import SCRIPT, alone, begin, how, telling
from samoloop.git.calls import environment, execute
from samoloop.providers import PACE
from samoloop.ui.terminal.asking import asking_view
from samoloop.ui.terminal.output import say
from samoloop.ui.terminal.screen import open_view

EXAMPLE = "bulk-discount"
_PACE_SECONDS = 0.12  # a step on a terminal, where nothing else is asked for
_WHO = "you (demo)"
_INTERRUPTED = 130
_INSTALLED = Path(sys.executable).with_name("samoloop")  # of `make demo`, whose environment nobody has activated
_SAMOLOOP = shlex.quote(str(_INSTALLED)) if not shutil.which("samoloop") and _INSTALLED.exists() else "samoloop"


def run(yes: bool, folder: Path | None) -> int:
    """Play the demo in `folder` (new; None: a temporary one). `yes` asks nobody. Returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an old terminal's encoding may lack the lines
    example = examples.get(EXAMPLE)
    place = folder or Path(tempfile.mkdtemp(prefix="samoloop-demo-")) / "till"
    root = examples.copy(example, place)
    environ = _environ(root, yes)
    session = begin(root, example.task.strip(), EXAMPLE, SCRIPT, environ)
    _introduce(root, session, example, yes)
    with stoppable() as stop:
        view = telling(open_view if yes else asking_view(_WHO))
        decision = go_on(session, how(yes=yes, no_wait=yes), environ=environ, open_view=view, stop=stop)
    if stop.interrupted:
        say(f"\n\nThe session waits; nothing is lost. Go on with:\n  {_in(root)} {_SAMOLOOP} resume {session.name}")
        return _INTERRUPTED
    _show(root, session, example, decision, environ)
    return decision.exit_code


def _environ(root: Path, yes: bool) -> dict[str, str]:
    """The person's environment without settings for samoloop; with a pace that a person can follow."""
    pace = os.environ.get(PACE, "" if yes else str(_PACE_SECONDS))
    return alone(root, os.environ) | ({PACE: pace} if pace else {})


def _introduce(root: Path, session: Session, example: examples.Example, yes: bool) -> None:
    ran = run_command(example.test, root, os.environ)
    _title("A small shop's till")
    say(f"A real Python project in {root}; its tests: {ran.verdict}.")
    say("The task: ", (session.task, "strong"))
    say("A worker takes it through every phase, one fresh child for each line below. The child is a script here:")
    say("no model, no network, no cost. All else is real: the loop, the files, the gates, the commits, the tests.")
    if not yes:
        say("It will stop twice and wait for you; what you say decides what is built.")
    say()


# --- the end ----------------------------------------------------------------------------------------------------------


def _show(
    root: Path, session: Session, example: examples.Example, decision: Decision, environ: Mapping[str, str]
) -> None:
    """What there is now, looked at and run again rather than believed."""
    created = session.state().created
    _title(f"The session is {session.state().condition}")
    say(f"branch    {session.branch}")
    log = ("log", "--reverse", "--format=          %h %s", f"{created.base}..{session.branch}")
    say("commits" + _git(root, *log)[len("commits") :])
    ran = run_command(example.test, session.worktree, os.environ)
    say(f"tests     {ran.verdict}, just now, on that branch ({ran.command})")
    say(f"evidence  {evidence.look(session, environ).sentence}")
    _show_receipt(session)
    say(f"session   {session.dir}")
    say("          start with _report.md, then _overview.md; _logs holds every word of every child")
    if decision.exit_code:
        say(f"go on     {_in(root)} {_SAMOLOOP} resume {session.name}")
    say(f"look      {_in(root)} git diff main...{session.branch}")
    say("\nNow with your own CLI, in a repository of yours:")
    say(f'  {_SAMOLOOP} doctor        # is a CLI there, and logged in?\n  {_SAMOLOOP} run "Add ..."')


def _show_receipt(session: Session) -> None:
    """The customer's side of it: as many pieces as the person's answer asks for."""
    rule = gates.read_text(session.worktree / "till" / "discounts.py")
    if rule is None:
        return
    pieces = next((line.split()[2] for line in rule.splitlines() if line.startswith("BULK_FROM = ")), "3")
    ran = run_command(("python", "-m", "till", f"apple={pieces}"), session.worktree, os.environ)
    say(f"try       {ran.command}")
    say("\n".join(f"            {line}" for line in ran.output.splitlines()))
    questions = gates.read_questions(session.dir)
    for question in questions:
        say(f"          {question.title} ", (question.answer, "strong"), f" (by {question.by})")


def _in(root: Path) -> str:
    """The start of a command line for a person to paste."""
    return f"cd {shlex.quote(str(root))} &&"


def _git(root: Path, *arguments: str) -> str:
    return execute(arguments, cwd=root, environ=environment()).stdout.decode("utf-8", "replace").rstrip("\n")


def _title(words: str) -> None:
    say((f"── {words} " + "─" * max(0, 76 - len(words)), "tool"))
