"""What a scripted model sees and what it may answer, whichever API it is asked through."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tool:
    """A tool that the CLI declared in its request."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)  # JSON Schema of the arguments; empty: not declared


@dataclass(frozen=True)
class Conversation:
    """One request, read."""

    dialect: str  # anthropic, responses, chat, gemini
    model: str
    system: str  # system, developer and instruction texts, joined
    prompt: str  # all that the user role said, joined
    results: Sequence[str]  # what the tool calls so far returned, oldest first
    tools: Sequence[Tool]
    stream: bool = True

    @property
    def shell(self) -> Tool | None:
        """The tool that runs a shell command, by the name each CLI gives it; None where none is declared."""
        named = {tool.name.lower(): tool for tool in self.tools}
        return next((named[name] for name in SHELL_TOOLS if name in named), None)


# claude: Bash, opencode and mini: bash, codex: exec_command (shell_command, shell in other models), gemini.
SHELL_TOOLS = ("bash", "exec_command", "shell_command", "shell", "local_shell", "run_shell_command")


@dataclass(frozen=True)
class Say:
    """The model speaks and, in every CLI, thereby ends its run."""

    text: str


@dataclass(frozen=True)
class Shell:
    """The model wants one shell command to be run."""

    command: str


@dataclass(frozen=True)
class Call:
    """The model wants a tool by its own name, for what a shell command cannot show (a denied file tool)."""

    name: str
    arguments: Mapping[str, object]
    namespace: str = ""  # of tools that codex does not declare before the model has searched for them


Turn = Say | Shell | Call
Script = Callable[[Conversation], Turn]


def listed(turns: Sequence[Turn]) -> Script:
    """A script that plays `turns` in order and ends with a word when they are used up.

    The place is told by the number of tool results in the conversation, so a request that a CLI repeats gets the same
    answer again.
    """

    def script(conversation: Conversation) -> Turn:
        done = len(conversation.results)
        return turns[done] if done < len(turns) else Say("Done.")

    return script


def arguments(tool: Tool, command: str) -> dict[str, object]:
    """The arguments with which this shell tool runs `command`, by the parameters that it declares."""
    properties = tool.parameters.get("properties")
    known = properties if isinstance(properties, dict) else {}
    if "cmd" in known:
        return {"cmd": command}
    if isinstance(known.get("command"), dict) and known["command"].get("type") == "array":
        return {"command": ["bash", "-lc", command]}
    answer: dict[str, object] = {"command": command}
    if "description" in known:
        answer["description"] = "Run one step"
    return answer
