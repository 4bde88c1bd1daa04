"""After `skills install`, a person asks each real CLI for `dive` in its own words, and our text reaches the model.

The CLIs run here as a person runs them, not as a provider starts a child: nothing of samoloop is around them.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from clis import CLIS
from install import cache_folder
from project import make_project, said
from standin import Asked, Call, Fault, Kind, Say, Script, Shell, Standin, listed

from samoloop.base.files import sha256
from samoloop.config import skills

GOAL = "someone who has not opened the code can decide or plan from the document"
TOPIC = "rate limiting in this shop"


@dataclass(frozen=True)
class Asking:
    """How a person asks one CLI for a skill, without a keyboard."""

    argv: Callable[[Sequence[str]], list[str]]  # further arguments of the set-up, to the command
    prompt: str
    script: Script  # what the model does when it is asked
    environ: Mapping[str, str]


ASKING = {
    "claude": Asking(
        lambda more: ["claude", "-p", "--dangerously-skip-permissions", "--model", CLIS["claude"].model, *more],
        f"/dive {TOPIC}",
        listed([Say("Done.")]),
        {"IS_SANDBOX": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ),
    "codex": Asking(
        lambda more: ["codex", "exec", "--skip-git-repo-check", "-c", "analytics.enabled=false", *more, "-"],
        f"$dive {TOPIC}",
        listed([Say("Done.")]),
        {},
    ),
    "gemini": Asking(
        lambda more: ["gemini", "--yolo", "--model", CLIS["gemini"].model, *more],
        f"Use the skill dive: {TOPIC}",
        listed([Call("activate_skill", {"name": "dive"}), Say("Done.")]),
        {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true"},
    ),
    "opencode": Asking(
        lambda more: ["opencode", "run", "--auto", "--title=dive", "--model", CLIS["opencode"].model, *more],
        f"Use the skill dive: {TOPIC}",
        listed([Call("skill", {"name": "dive"}), Say("Done.")]),
        {},
    ),
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text("print('a shop')\n")
    return folder


def install(shop: Path, environ: Mapping[str, str], *words: str) -> None:
    subprocess.run(["git", "init", "-q"], cwd=shop, env=dict(environ), check=True)
    command = [sys.executable, "-m", "samoloop", "skills", "install", *words]
    done = subprocess.run(command, cwd=shop, env=dict(environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, said(done)


def with_ripgrep(environ: Mapping[str, str]) -> dict[str, str]:
    """opencode's skill tool needs ripgrep and fetches one where there is none; here it takes the one codex brings."""
    modules = cache_folder() / "npm" / "node_modules" / "@openai"
    (folder,) = {path.parent for path in modules.glob("codex-*/vendor/*/codex-path/rg")}
    return {**environ, "PATH": f"{environ['PATH']}{os.pathsep}{folder}"}


def ask(name: str, shop: Path, environ: Mapping[str, str], home: Path) -> list[Asked]:
    """Ask the CLI for the skill; what its model was told. Nothing where the CLI did not ask its model."""
    asking = ASKING[name]
    with Standin(asking.script) as model:
        setup = CLIS[name].setup(model.url)
        setup.install(home)
        env = {**with_ripgrep(environ), **setup.environ, **setup.settings.get("env", {}), **asking.environ}
        done = subprocess.run(
            asking.argv(setup.settings.get("args", [])),
            cwd=shop,
            env=env,
            input=asking.prompt,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    assert done.returncode == 0, said(done)
    return model.asked


@pytest.mark.parametrize("scope", ["--project", "--user"])
@pytest.mark.parametrize("name", ASKING)
def test_the_skills_text_reaches_the_model(
    name: str, scope: str, shop: Path, environ: Mapping[str, str], home: Path
) -> None:
    install(shop, environ, scope)
    asked = ask(name, shop, environ, home)
    last = asked[-1].conversation
    told = "\n".join([last.system, last.prompt, *last.results])
    assert GOAL in told
    assert TOPIC in told


@pytest.mark.parametrize("name", ASKING)
def test_each_description_is_preloaded_once(name: str, shop: Path, environ: Mapping[str, str], home: Path) -> None:
    """Both folders are there, and some CLIs read both: what is not used must not be paid for twice."""
    install(shop, environ, "--project")
    conversation = ask(name, shop, environ, home)[0].conversation
    declared = "".join(f"{tool!r}" for tool in conversation.tools)
    told = f"{conversation.system}\n{conversation.prompt}\n{declared}"
    others = [skill for skill in skills.available(None) if skill.name != "dive"]
    assert {skill.name: told.count(skill.description) for skill in others} == {skill.name: 1 for skill in others}


def test_only_the_cli_that_was_named_gets_the_skills(shop: Path, environ: Mapping[str, str], home: Path) -> None:
    install(shop, environ, "--project", "--for", "codex")
    assert GOAL in ask("codex", shop, environ, home)[-1].conversation.prompt
    assert ask("claude", shop, environ, home) == []  # it knows no command /dive, and says so without a model


@pytest.mark.parametrize("name", ASKING)
def test_a_cli_changes_nothing_of_what_was_installed(
    name: str, shop: Path, environ: Mapping[str, str], home: Path
) -> None:
    def tree() -> dict[str, str]:
        files = (path for place in (".claude", ".agents") for path in (shop / place / "skills").rglob("*"))
        return {str(path): sha256(path.read_bytes()) for path in files if path.is_file()}

    install(shop, environ, "--project")
    before = tree()
    ask(name, shop, environ, home)
    assert tree() == before


DOCUMENT = "11-21-0930-dive-limits.md"


@pytest.mark.parametrize("name", CLIS)
def test_a_skill_runs_headless_with_each_cli(name: str, environ: Mapping[str, str], tmp_path: Path) -> None:
    """The child is told the skill and the topic, works in the folder, and the person is told where the result is."""
    cli = CLIS[name]
    project = make_project(tmp_path / "my project", environ)
    script = listed([Shell(f"printf '# Dive\\n' > {DOCUMENT}; pwd"), Say("There is no limit anywhere.")])
    with Standin(script) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("skills", "run", "dive", TOPIC)
    assert done.returncode == 0, said(done)
    assert f"Result: {project.root / DOCUMENT}" in done.stdout
    assert "There is no limit anywhere." in done.stdout or name == "mini", said(done)
    last = model.asked[-1].conversation
    told = "\n".join([last.prompt, *last.results])  # mini reads its prompt from a file
    assert GOAL in told
    assert TOPIC in told
    assert str(project.root) in told
    assert project.git("status", "--short") == f"?? {DOCUMENT}\n"
    assert list(Path(environ["TMPDIR"]).glob("samoloop-*")) == []


@pytest.mark.parametrize("name", ["claude", "codex"])
def test_a_cli_that_is_not_let_in_ends_the_run_with_its_exit_code(
    name: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    cli = CLIS[name]
    project = make_project(tmp_path / "project", environ)
    with Standin(listed([Say("Done.")]), Fault(Kind.WRONG_KEY)) as model:
        project.use(cli, cli.setup(model.url))
        done = project.samoloop("skills", "run", "dive", TOPIC)
    assert done.returncode == 4, said(done)
    assert "login: " in done.stderr
