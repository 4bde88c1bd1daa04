"""`doctor`: whether everything is there that a session needs."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from samoloop.config.project import find_root
from samoloop.ui.cli.common import json_option, terminal_columns
from samoloop.ui.terminal.paint import paint

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
    from samoloop.ui.terminal.words import printable, wrapped

    findings = examine(find_root(Path.cwd()), os.environ)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        width, columns = max(len(finding.area) for finding in findings), terminal_columns()
        for finding in findings:
            mark, tone = _MARKS[finding.level]
            first, *rest = wrapped(f"{finding.area:<{width}}  {mark} {printable(finding.text)}", columns)
            click.echo(first.replace(mark, paint(mark, tone), 1))
            for line in rest:
                click.echo(line)
            for line in wrapped(f"{'':<{width}}    → {printable(finding.advice)}", columns) if finding.advice else ():
                click.echo(paint(line, "dim"))
        click.echo("\nSomething that a session needs is missing." if broken(findings) else "\nA session can start.")
    return 2 if broken(findings) else 0
