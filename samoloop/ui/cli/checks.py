"""Commands about checks: `checks` and `evidence`."""

import os

import click

from samoloop.ui.cli import complete
from samoloop.ui.cli.common import find_session, json_option, load_config, project_root, session_argument
from samoloop.ui.terminal.output import say, say_json


@click.group("checks", invoke_without_command=True)
@json_option
@click.pass_context
def checks(context: click.Context, as_json: bool) -> None:
    """Show what samoloop runs by itself before it believes that a phase is done, and why.

    \b
    samoloop checks
    samoloop checks run
    """
    if context.invoked_subcommand:
        return
    from samoloop.api import checks as looking
    from samoloop.base.durations import format_seconds
    from samoloop.core import fields

    root = project_root()
    config = load_config(root)
    found = looking.known(config, root)
    if as_json:
        say_json([fields.to_json(check) | {"when": looking.when(check, config)} for check in found.checks])
        return
    if not found.checks:
        say(found.said)
        say("Set some under `checks:` in .samoloop.yaml; see docs/evidence.md")
        return
    for check in found.checks:
        say(f"{check.name}: {check.command}")
        where = f", in {check.folder}" if check.folder else ""
        say((f"  found by {check.source}{where}; {looking.when(check, config)}", "dim"))
        limit = format_seconds(check.seconds)
        say((f"  ended after {limit}, which proves nothing (limit: under checks: in .samoloop.yaml)", "dim"))


@checks.command("run")
@click.argument("names", nargs=-1, shell_complete=complete.checks)
def run(names: tuple[str, ...]) -> int:
    """Run the checks now, on this folder as it is; exits with 1 where one is not green.

    \b
    samoloop checks run
    samoloop checks run pytest
    """
    from samoloop.api import checks as looking
    from samoloop.api.go_on import stoppable
    from samoloop.base.errors import UsageError
    from samoloop.base.nearest import named
    from samoloop.checks.receipts import Outcome

    root = project_root()
    config = load_config(root)
    found = looking.known(config, root)
    known = {check.name: check for check in found.checks}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no check {named(name, known)}; there are: {', '.join(known) or 'none'}")
    if not known:
        raise UsageError(found.said)
    good = True
    with stoppable() as stop:
        for check in (known[name] for name in names or known):
            say((f"{check.name}: {check.command}", "dim"))
            ran = looking.run(check, config, root, os.environ, stop, say)
            good = good and (ran.outcome is Outcome.PASSED or (ran.exit == 0 and not check.is_found))
    return 0 if good else 1


@click.command("evidence")
@session_argument
@json_option
def evidence(session_name: str | None, as_json: bool) -> int:
    """Hold the receipts of a session's checks against its branch as it is now.

    Exits with 0 only where what would be merged is what was checked, and the checks were green; else with 1.

    \b
    samoloop evidence auth
    samoloop evidence auth --json
    """
    from samoloop.api.evidence import look

    found = look(find_session(session_name), os.environ)
    if as_json:
        say_json(found.to_json())
    else:
        say((found.sentence, "good" if found.checked else "warn"))
        for judged in found.judged:
            for note in judged.notes:
                say(f"  {judged.check}: {note}")
        for receipt in found.receipts:
            say((f"  {receipt.said}; {receipt.command}, tree {receipt.tree[:12]}, log {receipt.log}", "dim"))
    return 0 if found.checked else 1
