"""Whether a session's person is heard on the phone, asked of nobody but the files."""

from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.files import entries_of
from samoloop.base.places import state_folder
from samoloop.config import telegram_bot
from samoloop.config.bot_folder import BOTS, BotFolder, entry_of
from samoloop.config.loading import load
from samoloop.config.project import user_file


def why_deaf(session_dir: Path, environ: Mapping[str, str]) -> str:
    """Why nobody hears what is done on the phone for a session; empty where somebody does, or it has no phone."""
    bots = (Path(entry) for entry in entries_of(state_folder(environ) / BOTS))
    if not any(entry_of(bot, session_dir).exists() for bot in bots):
        return ""
    try:
        found, _ = telegram_bot.parse(load(user_file(environ).parent, environ).telegram, environ)
        return BotFolder(found, environ).why_deaf() if found else ""
    except (SamoloopError, OSError) as error:
        return f"nobody listens on Telegram: {sentence(error)}"
