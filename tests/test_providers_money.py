"""How a provider tells a subscription from a key; what cannot be told is money."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from provider_runs import lines, only, play, request

from samoloop.core.events import Usage
from samoloop.providers import get
from samoloop.providers.claude import ClaudeReader

OAUTH = {".claude/.credentials.json": {"claudeAiOauth": {"accessToken": "sk-ant-oat01-x", "subscriptionType": "max"}}}
TOKENS = {"access_token": "a", "refresh_token": "r"}


def chatgpt(mode: str | None, key: str | None, tokens: Mapping[str, str] | None = TOKENS) -> dict[str, Any]:
    known = {"OPENAI_API_KEY": key, "tokens": tokens}
    return {".codex/auth.json": known if mode is None else {"auth_mode": mode, **known}}


def google(kind: str) -> dict[str, Any]:
    return {".gemini/settings.json": {"security": {"auth": {"selectedType": kind}}}}


@pytest.mark.parametrize(
    ("cli", "files", "env", "virtual"),
    [
        ("claude", OAUTH, {}, True),
        ("claude", {}, {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x"}, True),
        ("claude", OAUTH, {"ANTHROPIC_API_KEY": "sk-ant-x"}, False),
        ("claude", OAUTH, {"CLAUDE_CODE_USE_BEDROCK": "1"}, False),
        ("claude", {".claude/.credentials.json": {"mcpOAuth": {}}}, {}, False),
        ("claude", {}, {}, False),
        ("codex", chatgpt("chatgpt", None), {}, True),
        ("codex", chatgpt(None, None), {}, True),  # as older versions wrote it
        ("codex", chatgpt(None, "sk-x"), {}, False),
        ("codex", chatgpt("apikey", "sk-x", None), {}, False),
        ("codex", chatgpt("chatgpt", None), {"CODEX_API_KEY": "sk-x"}, False),
        ("codex", {}, {}, False),
        ("gemini", google("oauth-personal"), {}, True),
        ("gemini", google("gemini-api-key"), {}, False),
        ("gemini", {}, {"GEMINI_API_KEY": "x"}, False),
        ("gemini", {}, {}, False),
    ],
)
def test_the_login_tells_whether_a_cost_is_virtual(
    tmp_path: Path, cli: str, files: Mapping[str, Any], env: Mapping[str, str], virtual: bool
):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps(content))
    asked = request(tmp_path, environ={"HOME": str(tmp_path), **env})
    run = "subscription" if (cli, virtual) == ("claude", True) else "success"
    events = play(get(cli, {}, {}).reader(asked), lines(cli, run), 0)
    assert [usage.virtual for usage in only(events, Usage)] == ([True, True] if virtual else [False])


def test_another_endpoint_is_money(tmp_path: Path):
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "auth.json").write_text(json.dumps(chatgpt("chatgpt", None)[".codex/auth.json"]))
    codex = get("codex", {"args": ["-c", "model_provider=mine"]}, {})
    events = play(codex.reader(request(tmp_path, environ={"HOME": str(tmp_path)})), lines("codex", "success"))
    assert [usage.virtual for usage in only(events, Usage)] == [False]


def test_claudes_own_word_on_its_login_counts_more_than_a_file():
    told = play(ClaudeReader(), lines("claude", "subscription"), 0)  # its login is in a keychain
    assert only(told, Usage)[-1].virtual
    keyed = play(ClaudeReader(subscription=True), lines("claude", "success"), 0)  # a key of the project's settings
    assert not only(keyed, Usage)[-1].virtual


def test_what_goes_beyond_the_subscription_is_money():
    recorded = [
        line.replace(b'"isUsingOverage":false', b'"isUsingOverage":true') for line in lines("claude", "subscription")
    ]
    assert not only(play(ClaudeReader(subscription=True), recorded, 0), Usage)[-1].virtual
