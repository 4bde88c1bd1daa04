"""Which MCP servers children have: a person lets them in by name, and a project's file lets in no more than allowed."""

import json
from pathlib import Path

import pytest
import yaml

from samoloop.base.errors import ConfigError
from samoloop.config import mcp
from samoloop.config.loading import load
from samoloop.config.mcp import McpServer

MAIL = {"command": ["mail-mcp"], "env": {"TOKEN": "${MAIL_TOKEN}"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def settings(root: Path, person: dict[str, object], project: dict[str, object]):
    home = root.parent / "home"
    (home / ".config" / "samoloop").mkdir(parents=True, exist_ok=True)
    (home / ".config" / "samoloop" / "config.yaml").write_text(yaml.safe_dump(person))
    (root / ".samoloop.yaml").write_text(yaml.safe_dump(project))
    return load(root, {"HOME": str(home)})


def servers(**more: object) -> dict[str, object]:
    return {"mcp_servers": {"mail": {**MAIL, **more}}}


def test_a_person_lets_in_by_name_and_a_project_takes_away(root: Path):
    person = {**servers(), "mcp": ["mail"], "phases": {"testing": {"mcp": []}}}
    assert settings(root, person, {}).mcp_for("planning") == ("mail",)
    assert settings(root, person, {}).mcp_for("testing") == ()
    narrowed = settings(root, person, {"mcp": [], "phases": {"planning": {"mcp": ["mail"]}}})
    assert narrowed.mcp_for("quality") == ()
    assert narrowed.mcp_for("planning") == ("mail",)
    assert settings(root, servers(), {}).mcp_for("planning") == ()


@pytest.mark.parametrize(("projects", "allowed"), [("any", True), (["."], True), (["~"], False), (None, False)])
def test_a_project_names_a_server_only_where_its_person_allows_it(root: Path, projects, allowed):
    said = [str(root)] if projects == ["."] else projects
    person = servers(**{"projects": said} if said else {})
    if allowed:
        assert settings(root, person, {"mcp": ["mail"]}).mcp == ("mail",)
        return
    with pytest.raises(ConfigError, match=r"yaml:1: mcp: a project's file may not let in mail, unless .* says so"):
        settings(root, person, {"mcp": ["mail"]})
    with pytest.raises(ConfigError, match=r"phases\.testing\.mcp: a project's file may not let in mail"):
        settings(root, person, {"phases": {"testing": {"mcp": ["mail"]}}})


@pytest.mark.parametrize(
    ("person", "project", "words"),
    [
        (servers(), {"mcp": ["mial"]}, r"there is no MCP server 'mial' \(did you mean mail\?\)"),
        ({}, {"mcp_servers": {"mail": MAIL}}, r"mcp_servers: it belongs in .*, never in a project's file"),
        ({"mcp_servers": {"project": MAIL}}, {}, "project means those of the repository"),
        ({"mcp_servers": {"a b": MAIL}}, {}, "cannot be called so: use letters, digits and -"),
        ({"mcp_servers": {"mail": {}}}, {}, "it needs command"),
        ({"mcp_servers": {"mail": {"command": ["x"], "env": {"A B": "1"}}}}, {}, "'A B' is no name of a variable"),
        ({}, {"mcp": "project"}, "it must be a list"),
    ],
)
def test_what_cannot_be_used_is_said(root: Path, person, project, words):
    with pytest.raises(ConfigError, match=words):
        settings(root, person, project)


def test_the_repositorys_own_are_let_in_together_and_ones_own_come_first(root: Path):
    described = {"mail": {"command": "theirs"}, "docs": {"command": "npx", "args": ["docs", "${PORT:-80}"]}}
    (root / ".mcp.json").write_text(json.dumps({"mcpServers": described}))
    own = {"mail": McpServer(("mail-mcp",), {"TOKEN": "${MAIL_TOKEN}"})}
    assert mcp.let_in(["project", "mail"], own, root, {"MAIL_TOKEN": "t"}) == {
        "mail": McpServer(("mail-mcp",), {"TOKEN": "t"}),
        "docs": McpServer(("npx", "docs", "80"), {}, own=False),
    }


def test_a_variable_that_a_child_has_not_is_said(root: Path):
    with pytest.raises(ConfigError, match=r"the MCP server mail needs the variable MAIL_TOKEN"):
        mcp.let_in(["mail"], {"mail": McpServer(("mail-mcp", "${MAIL_TOKEN}"))}, root, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"there are no mcpServers in .*\.mcp\.json; take project out"),
        ("{", "cannot be used: "),
        ('{"mcpServers": []}', "cannot be used: "),
        ('{"mcpServers": {"x": 1}}', "cannot be used: "),
        ('{"mcpServers": {"a/b": {"command": "x"}}}', "a server cannot be called 'a/b'"),
        ('{"mcpServers": {"x": {"url": "https://example.org"}}}', r"x has no command; .*npx mcp-remote"),
    ],
)
def test_a_repositorys_file_that_cannot_be_used_is_said(root: Path, text, words):
    (root / ".mcp.json").write_text(text)
    with pytest.raises(ConfigError, match=words):
        mcp.let_in(["project"], {}, root, {})
