"""Settings come from five places in a known order; what cannot be used is named, all of it at once."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from samoloop.base.errors import ConfigError
from samoloop.base.places import state_folder
from samoloop.config import loading, samocode
from samoloop.config.keys import CheckSettings
from samoloop.config.loading import Config, from_environment, load, merged, settings_of
from samoloop.config.project import user_file
from samoloop.core.ceilings import Ceilings
from samoloop.core.permissions import Permissions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def write(path: Path, content: Mapping[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(dict(content)))
    return path


def own(home: Path, content: Mapping[str, Any] | str) -> dict[str, str]:
    """The person's file; returns an environment in which it is read."""
    write(home / ".config" / "samoloop" / "config.yaml", content)
    return {"HOME": str(home)}


def project(root: Path, content: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None) -> Config:
    write(root / ".samoloop.yaml", content)
    return load(root, environ or {"HOME": "/nowhere"})


def problems(root: Path, content: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        project(root, content, environ)
    first, *lines = str(error.value).splitlines()
    assert first == "the configuration cannot be used:"
    return [line.removeprefix("  - ") for line in lines]


# --- without any file -------------------------------------------------------------------------------------------------


def test_everything_has_a_default(root: Path) -> None:
    found = load(root, {"HOME": "/nowhere"})
    assert (found.provider, found.model, found.workflow, found.permissions) == ("claude", None, "feature", "full")
    assert found.sessions_dir == root / "_sessions"
    assert found.worktrees_dir == root / ".samoloop" / "worktrees"
    assert (found.branch_prefix, found.setup, found.commit, found.fallback) == ("samoloop/", None, True, ())
    assert vars(found.limits) == {"total": 1800, "silence": 600, "first_byte": 120, "grace": 60, "terminate": 10}
    assert found.ceilings == Ceilings(150, 86400.0, 50.0)
    assert found.scrub == ("TELEGRAM_*", "SAMOLOOP_FLEET_*")
    assert found.sources == ()


def test_an_empty_file_and_empty_keys_change_nothing(root: Path) -> None:
    default = load(root, {"HOME": "/nowhere"})
    empty = "# nothing\n"
    keys = "provider:\nlimits:\nceilings: {cost: }\nphases: {planning: }\nsetup: ~\n"
    for text in (empty, keys):
        assert replace(project(root, text), sources=()) == replace(default, sources=())


def test_all_keys_of_the_contract(root: Path) -> None:
    found = project(
        root,
        """
        provider: codex
        model: gpt-5
        effort: high
        profile: architect
        workflow: fix
        permissions: edits
        sessions: ../elsewhere
        worktrees: /tmp/trees
        branch_prefix: work/
        setup: npm ci
        commit: false
        fallback: [gemini, claude]
        phases:
          planning: {provider: claude, model: opus, iteration: 45m, permissions: full, ceilings: {cost: 5}}
        limits: {iteration: 1h, silence: off, first_byte: 90s, grace: 5, terminate: 0}
        ceilings: {iterations: off, wall: 2h, cost: 12.5}
        providers:
          mine: {command: [mycli, --auto], prompt: stdin, output: text}
        scrub: [AWS_*]
        keep_awake: false
        """,
    )
    assert (found.provider, found.model, found.effort, found.profile) == ("codex", "gpt-5", "high", "architect")
    assert (found.workflow, found.permissions) == ("fix", Permissions.EDITS)
    assert found.sessions_dir == root / ".." / "elsewhere"
    assert found.worktrees_dir == Path("/tmp/trees")
    assert (found.branch_prefix, found.setup, found.commit, found.keep_awake) == ("work/", "npm ci", False, False)
    assert vars(found.limits) == {"total": 3600, "silence": None, "first_byte": 90, "grace": 5, "terminate": 0}
    assert found.ceilings == Ceilings(None, 7200.0, 12.5)
    assert found.phase_ceilings() == {"planning": Ceilings(None, None, 5.0)}
    assert found.provider_settings("mine") == {"command": ("mycli", "--auto"), "prompt": "stdin", "output": "text"}
    assert found.provider_settings("codex") is None
    assert found.scrub == ("TELEGRAM_*", "SAMOLOOP_FLEET_*", "AWS_*")
    assert found.sources == (root / ".samoloop.yaml",)


# --- the order --------------------------------------------------------------------------------------------------------


def test_a_flag_comes_before_the_environment_the_project_the_person_and_the_default(root: Path, home: Path) -> None:
    assert load(root, {"HOME": str(home)}).provider == "claude"
    environ = own(home, {"provider": "mini"})
    assert load(root, environ).provider == "mini"
    assert project(root, {"provider": "opencode"}, environ).provider == "opencode"
    environ["SAMOLOOP_PROVIDER"] = "gemini"
    assert load(root, environ).provider == "gemini"
    assert load(root, environ, {"provider": "codex"}).provider == "codex"
    assert load(root, environ, {"provider": None}).provider == "gemini"


def test_the_model_of_the_environment_comes_before_a_file_s_and_after_a_flag(root: Path) -> None:
    environ = {"HOME": "/nowhere", "CLAUDE_MODEL": "opus", "CODEX_MODEL": "gpt-5-codex"}
    assert project(root, {"model": "sonnet"}, environ).model_for("testing", "claude") == "opus"
    assert load(root, environ, {"model": "haiku"}).model_for("testing", "claude") == "haiku"
    assert load(root, environ, {"provider": "codex"}).model_for("testing", "codex") == "gpt-5-codex"
    assert load(root, {"HOME": "/nowhere"}).model_for("testing", "claude") == "sonnet"


def test_sections_of_several_files_are_joined_key_by_key(root: Path, home: Path) -> None:
    environ = own(home, {"limits": {"silence": "1m", "grace": 9}, "phases": {"testing": {"model": "small"}}})
    found = project(root, {"limits": {"silence": "2m"}, "phases": {"testing": {"provider": "codex"}}}, environ)
    assert (found.limits.silence, found.limits.grace) == (120, 9)
    assert (found.phase("testing").model, found.phase("testing").provider) == ("small", "codex")
    assert found.sources == (home / ".config" / "samoloop" / "config.yaml", root / ".samoloop.yaml")


# --- what a session remembers -----------------------------------------------------------------------------------------


def test_a_ceiling_that_is_said_leaves_the_other_remembered_ones_alone(root: Path) -> None:
    found = settings_of(
        root,
        {"HOME": "/nowhere"},
        remembered={"permissions": "edits", "ceilings": {"cost": 5.0, "wall": "2h"}},
        said={"ceilings": {"iterations": 10, "cost": None}, "permissions": None},
    )
    assert found.ceilings == Ceilings(10, 7200.0, 5.0)
    assert found.permissions is Permissions.EDITS


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("file", "environment"),
        ("environment", "environ"),
        ("environ", "remembered"),
        ("remembered", "said"),
    ],
)
def test_each_place_comes_before_the_one_below_it(root: Path, weaker: str, stronger: str) -> None:
    write(root / ".samoloop.yaml", {"provider": "gemini"} if weaker == "file" else {})
    told = {weaker: "claude", stronger: "codex"}
    found = settings_of(
        root,
        {"HOME": "/nowhere", "SAMOLOOP_PROVIDER": told.get("environ", "")},
        **{place: {"provider": told.get(place)} for place in ("environment", "remembered", "said")},
    )
    assert found.provider == "codex"


