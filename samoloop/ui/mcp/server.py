"""The tools, served over standard input and output by the official MCP package, which nobody else imports."""

from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

from samoloop import __version__
from samoloop.base import errors
from samoloop.base.errors import SamoloopError
from samoloop.ui.cli import failures
from samoloop.ui.mcp.tools import INSTRUCTIONS, Desk


def serve(desk: Desk) -> None:
    """Until the program at the other end closes standard input."""
    anyio.run(_serve, desk)


async def _serve(desk: Desk) -> None:
    async def list_tools(context: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[_described(tool) for tool in desk.tools])

    async def call_tool(context: Any, params: Any) -> CallToolResult:
        act = partial(_answer, desk, params.name, params.arguments or {})
        words, failed = await to_thread.run_sync(act, abandon_on_cancel=True)
        return CallToolResult(content=[TextContent(type="text", text=words)], is_error=failed)

    server: Any = Server(
        "samoloop",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        desk.over.set()


def _described(tool: Any) -> Tool:
    hints = ToolAnnotations(read_only_hint=tool.looks, destructive_hint=False, open_world_hint=not tool.looks)
    return Tool(name=tool.name, description=tool.what, input_schema=tool.schema, annotations=hints)


def _answer(desk: Desk, name: str, given: dict[str, Any]) -> tuple[str, bool]:
    """What a tool says, or the sentence for what went wrong, and whether it did."""
    try:
        return desk.call(name, given), False
    except (SamoloopError, OSError) as error:
        return errors.sentence(error), True
    except Exception as error:
        return failures.keep(error), True
