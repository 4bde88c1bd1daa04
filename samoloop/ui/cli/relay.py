"""`samoloop relay`: Telegram for many sessions, without a worker of its own."""

import logging
import os
import signal
import threading

import click

from samoloop.config.loading import load
from samoloop.config.project import user_file


@click.command("relay")
def relay() -> None:
    """Listen on Telegram for all sessions of this machine, and start workers for what you send; until Ctrl-C.

    \b
    samoloop relay
    """
    from samoloop.base.errors import ConfigError
    from samoloop.config import telegram_bot
    from samoloop.ui.telegram.member import Member, dedicated

    found, problems = telegram_bot.parse(load(user_file(os.environ).parent, os.environ).telegram, os.environ)
    if found is None:
        raise ConfigError("\n".join(problems) or "Telegram is not configured: samoloop telegram setup")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with dedicated(found, os.environ):
        member = Member(found, os.environ, dedicated=True)
        member.start()
        click.echo("Listening on Telegram; Ctrl-C ends it, sessions go on.")
        stopped.wait()
        click.echo(member.close() or "Another samoloop listens from now on.")
