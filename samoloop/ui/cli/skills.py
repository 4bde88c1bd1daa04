"""`skills`: put the skills where your CLIs read them, and run one without a session."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samoloop.base.errors import UsageError
from samoloop.base.printable import one_line
from samoloop.config.keys import EFFORTS
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    as_settings,
    for_people_only,
    json_option,
    load_config,
    sandbox_option,
    terminal_columns,
    warn,
)
from samoloop.ui.terminal.output import say, say_json
from samoloop.ui.terminal.paint import tone_of_change
from samoloop.ui.terminal.words import wrapped

if TYPE_CHECKING:
    from samoloop.api.skill_install import InstallPlan, Target
    from samoloop.api.skill_run import Report, SkillOrder
    from samoloop.config.loading import Config
    from samoloop.config.skills import Skill
    from samoloop.core.events import Event


@click.group("skills")
def skills() -> None:
    """The skills: list, install and run them, with or without a session."""


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which folders are meant."""
    options = [
        click.option(
            "--for",
            "readers",
            metavar="CLI,...",
            help="Only for these: claude, codex, gemini, opencode, cursor; agents is any other that reads .agents.",
        ),
        click.option(
            "--user/--project",
            "user",
            default=True,
            help="In your home folder, for all projects (the default), or in this project, for all who work on it.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@skills.command("list")
@json_option
def list_skills(as_json: bool) -> None:
    """Show each skill and where it is installed.

    With the version that is there, and whether it is current, outdated, edited by you, or your own.

    \b
    samoloop skills list
    """
    from samoloop.config import skills as known

    places = list({at.folder: at for user in (True, False) for at in _targets(None, user=user)}.values())
    rows = [_row(skill, places) for skill in known.available(_project())]
    if as_json:
        say_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    columns = terminal_columns()
    for row in rows:
        where = "; ".join(f"{at['folder']} {at['version']} {at['standing']}".strip() for at in row["installed"])
        say((f"{row['name']:<{width}}  {where or 'not installed'}", "strong"))
        say("\n".join(wrapped(f"  {one_line(row['description'])}", columns)))


@skills.command("install")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.skills)
@place_options
@click.option("--force", is_flag=True, help="Replace what you edited too; a skill of your own is never touched.")
def install(names: tuple[str, ...], readers: str | None, user: bool, force: bool) -> None:
    """Put the skills where your CLIs read them.

    Those that are there already are brought up to date; what you edited stays.

    \b
    samoloop skills install
    samoloop skills install dive multi-review --for claude --project
    """
    from samoloop.api import skill_install
    from samoloop.config import skills as known

    chosen = known.choose(known.available(None if user else _project()), names)
    plans = [
        skill_install.plan_install(chosen, target, force=force, whole=not names)
        for target in _targets(readers, user=user)
    ]
    for plan in plans:
        skill_install.carry_out(plan)
        _tell(plan)
    first = next((skill.name for skill in chosen if skill.name == "dive"), chosen[0].name)
    say(f"Use one: /{first} in Claude Code, ${first} in Codex; ask any other CLI to use the skill {first}.")


@skills.command("uninstall")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.skills)
@place_options
@click.option("--force", is_flag=True, help="Remove what you edited too.")
def uninstall(names: tuple[str, ...], readers: str | None, user: bool, force: bool) -> None:
    """Remove the skills that `install` wrote.

    None that you edited is removed, and none of your own.

    \b
    samoloop skills uninstall
    """
    from samoloop.api import skill_install

    removals = [skill_install.plan_uninstall(names, target, force=force) for target in _targets(readers, user=user)]
    unknown = [name for name in names if not any(name in [*item.remove, *item.kept] for item in removals)]
    if unknown:
        raise UsageError(f"{unknown[0]} was not installed by samoloop in {_listed(item.target for item in removals)}")
    for removal in removals:
        skill_install.take_away(removal)
        kept = f"; kept, because you edited it: {', '.join(removal.kept)}" if removal.kept else ""
        say(f"{removal.target.folder}: {len(removal.remove)} removed{kept}")


