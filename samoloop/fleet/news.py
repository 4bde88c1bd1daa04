"""What the database tells of itself: sessions that went on, wishes of people, machines to drain, usage limits."""

import asyncio
import json
from collections.abc import AsyncIterator

import psycopg

from samoloop.base.values import frozen
from samoloop.fleet import address

CHANNEL = "samoloop"


@frozen
class News:
    """What the database told. `missed`: it may have told more, so look."""

    missed: bool = False
    project: str = ""
    name: str = ""
    parcel: str = ""
    wish: str = ""
    machine: str = ""
    draining: bool = False
    login: str = ""


async def news(url: str, machine: str) -> AsyncIterator[News]:
    """All that the database tells from now on, for ever. After each time that it was away, `missed`."""
    waits = address.growing_waits()
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                address.text(url, f"samoloop {machine} listens"), autocommit=True
            ) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                yield News(missed=True)
                waits = address.growing_waits()
                async for told in connection.notifies():
                    yield News(**json.loads(told.payload))
        except psycopg.Error as error:
            if not address.is_gone(error):
                raise address.translated(error, url) from None
        await asyncio.sleep(next(waits))