def test_what_the_environment_said_at_the_hand_off_holds_where_it_says_nothing_any_more(root: Path) -> None:
    given = {
        "HOME": "/nowhere",
        "SAMOLOOP_PROVIDER": "codex",
        "CODEX_MODEL": "gpt-5",
        "CODEX_PATH": "/opt/codex",
        "CODEX_TIMEOUT": "45m",
        "CLAUDE_MODEL": "opus",
        "TELEGRAM_BOT_TOKEN": "secret",
    }
    told = json.loads(json.dumps(from_environment(given)))
    assert "secret" not in str(told)
    found = settings_of(root, {"HOME": "/nowhere", "CLAUDE_MODEL": "sonnet"}, environment=told)
    assert found == load(root, given | {"CLAUDE_MODEL": "sonnet", "TELEGRAM_BOT_TOKEN": ""})
    assert (found.provider, found.model, found.limits.total) == ("codex", "gpt-5", 2700)
    assert found.model_for("testing", "claude") == "sonnet"
    assert found.provider_settings("codex") == {"path": "/opt/codex"}


def test_an_empty_environment_has_nothing_to_remember() -> None:
    assert from_environment({"HOME": "/nowhere", "CODEX_PATH": ""}) == {}


@pytest.mark.parametrize("below", ["file", "remembered"])
def test_a_model_is_not_given_to_another_provider_that_is_said_later(root: Path, below: str) -> None:
    model = {"model": "opus"}
    write(root / ".samoloop.yaml", model if below == "file" else {})
    remembered = model if below == "remembered" else {}
    environ = {"HOME": "/nowhere"}
    assert settings_of(root, environ, remembered=remembered, said={"provider": "claude"}).model == "opus"
    assert settings_of(root, environ, remembered=remembered, said={"provider": "codex"}).model is None
    said = {"provider": "codex", "model": "gpt-5"}
    assert settings_of(root, environ, remembered=remembered, said=said).model == "gpt-5"


