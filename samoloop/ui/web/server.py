"""The page as a process: its port, its link, what one client may take of it, and an end at once."""

import asyncio
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from types import FrameType

from anyio.to_thread import current_default_thread_limiter
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from samoloop.base.errors import UsageError
from samoloop.base.proc import share_memory
from samoloop.ui.terminal.output import say
from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import DOOR, Guarding
from samoloop.ui.web.site import Site

_TRIES = 20  # ports, from the one that was asked for
_MOST_CONNECTIONS = 500
_THREADS = 12  # that make pages
_REQUEST_SECONDS = 10.0  # in which the head of a request has to come
_TAKEN_SECONDS = 60.0  # in which what was sent has to be taken
_LAST_SECONDS = 3.0  # for acts that are under way at the end
_LOOPBACK = ("127.0.0.1", "::1")


def serve(site: Site, wanted: int, names: Sequence[str], show: Callable[[str], bool] | None) -> None:
    """Until Ctrl-C. `show` opens an address for the person. Raises UsageError where no port is to be had."""
    share_memory()
    sockets, more = listen(wanted, names)
    port = sockets[0].getsockname()[1]
    guarding = Guarding(port, frozenset(names))
    if wanted and port != wanted:
        say(f"Port {wanted} is taken, so the page is at {port}.")
    for line in _greeting(guarding, more):
        say(line)
    if show is not None and not show(f"http://{guarding.name}:{port}{DOOR}{guarding.once()}"):
        say("No browser was found here: open the link yourself.")
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)  # what matters is said by the application
    config = Config(
        make_app(site, guarding),
        http=_Bounded,
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=0,
    )
    try:
        _Quiet(config).run(sockets)
    except KeyboardInterrupt:
        say("The page is closed; sessions go on.")
    _leave()


def _greeting(guarding: Guarding, listened: Sequence[str]) -> list[str]:
    door = f"{DOOR}{guarding.secret}"
    lines = [
        "The page is open until Ctrl-C. Its link is the key to all that you can do here, so keep it to yourself:",
        f"\n  http://{guarding.name}:{guarding.port}{door}\n",
        f"Through a tunnel, or where a browser does not find that name: http://localhost:{guarding.port}{door}",
    ]
    for name in sorted(guarding.names):
        shown = f"[{name}]" if ":" in name else name
        if name in listened:
            lines.append(
                f"It listens at {name} too: whoever reaches that address may knock, and whoever can read the traffic, "
                "which only a tunnel such as Tailscale's encrypts, can act as you. "
                f"http://{shown}:{guarding.port}{door}"
            )
        else:
            lines.append(
                f"It answers to {name} too: what brings requests for it to port {guarding.port} here has to be yours, "
                f"and has to encrypt. https://{shown}{door}"
            )
    return lines


class _Quiet(Server):
    """Sleeps until it has to end: the original looks ten times a second."""

    _over: asyncio.Event

    async def main_loop(self) -> None:
        current_default_thread_limiter().total_tokens = _THREADS
        self._over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        if not self.should_exit:
            await self._over.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if hasattr(self, "_over"):
            self._loop.call_soon_threadsafe(self._over.set)


class _Bounded(H11Protocol):
    """A connection that ends where its client asks nothing, or takes nothing; of too many, one that asks nothing."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            asks_nothing = (one for one in self.connections if isinstance(one, _Bounded) and one.asks_nothing())
            next(asks_nothing, self).transport.abort()
        self._wait_for_request()

    def asks_nothing(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(_TAKEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _cancel(self._late)
        _cancel(self._stuck)

    def _wait_for_request(self) -> None:
        _cancel(self._late)
        self._late = self.loop.call_later(_REQUEST_SECONDS, self._end_if_late)

    def _end_if_late(self) -> None:
        if self.asks_nothing():
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _leave() -> None:
    """End, also where a thread hangs at a disk that does not answer; what is under way has a moment to be done."""
    deadline = time.monotonic() + _LAST_SECONDS
    others = [one for one in threading.enumerate() if one is not threading.current_thread() and not one.daemon]
    for thread in others:
        thread.join(max(deadline - time.monotonic(), 0))
    if any(thread.is_alive() for thread in others):
        say("Something still waited for a disk, and was left.", err=True)
        os._exit(0)


def listen(wanted: int, names: Sequence[str] = ()) -> tuple[list[socket.socket], list[str]]:
    """Sockets on loopback, and at those of `names` that are addresses of this machine, which are returned too.

    Of the ports from `wanted` on the first that is free at all of them; any for 0. Loopback in both families: else a
    child could take the port in the other one, and be sent the link. Raises UsageError.
    """
    addresses = [*_LOOPBACK, *filter(_is_address, names)]
    for port in range(wanted, min(wanted + _TRIES, 65536)) if wanted else [0] * _TRIES:
        if made := _bound(port, addresses):
            return list(made.values()), [address for address in made if address not in _LOOPBACK]
    raise UsageError(f"no port from {wanted} to {wanted + _TRIES - 1} is free here: name another one with --port")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _bound(port: int, addresses: Sequence[str]) -> dict[str, socket.socket]:
    """A socket for each of the addresses that this machine has; none where one of them is taken."""
    made: dict[str, socket.socket] = {}
    for address in addresses:
        try:
            one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        except OSError:  # a machine without IPv6
            continue
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
            one.listen()
        except OSError as error:
            one.close()
            if error.errno == errno.EADDRNOTAVAIL:
                continue
            for other in made.values():
                other.close()
            if error.errno != errno.EADDRINUSE:
                raise UsageError(f"port {port} cannot be used at {address}: {error.strerror}") from None
            return {}
        made[address] = one
        port = port or one.getsockname()[1]
    return made
