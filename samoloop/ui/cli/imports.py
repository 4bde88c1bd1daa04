"""`import`: a session of samocode, the predecessor, becomes one of ours."""

import os
from pathlib import Path

import click

from samoloop.ui.cli.common import for_people_only, is_terminal, speaker, terminal_columns
from samoloop.ui.terminal.output import ask, say


@click.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would become of it; make nothing.")
@click.option("--approved", is_flag=True, help="You approved its plan yourself: it is not asked for again.")
@click.option("--phase", metavar="PHASE", help="Where it goes on, where its notebook cannot tell.")
@click.option("--plan", metavar="FILE", help="Which of its plans counts.")
@click.option("--branch", metavar="NAME", help="The branch that holds its work.")
@click.option("--repo", type=click.Path(path_type=Path), help="The repository that it belongs to.")
def import_(
    folder: Path,
    dry_run: bool,
    approved: bool,
    phase: str | None,
    plan: str | None,
    branch: str | None,
    repo: Path | None,
) -> int:
    """Go on with a session of samocode: its phase, gate, branch, worktree and documents. Its folder is only read.

    \b
    samoloop import _sessions/26-01-08-auth --dry-run
    samoloop import _sessions/26-01-08-auth
    """
    for_people_only()
    from samoloop.api.importing import Wanted, answers_again, lines, look, take_over
    from samoloop.base.printable import printable
    from samoloop.ui.cli.run import farewell
    from samoloop.ui.terminal.words import wrapped

    found = look(Wanted(folder, repo, phase, plan, branch, approved, speaker()), os.environ)
    columns = terminal_columns()

    def show(found_lines: list[str]) -> None:
        for line in wrapped(printable("\n".join(found_lines)), columns) if found_lines else ():
            say(line)

    show([*lines(found), *(answers_again(found, "NAME") if dry_run else [])])
    if dry_run or (is_terminal() and not ask("Import it? (y or n)").strip().lower().startswith("y")):
        return 0
    session = take_over(found, os.environ)
    say()
    show([f"Imported as {session.dir}; do not go on with it in samocode too.", *answers_again(found, session.name)])
    say(farewell(session))
    return 0