@pytest.mark.parametrize(
    "damaged", [{"ceilings": 5}, {"provider": ["codex"]}, {"permissions": "none"}, {"providers": {"claude": 3}}]
)
def test_a_damaged_memory_is_a_fault_and_no_crash(root: Path, damaged: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(damaged))):
        settings_of(root, {"HOME": "/nowhere"}, remembered=damaged)


def test_layers_are_merged_to_any_depth_and_nothing_is_changed() -> None:
    layers = ({"a": {"b": {"c": 1, "d": 2}}, "e": [1]}, {"a": {"b": {"c": 3, "d": None}}, "e": None}, {"a": None})
    before = copy.deepcopy(layers)
    assert merged(*layers) == {"a": {"b": {"c": 3, "d": 2}}, "e": [1]}
    assert layers == before
    assert merged({"a": 1}, {"a": {"b": None}}) == {"a": {}}
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
    assert merged() == {}


def test_an_empty_variable_is_no_setting(root: Path) -> None:
    environ = {"HOME": "/nowhere", "SAMOLOOP_PROVIDER": "", "CLAUDE_MODEL": "", "CLAUDE_TIMEOUT": "", "CLAUDE_PATH": ""}
    assert load(root, environ) == load(root, {"HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/h"}, "/h/.config/samoloop/config.yaml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/samoloop/config.yaml"),
    ],
)
def test_the_person_s_file_is_where_programs_keep_such_files(environ: dict[str, str], expected: str) -> None:
    assert str(user_file(environ)) == expected


def test_the_person_s_state_is_kept_apart_from_the_settings() -> None:
    assert str(state_folder({"HOME": "/h"})) == "/h/.local/state/samoloop"
    assert str(state_folder({"HOME": "/h", "XDG_STATE_HOME": "/x"})) == "/x/samoloop"


# --- environment and the old file -------------------------------------------------------------------------------------


def test_paths_and_timeouts_of_a_cli_come_from_the_environment(root: Path) -> None:
    environ = {"HOME": "/nowhere", "CLAUDE_PATH": "/opt/claude", "CLAUDE_TIMEOUT": "10m", "CODEX_TIMEOUT": "90"}
    found = load(root, environ)
    assert found.provider_settings("claude") == {"path": "/opt/claude"}
    assert found.limits_for("testing", None).total == 600
    assert load(root, environ, {"provider": "codex"}).limits_for("testing", None).total == 90
    assert load(root, environ, {"provider": "demo"}).limits_for("testing", None).total == 1800


@pytest.mark.parametrize("value", ["soon", "0", "-5", "1.5h", "9" * 400])
def test_a_timeout_that_is_none_is_named_by_its_variable(root: Path, value: str) -> None:
    found = problems(root, {}, {"HOME": "/nowhere", "CLAUDE_TIMEOUT": value})
    assert len(found) == 1
    assert found[0].startswith("CLAUDE_TIMEOUT: ")


