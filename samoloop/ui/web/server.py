"""The page as a process: its port, its link, and an end at once."""

import asyncio
import errno
import logging
import socket
import webbrowser
from collections.abc import Sequence
from types import FrameType

from uvicorn import Config, Server

from samoloop.base.errors import UsageError
from samoloop.ui.terminal.output import say
from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import DOOR, Guarding
from samoloop.ui.web.site import Site

_TRIES = 20  # ports, from the one that was asked for
_HEADER_BYTES = 16_384


def serve(site: Site, wanted: int, names: Sequence[str], *, opens: bool) -> None:
    """Until Ctrl-C. Raises UsageError where no port is to be had."""
    sockets = listen(wanted)
    port = sockets[0].getsockname()[1]
    guarding = Guarding(port, frozenset(name.lower() for name in names))
    if wanted and port != wanted:
        say(f"Port {wanted} is taken; the page is at {port}.")
    link = f"http://{guarding.name}:{port}{DOOR}{guarding.secret}"
    say(f"The page is open until Ctrl-C. This link is its key, so keep it to yourself:\n\n  {link}\n")
    say(f"Where a browser does not find that name: http://localhost:{port}{DOOR}{guarding.secret}")
    if opens:
        webbrowser.open(link)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    config = Config(
        make_app(site, guarding),
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_graceful_shutdown=0,
    )
    try:
        _Quiet(config).run(sockets)
    except KeyboardInterrupt:
        say("The page is closed; sessions go on.")


class _Quiet(Server):
    """Sleeps until it has to end: the original looks ten times a second."""

    async def main_loop(self) -> None:
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        if not self.should_exit:
            await self._over.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if hasattr(self, "_over"):
            self._loop.call_soon_threadsafe(self._over.set)


def listen(wanted: int) -> list[socket.socket]:
    """Sockets on loopback, in both families: else a child could take the other one, and be sent the link.

    Of the ports from `wanted` on the first that is free; any for 0.
    """
    for port in range(wanted, min(wanted + _TRIES, 65536)) if wanted else [0]:
        if found := _bound(port):
            return found
    raise UsageError(f"no port from {wanted} on is free: name another one with --port")


def _bound(port: int) -> list[socket.socket]:
    """Nothing where it is taken."""
    made: list[socket.socket] = []
    try:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                one = socket.socket(family, socket.SOCK_STREAM)
            except OSError:  # a machine without IPv6
                continue
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                one.bind((address, port or made[0].getsockname()[1] * (len(made) > 1)))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                made.pop().close()
    except OSError:
        for one in made:
            one.close()
        return []
    return made
