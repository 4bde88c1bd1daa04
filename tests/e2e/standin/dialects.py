"""The four APIs, reduced to what the CLIs need: read a request, write a turn as a stream or as one object.

Each dialect has three functions: `read_*` makes a Conversation of a request body, `whole_*` makes the reply object,
`stream_*` the server-sent events of the same reply.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .turns import Call, Conversation, Say, Tool

Reply = Say | Call  # a Shell has become a Call of the CLI's own tool by now
Json = dict[str, Any]

INPUT_TOKENS = 1200  # the same in every reply, so that a test can tell sums
OUTPUT_TOKENS = 40


def event(data: Json | str, name: str | None = None) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


def texts(content: object, joint: str = "\n") -> str:
    """The text in a content field: a string, a block, or a list of blocks."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return joint.join(part for part in (texts(item, joint) for item in content) if part)
    if isinstance(content, Mapping):
        return texts(content.get("text") or content.get("content") or "", joint)
    return ""


def joined(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:24]}"


# --- Anthropic Messages


def read_anthropic(body: Json, _path: str) -> Conversation:
    prompt, results = [], []
    for message in body.get("messages", []):
        if message["role"] != "user":
            continue
        blocks = message["content"]
        for block in [blocks] if isinstance(blocks, str) else blocks:
            if isinstance(block, Mapping) and block.get("type") == "tool_result":
                results.append(texts(block.get("content")))
            else:
                prompt.append(texts(block))
    tools = [Tool(tool["name"], tool.get("input_schema", {})) for tool in body.get("tools", [])]
    system = texts(body.get("system"))
    return Conversation("anthropic", body["model"], system, joined(prompt), results, tools, bool(body.get("stream")))


def whole_anthropic(conversation: Conversation, reply: Reply) -> Json:
    if isinstance(reply, Say):
        block: Json = {"type": "text", "text": reply.text}
    else:
        block = {"type": "tool_use", "id": new_id("toolu"), "name": reply.name, "input": dict(reply.arguments)}
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "content": [block],
        "stop_reason": "end_turn" if isinstance(reply, Say) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def stream_anthropic(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    message = whole_anthropic(conversation, reply)
    (block,) = message["content"]
    start = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}
    if block["type"] == "text":
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    for data in (
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ):
        yield event(data, str(data["type"]))


# --- OpenAI Responses


def read_responses(body: Json, _path: str) -> Conversation:
    system, prompt, results = [texts(body.get("instructions"))], [], []
    items = body.get("input", [])
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] in ("developer", "system"):
            system.append(texts(item["content"]))
        elif kind == "message" and item["role"] == "user":
            prompt.append(texts(item["content"]))
        elif kind.endswith("_call_output"):
            results.append(texts(item.get("output")))
    tools = [
        Tool(tool.get("name", tool["type"]), tool.get("parameters", {}))
        for tool in body.get("tools", [])
        if tool.get("type") in ("function", "local_shell")
    ]
    stream = bool(body.get("stream"))
    return Conversation("responses", body["model"], joined(system), joined(prompt), results, tools, stream)