def test_an_old_file_is_read_where_there_is_no_new_one(root: Path) -> None:
    write(root / ".samocode", f'MAIN_REPO={root}\nSESSIONS = ~/s\n# x\nWORKTREES="/w"\n')
    found = load(root, {"HOME": "/nowhere"})
    assert (found.sessions, found.worktrees_dir) == (Path("~/s"), Path("/w"))
    assert "~" not in str(found.sessions_dir)
    assert found.sources == (root / ".samocode",)
    assert project(root, {}).sessions == Path("_sessions")


def test_an_old_file_says_nothing_that_is_not_followed(root: Path) -> None:
    write(
        root / ".samocode",
        "MAIN_REPO=/p\nSESSIONS_OLD=/n\nnonsense\nWORKTREES=\nSAMOCODE_PROVIDER=codex\nTELEGRAM_BOT_TOKEN=1:secret\n",
    )
    with pytest.raises(ConfigError) as caught:
        load(root, {"HOME": "/nowhere"})
    said = str(caught.value)
    for place, word in {
        "line 1: MAIN_REPO is /p": "go to /p",
        "line 2: SESSIONS_OLD is no setting": "there are MAIN_REPO, SESSIONS and WORKTREES",
        "line 3: nonsense is no setting": ".samoloop.yaml",
        "line 4: WORKTREES says nothing": "give a folder",
        "line 5: SAMOCODE_PROVIDER": "SAMOLOOP_PROVIDER",
        "line 6: TELEGRAM_BOT_TOKEN": "samoloop telegram setup",
    }.items():
        assert any(place in line and word in line for line in said.splitlines()), place
    assert "secret" not in said


def test_an_old_file_above_the_repository_is_its_own_where_it_names_it(tmp_path: Path) -> None:
    root, other = tmp_path / "repo", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    write(tmp_path / ".samocode", f"MAIN_REPO={root}\nWORKTREES=trees/\nSESSIONS={tmp_path}/old/\n")
    found = load(root, {"HOME": "/nowhere"})
    assert (found.sessions_dir, found.worktrees_dir) == (tmp_path / "old", tmp_path / "trees")
    assert found.sources == (tmp_path / ".samocode",)
    assert load(other, {"HOME": "/nowhere"}).sources == ()


def test_what_the_predecessor_read_from_its_environment_is_answered_by_the_new_word(root: Path) -> None:
    write(root / ".env", "SAMOCODE_PROVIDER=codex\n# GIT_BRANCH_PREFIX=me\nexport TELEGRAM_BOT_TOKEN=1:secret\nAPP=1\n")
    environ = {"HOME": "/nowhere", "SAMOCODE_MAX_RETRIES": "9"}
    assert [line.partition(" ")[0] for line in samocode.unread(root, environ)] == ["SAMOCODE_MAX_RETRIES"]
    write(root / ".samocode", f"MAIN_REPO={root}\n")
    said = samocode.unread(root, environ)
    assert [name in line for name, line in zip(("MAX_RETRIES", "SAMOCODE_PROVIDER", "TELEGRAM"), said, strict=True)]
    assert not any("secret" in line or "BRANCH" in line for line in said)


# --- per phase and per provider ---------------------------------------------------------------------------------------


def test_a_phase_may_have_its_own_provider_model_and_time(root: Path) -> None:
    found = project(
        root,
        {
            "provider": "claude",
            "model": "sonnet",
            "fallback": ["codex"],
            "phases": {
                "planning": {"model": "opus", "iteration": "45m", "fallback": []},
                "testing": {"provider": "codex", "model": "gpt-5"},
                "quality": {"provider": "gemini"},
            },
        },
    )
    assert [found.provider_for(name) for name in ("planning", "testing", "done")] == ["claude", "codex", "claude"]
    assert found.model_for("planning", "claude") == "opus"
    assert found.model_for("done", "claude") == "sonnet"
    assert found.model_for("testing", "codex") == "gpt-5"
    assert found.model_for("done", "codex") is None  # a model of one CLI is unknown to another
    assert found.model_for("quality", "gemini") is None
    assert found.candidates("planning") == ("claude",)
    assert found.candidates("testing") == ("codex",)
    assert found.candidates("done") == ("claude", "codex")
    assert found.limits_for("planning", 60).total == 2700
    assert found.limits_for("done", 60).total == 60
    assert found.limits_for("done", None).total == 1800


