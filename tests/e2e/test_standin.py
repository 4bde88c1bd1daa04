"""The stand-in itself, asked over HTTP as a CLI asks it; what only a CLI can show is in test_clis.py."""

import http.client
import json
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from standin import Conversation, Fault, Kind, Say, Shell, Standin, Tool, listed
from standin.session import session

SCRIPT = listed([Shell("echo hello"), Say("Done.")])
PARAMETERS = {"type": "object", "properties": {"command": {"type": "string"}}}

# The same conversation in the four dialects: a system text, a prompt, one call with its result.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        {
            "model": "m",
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": "Say hello."},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "Bash", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "hello"}]},
            ],
            "tools": [{"name": "Bash", "input_schema": PARAMETERS}],
        },
    ),
    "responses": (
        "/v1/responses",
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say hello."}]},
                {"type": "function_call", "call_id": "1", "name": "shell", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": "hello"},
            ],
            "tools": [{"type": "function", "name": "shell", "parameters": PARAMETERS}],
        },
    ),
    "chat": (
        "/v1/chat/completions",
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Say hello."}]},
                {"role": "assistant", "content": None, "tool_calls": []},
                {"role": "tool", "tool_call_id": "1", "content": "hello"},
            ],
            "tools": [{"type": "function", "function": {"name": "bash", "parameters": PARAMETERS}}],
        },
    ),
    "gemini": (
        "/v1beta/models/m:generateContent",
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Say hello."}]},
                {"role": "model", "parts": [{"functionCall": {"name": "run_shell_command", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"response": {"output": "hello"}}}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "run_shell_command", "parameters": PARAMETERS}]}],
        },
    ),
}


def post(url: str, path: str, body: Mapping[str, Any]) -> tuple[int, http.client.HTTPMessage, str]:
    """Status, headers and text of the answer."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)) as connection:
        connection.request("POST", path, json.dumps(body), {"authorization": "Bearer k", "connection": "close"})
        with connection.getresponse() as answer:
            return answer.status, answer.headers, answer.read().decode()


@pytest.mark.parametrize("dialect", REQUESTS)
def test_every_dialect_reads_the_same_conversation(dialect: str) -> None:
    path, body = REQUESTS[dialect]
    with Standin(SCRIPT) as model:
        status, _headers, text = post(model.url, path, body)
    asked = model.asked[0]
    assert (asked.key, asked.conversation.dialect) == ("k", dialect)
    seen = asked.conversation
    assert (seen.model, seen.system, seen.prompt, list(seen.results)) == ("m", "Be brief.", "Say hello.", ["hello"])
    assert seen.shell == Tool(seen.tools[0].name, PARAMETERS)
    assert status == 200
    assert "Done." in text


@pytest.mark.parametrize("dialect", REQUESTS)
def test_a_reply_without_tools_declared_is_words(dialect: str) -> None:
    path, body = REQUESTS[dialect]
    with Standin(listed([Shell("rm -rf /")])) as model:
        _status, _headers, text = post(model.url, path, {**body, "tools": []})
    assert "rm -rf" not in text


def test_a_fault_hits_the_calls_that_it_names_and_no_other() -> None:
    path, body = REQUESTS["chat"]
    with Standin(SCRIPT, Fault(Kind.RATE_LIMIT, after=1, times=2, retry_after=7)) as model:
        answers = [post(model.url, path, body) for _ in range(4)]
    assert [status for status, _headers, _text in answers] == [200, 429, 429, 200]
    assert answers[1][1]["retry-after"] == "7"
    assert [asked.fault for asked in model.asked] == [None, Kind.RATE_LIMIT, Kind.RATE_LIMIT, None]


def test_a_cut_stream_ends_within_a_reply() -> None:
    path, body = REQUESTS["anthropic"]
    with (
        Standin(SCRIPT, Fault(Kind.CUT)) as model,
        pytest.raises(http.client.IncompleteRead),
    ):
        post(model.url, path, {**body, "stream": True})


PROMPT = """Read `_overview.md` first. Do one action of phase `{phase}`.

Documents go there as `11-21-0930-<kind>-<slug>.md`. One JSON object in `_signal.json` there.

- Session folder: `{folder}`
- Workflow `feature`, phase `{phase}`, iteration 7; 1 of at most 20 in this phase
"""


def play(phase: str, folder: Path, worktree: Path) -> list[str]:
    """Play one iteration of the session script with `sh` as the CLI; the outputs of its commands."""
    results: list[str] = []
    for _ in range(10):
        told = PROMPT.format(phase=phase, folder=folder)
        turn = session(Conversation("chat", "m", "", told, results, [Tool("bash")]))
        if isinstance(turn, Say):
            return results
        assert isinstance(turn, Shell)
        done = subprocess.run(["sh", "-c", turn.command], cwd=worktree, capture_output=True, text=True, check=False)
        results.append(done.stdout + done.stderr)
    raise AssertionError("the script never ends")


def test_the_session_script_asks_first_and_writes_requirements_when_answered(tmp_path: Path) -> None:
    folder = tmp_path / "Ada's session"
    folder.mkdir()
    (folder / "_overview.md").write_text("## Status\nLast Action: none\nNext: none\n\n## Flow Log\n\n## Files\n")
    play("requirements", folder, tmp_path)
    signal = json.loads((folder / "_signal.json").read_text())
    assert signal == {"status": "waiting", "phase": "requirements", "for": "qa_answers"}
    asked = (folder / "_qa.md").read_text()
    assert "**Answer:** _waiting_" in asked

    (folder / "_qa.md").write_text(asked.replace("_waiting_", "A"))
    play("requirements", folder, tmp_path)
    assert json.loads((folder / "_signal.json").read_text())["status"] == "continue"
    assert (folder / "11-21-0930-requirements-farewell.md").exists()
    assert "- 007 requirements: wrote the requirements" in (folder / "_overview.md").read_text()


def test_the_session_script_does_nothing_for_a_prompt_without_facts() -> None:
    turn = session(Conversation("chat", "m", "", "Add a function.", [], [Tool("bash")]))
    assert isinstance(turn, Say)
