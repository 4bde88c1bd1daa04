"""`samoloop relay`: Telegram for all sessions of this machine."""

import logging
import os
import time
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

import click

from samoloop.base.errors import ConfigError, LockHeld
from samoloop.base.printable import printable
from samoloop.config.loading import load
from samoloop.config.project import user_file
from samoloop.ui.cli.common import for_people_only
from samoloop.ui.terminal.output import say

if TYPE_CHECKING:
    from samoloop.config.telegram_bot import BotSettings

IDLE_SECONDS = 300.0
LOG_BYTES = 500_000
RETAKE_SECONDS = 5.0


@click.command("relay")
@click.option("--detached", is_flag=True, hidden=True, help="Started by a worker: end when no session needs it.")
@click.option("--lock", type=int, hidden=True, help="The descriptor of the lock that the worker took for it.")
@click.option("--idle", type=float, default=IDLE_SECONDS, hidden=True, help="How long nothing may need it, in seconds.")
def relay(detached: bool, lock: int | None, idle: float) -> None:
    """Listen on Telegram for all sessions of this machine, and start workers for what you send; until Ctrl-C.

    \b
    samoloop relay
    """
    from samoloop.base.locks import Lock
    from samoloop.children.processes import hide_environment
    from samoloop.config import telegram_bot
    from samoloop.config.bot_folder import BotFolder
    from samoloop.config.keys import SECRETS

    if lock is None:  # a worker starts it with its lock
        for_people_only()
    found, problems = telegram_bot.parse(load(user_file(os.environ).parent, os.environ).telegram, os.environ)
    if found is None:
        raise ConfigError("\n".join(problems) or "Telegram is not configured: samoloop telegram setup")
    hide_environment(SECRETS)
    if not detached:
        _keep_a_log(logging.StreamHandler())
        _listen_for_a_person(found)
        say(
            "Nobody listens on Telegram now: what you send there is kept by Telegram for a day, until a session has "
            "something to say or the next `samoloop relay`."
        )
        return
    folder = BotFolder(found, os.environ)
    own = f"{os.getpid()}\n"
    try:
        held = Lock.take(folder.relay_lock, 0, own) if lock is None else Lock.inherit(folder.relay_lock, lock, own)
    except LockHeld:
        return  # another one listens already
    with held:
        from samoloop.ui.telegram.relay import listen

        _keep_a_log(RotatingFileHandler(folder.log, maxBytes=LOG_BYTES, backupCount=1))
        listen(found, folder, os.environ, held, idle_seconds=idle)


def _listen_for_a_person(found: "BotSettings") -> None:
    """Until Ctrl-C; anew where somebody has removed the state folder and the lock in it."""
    from samoloop.config.bot_folder import BotFolder

    has_begun, goes_on = False, True
    while goes_on:
        try:
            folder = BotFolder(found, os.environ)
            with folder.foreground() as lock:
                from samoloop.ui.telegram.relay import listen

                if not has_begun:
                    say("Listening on Telegram; Ctrl-C ends it, sessions go on.")
                has_begun = True
                goes_on = listen(found, folder, os.environ, lock)
        except (OSError, LockHeld) as error:
            if not has_begun:
                raise
            logging.getLogger(__name__).warning("Telegram: %s; trying again until it works", error)
            time.sleep(RETAKE_SECONDS)


class _Form(logging.Formatter):
    """Lines that only show, whoever's words are in them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _keep_a_log(handler: logging.Handler) -> None:
    handler.setFormatter(_Form("%(asctime)s %(message)s", "%d %b %H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