def test_a_provider_may_have_a_model_of_its_own(root: Path) -> None:
    found = project(root, {"providers": {"codex": {"model": "gpt-5", "args": ["-x"]}}})
    assert found.model_for("done", "codex") == "gpt-5"
    assert found.provider_settings("codex") == {"args": ("-x",)}


def test_whom_to_tell_is_read(root: Path) -> None:
    assert not load(root, {"HOME": "/nowhere"}).outlets.readers
    token = "12345:" + "a" * 30
    assert not load(root, {"HOME": "/nowhere", "TELEGRAM_BOT_TOKEN": token}).outlets.readers  # no chat to tell it to
    both = {"HOME": "/nowhere", "TELEGRAM_BOT_TOKEN": token, "TELEGRAM_CHAT_ID": "77"}
    assert load(root, both).outlets.readers == ("telegram",)
    found = project(root, {"announce": {"command": ["notify"]}})
    assert found.outlets.readers == ("command",)


# --- what cannot be used ----------------------------------------------------------------------------------------------

FAULTS: list[tuple[str, str]] = [
    ("colour: red", "colour: unknown key; known: announce, base, branch_prefix,"),
    ("Provider: claude", "Provider: unknown key"),
    ("provider: 7", "provider: it must be text, got 7"),
    ("provider: ''", "provider: it must be text, got ''"),
    (
        "provider: claud",
        "provider: there is no provider 'claud' (did you mean claude?); there are: claude,",
    ),
    ("model: 4.1", "model: it must be text, got 4.1"),
    ("setup: yes", "setup: it must be text, got True"),
    ("branch_prefix: no", "branch_prefix: it must be text, got False"),
    ("sessions: [a]", "sessions: it must be text, got ['a']"),
    ("effort: huge", "effort: it must be one of low, standard, high, max, got 'huge'"),
    ("permissions: all", "permissions: it must be one of full, edits, got 'all'"),
    ("permissions: [full]", "permissions: it must be one of"),
    ("commit: 'no'", "commit: it must be true or false, got 'no'"),
    ("fallback: codex", "fallback: it must be a list, got 'codex'"),
    ("fallback: [codex, 7]", "fallback: it must be text, got 7"),
    ("fallback: [codx]", "there is no provider 'codx'"),
    ("scrub: AWS_*", "scrub: it must be a list"),
    ("limits: 30m", "limits: it must hold keys and values, got '30m'"),
    (
        "limits: {iterations: 5}",
        "limits.iterations: unknown key (did you mean iteration?); known: first_byte, grace, iteration,",
    ),
    ("limits: {iteration: soon}", "limits.iteration: a duration is 30m, 90s, 2h or whole seconds, got 'soon'"),
    ("limits: {iteration: off}", "limits.iteration: a duration is"),
    ("limits: {iteration: 0}", "limits.iteration: it must be longer than 0 seconds"),
    ("limits: {silence: 0}", "limits.silence: it must be longer than 0 seconds, got 0, or off"),
    ("limits: {silence: true}", "limits.silence: a duration is"),
    ("limits: {terminate: off}", "limits.terminate: a duration is"),
    ("limits: {grace: -1}", "limits.grace: a duration is"),
    ("limits: {grace: 1.5}", "limits.grace: a duration is"),
    ("ceilings: {cost: 0}", "ceilings.cost: it must be an amount in USD above 0, got 0, or off"),
    ("ceilings: {cost: .nan}", "ceilings.cost: it must be an amount in USD above 0, got nan"),
    ("ceilings: {cost: .inf}", "ceilings.cost: it must be an amount"),
    ("ceilings: {cost: '5'}", "ceilings.cost: it must be an amount"),
    ("ceilings: {iterations: 0}", "ceilings.iterations: it must be a whole number from 1, got 0, or off"),
    ("ceilings: {iterations: 1.5}", "ceilings.iterations: it must be a whole number"),
    ("ceilings: {wall: 0}", "ceilings.wall: it must be longer than 0 seconds"),
    ("ceilings: {walls: 1h}", "ceilings.walls: unknown key (did you mean wall?); known: cost, iterations, virtual"),
    ("phases: [planning]", "phases: it must hold keys and values"),
    ("phases: {planning: opus}", "phases.planning: it must hold keys and values, got 'opus'"),
    (
        "phases: {planning: {modell: opus}}",
        "phases.planning.modell: unknown key (did you mean model?); known: ceilings,",
    ),
    ("phases: {planning: {iteration: 0}}", "phases.planning.iteration: it must be longer than 0 seconds"),
    ("phases: {planning: {ceilings: {cost: free}}}", "phases.planning.ceilings.cost: it must be an amount"),
    ("phases: {planning: {provider: claud}}", "there is no provider 'claud'"),
    (
        "phases: {plannign: {model: opus}}",
        "phases.plannign: there is no phase 'plannign' (did you mean planning?); there are: audit,",
    ),
    ("checks: {lint: {phases: [done]}}", "checks.lint: it needs command: pytest -q"),
    ("checks: yes", "checks: it must hold keys and values, got True"),
    (
        "checks: {lint: {command: ruff, phases: [qualty]}}",
        "checks.lint.phases: there is no phase 'qualty' (did you mean quality?); there are: audit,",
    ),
    ("providers: {mine: {prompt: arg}}", "providers.mine: it needs command: [program, argument, ...]"),
    ("providers: {mine: cli}", "providers.mine: it must hold keys and values, got 'cli'"),
    ("providers: {claude: {iteration: soon}}", "providers.claude.iteration: a duration is"),
    ("providers: {claude: {model: 4}}", "providers.claude.model: it must be text, got 4"),
    ("providers: {claude: {path: 3}}", "providers.claude.path: it must be text, got 3"),
    ("providers: {codex: {args: --x}}", "providers.codex.args: it must be a list, got '--x'"),
    ("providers: {gemini: {env: {A: 1}}}", "providers.gemini.env: it must map names to texts (put numbers in quotes)"),
    ("providers: {mini: {modle: x}}", "providers.mini.modle: unknown key (did you mean model?); known: args, env,"),
    ("providers: {demo: {scenario: 3}}", "providers.demo.scenario: it must be text, got 3"),
    ("providers: {demo: {path: x}}", "providers.demo.path: unknown key; known: iteration, scenario"),
    ("providers: {mine: {command: mycli --auto}}", "providers.mine.command: it must be a list, got 'mycli --auto'"),
    ("providers: {mine: {command: []}}", "providers.mine.command: it must be a list of texts, the program first"),
    ("providers: {mine: {command: [a], prompt: fax}}", "providers.mine.prompt: it must be one of stdin, arg, file"),
    ("providers: {mine: {command: [a], output: xml}}", "providers.mine.output: it must be one of text, jsonl"),
    ("providers: {mine: {command: [a], env: [A]}}", "providers.mine.env: it must hold keys and values"),
    ("providers: {mine: {command: [a], pty: true}}", "providers.mine.pty: unknown key"),
    ("providers: {mine: {command: [a], prompt: file}}", "providers.mine: prompt: file needs {prompt_file}"),
    ("announce: {command: notify}", "announce.command: it must be a list, got 'notify'"),
    ("announce: {webhook: ftp://x}", "announce.webhook: it must be an address that begins with http:// or https://"),
    ("models: {claude: opus}", "models: unknown key (did you mean model?)"),
    ('setup: "a\\0b"', "setup: it must not hold a zero byte"),
    ("sessions: .", "sessions: it must be a folder of its own, and"),
    ("sessions: ..", "sessions: it must be a folder of its own, and"),
    ("sessions: /", "sessions: it must be a folder of its own, and / is the project or holds it"),
    ("sessions: a/../.git/b", "sessions: it must be a folder of its own, and"),
    ("sessions: /etc", "sessions: it must be a folder of its own, and /etc is the system's"),
    ("worktrees: /usr/share/x", "worktrees: it must be a folder of its own, and /usr/share/x is the system's"),
    ("worktrees: _sessions", "worktrees: it must be apart from sessions, got"),
    ("worktrees: _sessions/trees", "worktrees: it must be apart from sessions, got"),
    ("sessions: .samoloop/worktrees/s", "worktrees: it must be apart from sessions, got"),
    ("sessions: ~nobody-of-this-name/s", "sessions: there is no such home folder"),
    ("provider: *x", "found undefined alias in line 1, column 11"),
    ("limits: {grace: 2026-99-99}", "a value in it cannot be read"),
    ("announce: {mail: x}", "announce.mail: unknown key; known: command, desktop, quiet,"),
    ("announce: x", "announce: it must hold keys and values"),
    ("keep_awake: 1", "keep_awake: it must be true or false, got 1"),
    ("- provider", "it must hold keys and values, it holds list"),
    ("provider", "it must hold keys and values, it holds str"),
    ("provider: [", "while parsing a flow"),
    ("provider:\n\tclaude", "that cannot start any token"),
    ("provider: claude\nprovider: codex", "the key 'provider' is there twice"),
    ("limits: {grace: 1, silence: 2, grace: 3}", "the key 'grace' is there twice"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_fault_is_named_with_its_key_and_value(root: Path, text: str, message: str) -> None:
    found = problems(root, text)
    assert len(found) == 1
    assert message in found[0]


def test_a_fault_names_the_line_of_its_key(root: Path) -> None:
    text = "# words\nlimits:\n  grace: 5\n  silence: soon\nphases:\n  planning:\n    modell: x\n"
    places = [line.split(": ")[0].rpartition("/")[2] for line in problems(root, text)]
    assert places == [".samoloop.yaml:4", ".samoloop.yaml:7"]


def test_a_fault_names_the_place_that_said_it_last(root: Path, home: Path) -> None:
    environ = own(home, {"limits": {"silence": "soon", "grace": 7}})
    project_file, own_file = problems(root, {"limits": {"grace": "late"}, "provider": "codex"}, environ)
    assert own_file.startswith(f"{user_file(environ)}:3: limits.silence: ")
    assert project_file.startswith(f"{root / '.samoloop.yaml'}:2: limits.grace: ")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"environ": {"SAMOLOOP_PROVIDER": "claud"}}, "SAMOLOOP_PROVIDER: there is no provider 'claud' (did you"),
        ({"environ": {"CODEX_PATH": "  "}}, "CODEX_PATH: it must be text, got '  '"),
        ({"environment": {"provider": "claud"}}, "SAMOLOOP_PROVIDER at the hand-off: there is no provider 'claud'"),
        ({"remembered": {"effort": "huge"}}, "what the session remembers: effort: it must be one of low,"),
        ({"said": {"ceilings": {"wall": "soon"}}}, "--max-time: a duration is 30m,"),
    ],
)
def test_a_fault_outside_of_files_names_where_it_was_said(root: Path, given: dict[str, Any], message: str) -> None:
    environ = {"HOME": "/nowhere", **given.pop("environ", {})}
    with pytest.raises(ConfigError) as error:
        settings_of(root, environ, **given)
    (line,) = str(error.value).splitlines()[1:]
    assert line.removeprefix("  - ").startswith(message)