def whole_responses(conversation: Conversation, reply: Reply) -> Json:
    if isinstance(reply, Say):
        item: Json = {
            "type": "message",
            "id": new_id("msg"),
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
        }
    else:
        item = {
            "type": "function_call",
            "id": new_id("fc"),
            "call_id": new_id("call"),
            "name": reply.name,
            "arguments": json.dumps(dict(reply.arguments)),
            "status": "completed",
        }
        if reply.namespace:
            item["namespace"] = reply.namespace
    return {
        "id": new_id("resp"),
        "object": "response",
        "model": conversation.model,
        "status": "completed",
        "output": [item],
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": OUTPUT_TOKENS,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }


def stream_responses(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    response = whole_responses(conversation, reply)
    (item,) = response["output"]
    created = {**response, "status": "in_progress", "output": [], "usage": None}
    for data in (
        {"type": "response.created", "response": created},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ):
        yield event(data, str(data["type"]))


# --- OpenAI Chat Completions


def read_chat(body: Json, _path: str) -> Conversation:
    said: dict[str, list[str]] = {"system": [], "developer": [], "user": [], "tool": [], "assistant": []}
    for message in body.get("messages", []):
        said[message["role"]].append(texts(message.get("content")))
    results = [_output(result) for result in said["tool"]]
    tools = [
        Tool(tool["function"]["name"], tool["function"].get("parameters", {}))
        for tool in body.get("tools") or []
        if tool.get("type") == "function"
    ]
    system, prompt = joined(said["system"] + said["developer"]), joined(said["user"])
    return Conversation("chat", body["model"], system, prompt, results, tools, bool(body.get("stream")))


def _output(result: str) -> str:
    """What a command printed; mini wraps it into a JSON object with the exit code."""
    try:
        value = json.loads(result)
    except ValueError:
        return result
    return str(value["output"]) if isinstance(value, dict) and "output" in value else result


def _message_chat(reply: Reply) -> Json:
    if isinstance(reply, Say):
        return {"role": "assistant", "content": reply.text}
    function = {"name": reply.name, "arguments": json.dumps(dict(reply.arguments))}
    call = {"index": 0, "id": new_id("call"), "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _usage_chat() -> Json:
    total = INPUT_TOKENS + OUTPUT_TOKENS
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": total}


def _finish_chat(reply: Reply) -> str:
    return "stop" if isinstance(reply, Say) else "tool_calls"


def whole_chat(conversation: Conversation, reply: Reply) -> Json:
    choice = {"index": 0, "message": _message_chat(reply), "finish_reason": _finish_chat(reply)}
    head = {"id": new_id("chatcmpl"), "object": "chat.completion", "created": 0, "model": conversation.model}
    return {**head, "choices": [choice], "usage": _usage_chat()}


def stream_chat(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    head = {"id": new_id("chatcmpl"), "object": "chat.completion.chunk", "created": 0, "model": conversation.model}
    yield event({**head, "choices": [{"index": 0, "delta": _message_chat(reply), "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": _finish_chat(reply)}
    yield event({**head, "choices": [end], "usage": _usage_chat()})
    yield event("[DONE]")


# --- Gemini


def read_gemini(body: Json, path: str) -> Conversation:
    prompt, results = [], []
    for content in body.get("contents", []):
        for part in content.get("parts", []):
            if "functionResponse" in part:
                response = part["functionResponse"].get("response", {})
                results.append(str(response.get("output") or response.get("error") or response))
            elif content.get("role") == "user":
                prompt.append(texts(part))
    tools = [
        Tool(tool["name"], tool.get("parametersJsonSchema") or tool.get("parameters") or {})
        for group in body.get("tools", [])
        for tool in group.get("functionDeclarations", [])
    ]
    model = path.rsplit("/", 1)[-1].split(":")[0]
    system = texts(body.get("systemInstruction", {}).get("parts"))
    return Conversation("gemini", model, system, joined(prompt), results, tools, "streamGenerate" in path)


def whole_gemini(conversation: Conversation, reply: Reply) -> Json:
    if isinstance(reply, Say):
        part: Json = {"text": reply.text}
    else:
        part = {"functionCall": {"name": reply.name, "args": dict(reply.arguments)}}
    return {
        "candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": conversation.model,
    }


def stream_gemini(conversation: Conversation, reply: Reply) -> Iterator[bytes]:
    yield event(whole_gemini(conversation, reply))


READ = {"anthropic": read_anthropic, "responses": read_responses, "chat": read_chat, "gemini": read_gemini}
WHOLE = {"anthropic": whole_anthropic, "responses": whole_responses, "chat": whole_chat, "gemini": whole_gemini}
STREAM = {"anthropic": stream_anthropic, "responses": stream_responses, "chat": stream_chat, "gemini": stream_gemini}
