"""`example`: the small projects that travel with the package, as sessions to look at."""

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samoloop.base.errors import UsageError
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import for_people_only, json_option, warn
from samoloop.ui.terminal.output import say, say_json

if TYPE_CHECKING:
    from samoloop.demo.examples import Example


@click.group("example")
def example() -> None:
    """Small projects with a task each, to watch a session on.

    \b
    samoloop example list
    samoloop example run add-feature --provider demo
    """


@example.command("list")
@json_option
def list_(as_json: bool) -> None:
    """What examples there are."""
    from samoloop.demo import examples

    found = examples.available()
    if as_json:
        keys = ("name", "summary", "workflow", "provider", "needs")
        rows = [{key: getattr(item, key) for key in keys} | {"missing": item.missing} for item in found]
        say_json(rows)
        return
    width = max(len(item.name) for item in found)
    for item in found:
        lacks = f" (needs {', '.join(item.missing)})" if item.missing else ""
        say(f"{item.name:<{width}}  {item.workflow}: {item.summary}{lacks}")


@example.command("run")
@click.argument("names", nargs=-1, metavar="NAME...", shell_complete=complete.examples)
@click.option("--all", "every", is_flag=True, help="All examples, one after the other.")
@click.option(
    "--provider",
    help="demo plays a script; without it the example's own, or yours: a real session.",
    shell_complete=complete.providers,
)
@click.option("--yes", is_flag=True, help="Take suggestions and approve the plan.")
@click.option("--keep", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Copy into this folder (new).")
def run(names: tuple[str, ...], every: bool, provider: str | None, yes: bool, folder: Path | None) -> int:
    """Copy an example to a fresh folder, run its task there, and judge the result by the project's own tests.

    Ends with 1 where a finished session did not make what the example expects.

    \b
    samoloop example run hello-agent --provider demo
    """
    from samoloop.demo import examples

    for_people_only()
    if bool(names) is every:
        raise UsageError("name one or more examples, or give --all; samoloop example list shows them")
    chosen = examples.available() if every else [examples.get(name) for name in names]
    for item in chosen:
        if item.missing and not every:
            raise UsageError(
                f"{item.name} needs {', '.join(item.missing)} on PATH: install it, or take another example"
            )
    place = folder or Path(tempfile.mkdtemp(prefix="samoloop-example-"))
    codes = [_run(item, place / item.name, provider, yes) for item in chosen]
    return max(codes)


def _run(item: "Example", target: Path, provider: str | None, yes: bool) -> int:
    from samoloop.demo import examples
    from samoloop.demo.rehearsal import rehearse
    from samoloop.ui.terminal.screen import open_view

    say((f"── {item.name} " + "─" * max(0, 76 - len(item.name)), "tool"))
    if item.missing:
        warn(f"skipped: {', '.join(item.missing)} is not on PATH")
        return 0
    root = examples.copy(item, target)
    performance = rehearse(item, root, provider=provider, yes=yes, open_view=open_view)
    for finding in performance.findings:
        say(("✓", "good") if finding.ok else ("✗", "bad"), f" {finding.words}")
    say(f"project  {root}\nsession  {performance.session.dir}")
    if performance.decision.exit_code:
        say(f"go on    cd {shlex.quote(str(root))} && samoloop status")
    return performance.exit_code
