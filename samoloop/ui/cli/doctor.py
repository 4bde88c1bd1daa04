"""`doctor`: whether everything is there that a session needs."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from samoloop.config.project import find_root
from samoloop.ui.cli.common import json_option, terminal_columns
from samoloop.ui.terminal.output import say, say_json

_MARKS = {"ok": ("✓", "good"), "note": ("·", "dim"), "warning": ("!", "warn"), "problem": ("✗", "bad")}


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> int:
    """Check git, the CLIs, folders and settings, and say what to do. Exits with 2 if a session would fail.

    \b
    samoloop doctor
    samoloop doctor --json
    """
    from samoloop.api.doctor import broken, examine
    from samoloop.base.printable import printable
    from samoloop.ui.terminal.words import wrapped

    findings = examine(find_root(Path.cwd()), os.environ)
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        width, columns = max(len(finding.area) for finding in findings), terminal_columns()
        for finding in findings:
            mark, tone = _MARKS[finding.level]
            first, *rest = wrapped(f"{finding.area:<{width}}  {mark} {printable(finding.text)}", columns)
            before, _, after = first.partition(mark)
            say(before, (mark, tone), after)
            for line in rest:
                say(line)
            for line in wrapped(f"{'':<{width}}    → {printable(finding.advice)}", columns) if finding.advice else ():
                say((line, "dim"))
        say("\nSomething that a session needs is missing." if broken(findings) else "\nA session can start.")
    return 2 if broken(findings) else 0