LONG = "x" * 100_000
BAD_FILES: dict[str, str | bytes] = {
    "a long value": f"provider: [{LONG}]",
    "a long name of a provider": f"provider: {LONG}",
    "a long key": f"{LONG[:900]}: 1",
    "a long number": f"limits: {{grace: {'9' * 4000}}}",
    "a longer number": f"limits: {{grace: {'9' * 5000}}}",
    "a hexadecimal number": f"limits: {{grace: 0x{'f' * 5000}}}",
    "many keys": "".join(f"k{number}: 1\n" for number in range(60_000)),
    "some keys": "".join(f"k{number}: 1\n" for number in range(2_000)),
    "a huge file": f"provider: codex\n# {LONG * 11}",
    "deep brackets": "a: " + "[" * 100_000,
    "deep lines": "".join(f"{' ' * depth}a:\r\n" for depth in range(200)),
    "an alias of itself": "phases: &a {planning: *a}",
    "a bomb": "a: &a [x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)),
    "a bomb of merges": "a0: &a0 {k: 1}\n"
    + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    "no such type": "provider: !!bool maybe",
    "code": "provider: !!python/object/apply:os.system [id]",
    "a zero byte": b"provider: \0",
    "a surrogate": b"provider: \xed\xa0\x80",
    "a list as a key": "? [a]\n: b",
    "two documents": "provider: codex\n---\nmodel: x\n",
    "a binary value": "provider: !!binary aGVsbG8=",
    "a date": "model: 2026-11-29",
    "a set": "fallback: !!set {codex}",
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_input_is_a_short_error_and_never_a_crash(root: Path, content: str | bytes) -> None:
    (root / ".samoloop.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        load(root, {"HOME": "/nowhere"})
    assert ".samoloop.yaml" in str(error.value)
    assert len(str(error.value)) < 8_000


def test_aliases_of_a_usual_size_are_read(root: Path) -> None:
    text = "phases:\n  planning: &big {model: opus}\n  review: {<<: *big, effort: high}\n"
    assert project(root, text).phase("review").model == "opus"


def test_all_faults_of_both_files_and_the_environment_are_shown_at_once(root: Path, home: Path) -> None:
    environ = own(home, {"colour": "red", "limits": {"grace": "x"}}) | {"CODEX_TIMEOUT": "y"}
    found = problems(
        root,
        {
            "provider": 7,
            "limits": {"silence": "z", "speed": 1},
            "phases": {"planning": {"model": 1, "effort": "huge"}, "testing": 3},
            "ceilings": {"cost": -1, "wall": "w"},
            "providers": {"one": {}, "two": {}},
        },
        environ,
    )
    expected = ["colour", "limits.grace", "CODEX_TIMEOUT", "provider: it", "limits.silence", "limits.speed: unknown"]
    expected += ["planning.model", "planning.effort", "testing: it", "cost", "wall", "one: it", "two: it"]
    for word in expected:
        assert [line for line in found if word in line], word
    assert len(found) == len(expected)


def test_a_fault_in_a_file_names_the_file(root: Path, home: Path) -> None:
    environ = own(home, "provider: [")
    found = problems(root, {"colour": "red"}, environ)
    assert found[0].startswith(str(home / ".config" / "samoloop" / "config.yaml"))
    assert found[1].startswith(str(root / ".samoloop.yaml"))


@pytest.mark.parametrize("key", ["telegram", "prices"])
def test_what_is_a_person_s_own_is_refused_in_a_project(root: Path, home: Path, key: str) -> None:
    found = problems(root, {key: {"x": 1}})
    assert len(found) == 1
    assert f".samoloop.yaml:1: {key}: it belongs in" in found[0]
    assert "never in a project's file" in found[0]
    (root / ".samoloop.yaml").unlink()
    assert load(root, own(home, {key: {}}))


def test_a_file_that_is_no_text_is_named(root: Path) -> None:
    (root / ".samoloop.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"\.samoloop\.yaml: it is not UTF-8 text: line 1 "):
        load(root, {"HOME": "/nowhere"})


def test_a_byte_order_mark_is_no_part_of_the_first_key(root: Path) -> None:
    assert project(root, "\ufeffprovider: codex\n").provider == "codex"


def test_a_phase_of_the_project_s_own_may_be_configured(root: Path) -> None:
    write(root / ".samoloop" / "dig.md", "---\nname: dig\n---\nDig.\n")
    assert project(root, {"phases": {"dig": {"model": "x"}}}).phase("dig").model == "x"


def test_a_person_may_configure_phases_of_other_projects(root: Path, home: Path) -> None:
    assert load(root, own(home, {"phases": {"dig": {"model": "x"}}})).phase("dig").model == "x"


def test_the_names_of_the_files_are_the_documented_ones() -> None:
    assert (loading.FILE_NAME, samocode.FILE_NAME) == (".samoloop.yaml", ".samocode")


def test_checks_are_found_unless_some_are_named_or_they_are_off(root: Path) -> None:
    assert load(root, {}).checks == {}
    (root / ".samoloop.yaml").write_text("checks: off\n")
    assert load(root, {}).checks is None
    (root / ".samoloop.yaml").write_text(
        "checks: {tests: {command: pytest, limit: 10m, junit: out.xml, phases: [done]}}\n"
    )
    assert load(root, {}).checks == {"tests": CheckSettings("pytest", ("done",), 600, ("out.xml",))}
