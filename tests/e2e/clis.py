"""The five child CLIs as a person with an endpoint and a key of their own would set them up."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = "sk-fake-0123456789"


@dataclass(frozen=True)
class Setup:
    """What a CLI needs to find the endpoint at a URL."""

    environ: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # path below the home folder, to text
    settings: Mapping[str, Any] = field(default_factory=dict)  # for `providers: {NAME: ...}` in .samoloop.yaml

    def install(self, home: Path) -> None:
        """Write the files into a home folder."""
        for name, text in self.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


@dataclass(frozen=True)
class Cli:
    """One child CLI."""

    name: str
    model: str  # one that the CLI takes
    dialect: str  # of the requests that it makes
    package: str  # what to install
    setup: Callable[[str], Setup]  # URL of the endpoint, to the set-up


def claude(url: str) -> Setup:
    return Setup({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url})


def claude_subscription(url: str) -> Setup:
    """The same with the token of a subscription: only then does claude read the headers of a usage limit."""
    return Setup({"CLAUDE_CODE_OAUTH_TOKEN": KEY, "ANTHROPIC_BASE_URL": url})


def codex(url: str) -> Setup:
    """An endpoint of the person's own is a model provider in codex; its user file is not read by a child."""
    values = {"name": "stub", "base_url": f"{url}/v1", "env_key": "STUB_KEY", "wire_api": "responses"}
    table = ",".join(f'{key}="{value}"' for key, value in values.items())
    retries = "request_max_retries=1,stream_max_retries=1"
    args = ["-c", 'model_provider="stub"', "-c", f"model_providers.stub={{{table},{retries}}}"]
    return Setup({"STUB_KEY": KEY}, settings={"args": args})


def gemini(url: str) -> Setup:
    login = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    return Setup(
        {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": url},
        {".gemini/settings.json": json.dumps(login)},
    )


def opencode(url: str) -> Setup:
    """An endpoint of the person's own; their opencode.json is not read by a child."""
    stub = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
        "models": {"m1": {"limit": {"context": 200_000, "output": 8_192}, "cost": {"input": 3, "output": 15}}},
    }
    config = {"provider": {"stub": stub}, "model": "stub/m1", "small_model": "stub/m1"}
    return Setup(settings={"env": {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}})


def mini(url: str) -> Setup:
    return Setup({"OPENAI_API_KEY": KEY, "OPENAI_API_BASE": f"{url}/v1"})


CLIS = {
    cli.name: cli
    for cli in (
        Cli("claude", "claude-sonnet-4-5", "anthropic", "@anthropic-ai/claude-code", claude),
        Cli("codex", "gpt-5.5", "responses", "@openai/codex", codex),
        Cli("gemini", "gemini-2.5-pro", "gemini", "@google/gemini-cli", gemini),
        Cli("opencode", "stub/m1", "chat", "opencode-ai", opencode),
        Cli("mini", "openai/m1", "chat", "mini-swe-agent", mini),
    )
}
