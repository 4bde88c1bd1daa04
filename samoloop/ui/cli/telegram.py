"""`samoloop telegram setup` and `samoloop telegram test`."""

import os

import click

from samoloop.config.loading import load
from samoloop.config.project import user_file
from samoloop.ui.cli.common import for_people_only
from samoloop.ui.terminal.output import ask, confirm, say


@click.group("telegram")
def telegram() -> None:
    """Answer questions and approve plans from a phone."""


@telegram.command("setup")
@click.option("--base-url", hidden=True, default=None, help="Another Bot API server; ends in /bot.")
def setup(base_url: str | None) -> None:
    """Connect a bot: its token, your chat, a test question; then it is remembered in your own settings (mode 600).

    \b
    samoloop telegram setup
    """
    from samoloop.config import telegram_bot
    from samoloop.ui.telegram import setup as steps

    for_people_only()
    token = os.environ.get("TELEGRAM_BOT_TOKEN") or _asked_token()
    found, path = steps.connect(token.strip(), base_url or telegram_bot.PUBLIC_API, os.environ, say, confirm)
    if found.chat < 0:
        say(f"To let others of the group act, add their numbers to telegram.users in {path}.")


def _asked_token() -> str:
    say("In Telegram, open a chat with @BotFather, send /newbot and choose two names for your bot.")
    say("It answers with a token such as 123456789:AAH...; whoever has it is the bot, so keep it to yourself.")
    return ask("Bot token (is not shown)", hidden=True)


@telegram.command("test")
def test() -> None:
    """Send a question with buttons and wait for the tap.

    \b
    samoloop telegram test
    """
    from samoloop.base.errors import ConfigError
    from samoloop.config import telegram_bot
    from samoloop.ui.telegram import setup as steps

    for_people_only()
    found, problems = telegram_bot.parse(load(user_file(os.environ).parent, os.environ).telegram, os.environ)
    if found is None:
        raise ConfigError("\n".join(problems) or "Telegram is not configured: samoloop telegram setup")
    steps.test(found, os.environ, say)