@skills.command("run")
@click.argument("name", shell_complete=complete.skills)
@click.argument("topic", required=False, default="")
@click.option("--provider", help="The CLI to use; the configured one if not given.", shell_complete=complete.providers)
@click.option("--model", help="The model, by the CLI's own name.")
@click.option("--effort", type=click.Choice(EFFORTS), help="How hard the model shall think.")
@click.option("--permissions", type=click.Choice(["full", "edits"]), help="What the child may do unasked.")
@sandbox_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object per event; the last tells how it ended.")
def run(name: str, topic: str, as_json: bool, **flags: str | None) -> int:
    """Run one skill here, with no session.

    A fresh child of the CLI carries it out unattended; you see what it does, and where the result is.

    \b
    samoloop skills run dive "rate limiting"
    samoloop skills run multi-review "the last three commits" --provider codex
    """
    from samoloop.api import skill_run
    from samoloop.config import skills as known

    for_people_only()
    project = _project()
    (skill,) = known.choose(known.available(project), [name])
    if skill.needs_person:
        raise UsageError(
            f"the skill {name} is for a conversation: it makes no sense without a person who can be asked. "
            f"`samoloop skills install {name}`, then use it in your CLI"
        )
    settings = load_config(project, as_settings(flags))
    order = skill_run.SkillOrder(skill, topic, Path.cwd(), settings.provider)
    if not as_json:
        _greet(settings, order)
    report = skill_run.run(order, settings, os.environ, _shown(as_json))
    if as_json:
        _end_json(report)
    else:
        _end(report)
    return report.exit_code


def _greet(settings: "Config", order: "SkillOrder") -> None:
    allowed = {"full": "may run any command as you", "edits": "works in its CLI's restrained mode"}
    where = f"{order.provider} in {order.where}"
    say((f"{order.skill.name}: {where}, {allowed[settings.permissions]}", "dim"))


def _shown(as_json: bool) -> "Callable[[list[Event]], None]":
    """How each event is shown."""
    from samoloop.ui.terminal.rendering import Renderer, event_json

    renderer = Renderer()

    def show(events: "list[Event]") -> None:
        if as_json:
            for event in events:
                say_json(event_json(event), indent=None)
            return
        for line in renderer.lines(events):
            say((line.text, line.tone))

    return show


def _end(report: "Report") -> None:
    """Where the result is, or why there is none."""
    for path in report.documents:
        say((f"Result: {path}", "strong"))
    if report.exit_code == 0 and not report.documents:
        say("It wrote no document here; its last words are above.")
    for denied in report.outcome.denied:
        warn(one_line(f"Its CLI refused {denied.tool} {denied.detail}", 300))
    if report.exit_code:
        logs = f"; what it printed is kept in {report.logs / '_logs'}" if report.logs else ""
        warn(f"samoloop: {one_line(report.sentence, 500)}{logs}")
    if report.left:
        warn(f"Still running, end them yourself: {', '.join(map(str, report.left))}")


def _end_json(report: "Report") -> None:
    ended = {
        "event": "ended",
        "exit_code": report.exit_code,
        "reason": report.sentence,
        "documents": [str(path) for path in report.documents],
        "seconds": round(report.outcome.seconds, 1),
        "logs": str(report.logs) if report.logs else None,
    }
    say_json(ended, indent=None)


def _project() -> Path:
    """The project whose skills are meant; this folder where there is none."""
    from samoloop.config.project import find_root

    return find_root(Path.cwd()) or Path.cwd()


def _targets(readers: str | None, *, user: bool) -> "list[Target]":
    from samoloop.api import skill_install

    names = [name.strip() for name in (readers or "").split(",") if name.strip()]
    scope, root = ("user", Path.home()) if user else ("project", _project())
    return skill_install.targets(names, scope, root, os.environ)


def _row(skill: "Skill", places: "Sequence[Target]") -> dict[str, Any]:
    from samoloop.api import skill_install
    from samoloop.api.skill_install import Standing

    installed = []
    for target in places:
        record = skill_install.read_record(target.folder)
        try:
            standing = skill_install.standing_of(skill, target.folder, record)
        except UsageError:  # a link, say: nothing of ours
            standing = Standing.OWN
        if standing is not Standing.ABSENT:
            version = record.version(skill.name)
            where = {"folder": str(target.folder), "scope": target.scope}
            installed.append({**where, "version": version, "standing": standing})
    return {
        "name": skill.name,
        "description": skill.description,
        "source": str(skill.folder),
        "installed": installed,
    }


def _tell(plan: "InstallPlan") -> None:
    """What was done in one folder."""
    counts = {
        "installed": plan.install,
        "brought up to date": plan.upgrade,
        "already there": plan.current,
        "removed, because there is no such skill any more": plan.retire,
    }
    words = ", ".join(f"{len(items)} {word}" for word, items in counts.items() if items)
    say(f"{plan.target.folder}: {words or 'nothing to do'}")
    for name, difference in plan.kept.items():
        warn(f"{name} stays as you edited it; --force would do this:")
        for line in difference.splitlines():
            say((line, tone_of_change(line)), err=True)


def _listed(places: Any) -> str:
    return ", ".join(str(target.folder) for target in places)
