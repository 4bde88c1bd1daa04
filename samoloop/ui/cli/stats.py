"""`stats` and `search`: what all sessions cost, and what is said in them."""

import os
import time
from pathlib import Path

import click

from samoloop.base.errors import LockHeld, UsageError, shown
from samoloop.config.project import find_root
from samoloop.ui.cli.common import every_root, json_option, say_wrapped, terminal_columns, warn
from samoloop.ui.terminal.output import say, say_json

_LONGEST_SPAN = 36_500  # days
project_option = click.option("--project", metavar="PROJECT", help="One project: its folder's name, or its path.")


def days_of(text: str) -> int | None:
    """How many days are meant; None for `all`. Raises UsageError."""
    if text == "all":
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= _LONGEST_SPAN:
        raise UsageError(f"--since {shown(text)}: give a number of days, 1 to {_LONGEST_SPAN}, or all")
    return int(text)


@click.command("stats")
@click.option("--since", default="30", metavar="DAYS", help="The last days, today too; 30, or all.")
@project_option
@json_option
def stats(since: str, project: str | None, as_json: bool) -> None:
    """Show what sessions cost and where their time went: by day, workflow, phase, project and provider.

    \b
    samoloop stats
    samoloop stats --since 7 --project shop
    samoloop stats --since all --json
    """
    from samoloop.api import stats as numbers
    from samoloop.base.clock import local_zone
    from samoloop.ui.terminal.stats_text import stats_lines

    roots = numbers.chosen(os.environ, find_root(Path.cwd()), project)
    found = numbers.stats(os.environ, roots, days_of(since), time.time(), local_zone())
    if as_json:
        say_json(found.to_json())
        return
    for text, tone in stats_lines(found):
        say_wrapped(text, tone)


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@project_option
@click.option("--newest", is_flag=True, help="The newest places first, not the best.")
@click.option("-n", "--number", type=click.IntRange(1, 1000), default=10, help="How many places; 10 if not given.")
@json_option
def search(words: tuple[str, ...], project: str | None, newest: bool, number: int, as_json: bool) -> None:
    """Search the tasks, documents, answers and logs of all sessions: all these words, or a phrase in quotes.

    \b
    samoloop search session cookie
    samoloop search '"session cookie"' 'migrat*' --newest
    """
    from samoloop.api.search import Index, Progress
    from samoloop.api.stats import chosen
    from samoloop.base.clock import Clock
    from samoloop.ui.terminal.hits import hit_lines

    every, meant = every_root(), chosen(os.environ, find_root(Path.cwd()), project) if project else ()
    index = Index(os.environ)
    told: list[Progress] = []

    def tell(progress: Progress) -> None:
        if progress.read and progress.sessions < progress.every and not told:
            warn(f"reading what is new in {progress.every} sessions ...")
            told.append(progress)

    try:
        index.update(every, tell)
    except LockHeld:
        warn("another samoloop reads the sessions just now: what is new may be missing here")
    asked = " ".join(words)
    hits = index.find(asked, roots=meant, newest=newest, limit=number)
    if as_json:
        say_json([hit.to_json() for hit in hits])
    elif not hits:
        say(f"Nothing is found for {shown(asked)}; the beginning of a word is enough with a *: migrat*")
    for line in hit_lines(hits, Clock().now(), terminal_columns()) if not as_json else ():
        say(*line)
