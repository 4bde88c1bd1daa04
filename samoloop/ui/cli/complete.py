"""What a shell may complete: names, taken from files alone. Nothing here fails, and nothing waits.

Each function takes what click gives it and returns the words that begin as `incomplete` does.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samoloop.core.session import Session

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
_DONE = "done"


def _safely(words: Callable[[click.Context, str], Iterable[str]]) -> Complete:
    """Of the words those that begin so and only show; none outside a project, nor where something is wrong in it."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from samoloop.base.printable import one_line

        try:
            return [word for word in words(ctx, incomplete) if word.startswith(incomplete) and word == one_line(word)]
        except Exception:  # a shell shows nothing but words
            return []

    return complete


def _root() -> Path:
    from samoloop.config.project import find_root

    return find_root(Path.cwd()) or Path.cwd()


def _folder() -> Path:
    from samoloop.config.project import sessions_folder

    return sessions_folder(_root(), os.environ)


def _session(ctx: click.Context) -> "Session":
    """The session that the command line names so far, or the only one."""
    from samoloop.core.session import resolve

    return resolve(_folder(), ctx.params.get("session_name"))


def _sessions(ctx: click.Context, incomplete: str) -> list[str]:
    """Newest first: what follows the date, and the whole name where that is begun or another one bears it too."""
    from samoloop.core.session import all_sessions

    names: list[str] = []
    for session in all_sessions(_folder()):
        whole = incomplete[:1].isdigit() or session.undated in names
        names += [session.name] if whole else [session.undated]
    return names


def _tasks(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.config.project import BACKLOG

    return sorted(path.stem for path in (_root() / BACKLOG).glob("*.md"))


def _workflows(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.config.workflow_files import names

    return names(_root())


def _phases(ctx: click.Context, incomplete: str) -> list[str]:
    """Those of the workflow that is named, or of the configured one."""
    from samoloop.config.loading import load
    from samoloop.config.workflow_files import load as load_workflow

    name = ctx.params.get("workflow") or load(_root(), os.environ).workflow
    return [phase.name for phase in load_workflow(name, _root()).phases if phase.child]


def _providers(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.config.keys import KNOWN
    from samoloop.config.loading import load

    return list(dict.fromkeys([*KNOWN, *load(_root(), os.environ).providers]))


def _profiles(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.config.profiles import names

    return names(_root())


def _skills(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.config.skills import available

    return [skill.name for skill in available(_root())]


def _examples(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.demo.examples import available

    return [example.name for example in available()]


def _iterations(ctx: click.Context, incomplete: str) -> list[str]:
    return [str(number) for number in range(_session(ctx).state().iteration, -1, -1)]


def _checks(ctx: click.Context, incomplete: str) -> list[str]:
    from samoloop.api.checks import known
    from samoloop.config.loading import load

    return [check.name for check in known(load(_root(), os.environ), _root()).checks]


def _answers(ctx: click.Context, incomplete: str) -> list[str]:
    """A session first; then each question that waits, with its letters."""
    from samoloop.core import gates
    from samoloop.core.session import resolve

    before = list(ctx.params.get("said") or ())
    names = [word for word in before[:1] if "=" not in word and not _is_id(word)]
    try:
        session = resolve(_folder(), names[0] if names else None, lambda state: state.gate is not None)
    except Exception:  # several wait, or none: name one
        return [] if names else _sessions(ctx, incomplete)
    gate = session.state().gate
    asked = {question.id: question for question in gates.waiting_questions(session.dir, gate)}
    last = before[-2 if before[-1] == "=" else -1].upper() if before else ""
    if last in asked and incomplete[:1].upper() not in [id[:1] for id in asked]:
        return [letter for letter, _ in asked[last].options]  # bash takes `Q1=A` for three words
    given = {word.partition("=")[0].upper() for word in before}
    words = [
        f"{id}={letter}"
        for id, question in asked.items()
        if id not in given
        for letter in ([letter for letter, _ in question.options] or [""])
    ]
    if gate and gates.takes(gate, gates.Verdict.DONE):
        words.append(_DONE)
    return words if before else [*words, *_sessions(ctx, incomplete)]


def _is_id(word: str) -> bool:
    return word[:1] in "Qq" and word[1:].isdigit()


sessions = _safely(_sessions)
tasks = _safely(_tasks)
workflows = _safely(_workflows)
phases = _safely(_phases)
providers = _safely(_providers)
profiles = _safely(_profiles)
skills = _safely(_skills)
examples = _safely(_examples)
iterations = _safely(_iterations)
checks = _safely(_checks)
answers = _safely(_answers)
