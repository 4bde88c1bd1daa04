"""`doctor`: whether everything is there that a session needs."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from samoloop.config.project import find_root
from samoloop.ui.cli.common import json_option
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
    from samoloop.ui.terminal.words import printable

    findings = examine(find_root(Path.cwd()), os.environ)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        width = max(len(finding.area) for finding in findings)
        for finding in findings:
            mark, tone = _MARKS[finding.level]
            click.echo(f"{finding.area:<{width}}  {paint(mark, tone)} {printable(finding.text)}")
            if finding.advice:
                click.echo(f"{'':<{width}}    {paint('→ ' + printable(finding.advice), 'dim')}")
        click.echo("\nSomething that a session needs is missing." if broken(findings) else "\nA session can start.")
    return 2 if broken(findings) else 0
