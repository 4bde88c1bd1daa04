"""A model stand-in on loopback: speaks the APIs of the child CLIs and plays scripted turns. See README.md here."""

from .faults import Fault, Kind
from .server import Asked, Standin
from .turns import Call, Conversation, Say, Script, Shell, Tool, Turn, listed

__all__ = [
    "Asked",
    "Call",
    "Conversation",
    "Fault",
    "Kind",
    "Say",
    "Script",
    "Shell",
    "Standin",
    "Tool",
    "Turn",
    "listed",
]
