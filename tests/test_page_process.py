"""The page as a process: real sockets, forged and endless requests, a port that is taken, and an end at once."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from kit import until
from web_process import all_of, started, status

from samoloop.base.errors import UsageError
from samoloop.ui.cli.web import _host as host_of
from samoloop.ui.web import server
from samoloop.ui.web.server import listen

MOST_RSS_MB = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def web(folder):
    with started(folder, "--port", "0", env={"TELEGRAM_BOT_TOKEN": "12:token"}) as made:
        yield made


# --- ports ---------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """One that nobody uses, with some after it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def closed(sockets: list[socket.socket]) -> set[tuple[str, int]]:
    found = {one.getsockname()[:2] for one in sockets}
    for one in sockets:
        one.close()
    return found


HAS_IPV6 = (
    socket.has_ipv6 and Path("/proc/net/if_inet6").exists() and "0" * 31 + "1" in Path("/proc/net/if_inet6").read_text()
)
both_families = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")


def test_it_listens_on_loopback_alone():
    sockets, more = listen(0)
    found = closed(sockets)
    assert {address for address, _ in found} == {"127.0.0.1", *(["::1"] if HAS_IPV6 else [])}
    assert len({port for _, port in found}) == 1
    assert more == []


@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=both_families)])
def test_a_port_that_is_taken_in_one_family_is_taken(address):
    """Else a child could listen there, and a browser that tries that address first would send it the link."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        assert all(found > port for _, found in closed(listen(port)[0]))


def test_an_address_of_this_machine_is_listened_at_where_it_is_allowed():
    sockets, more = listen(0, ["127.0.0.9", "192.0.2.1", "box.ts.net"])
    assert more == ["127.0.0.9"]
    assert ("127.0.0.9") in {address for address, _ in closed(sockets)}


def test_where_no_port_is_free_that_is_said(monkeypatch):
    monkeypatch.setattr(server, "_bound", lambda port, addresses: {})
    with pytest.raises(UsageError, match="no port from 7266 to 7285 is free"):
        listen(7266)


@pytest.mark.slow
def test_a_thread_that_hangs_does_not_keep_the_page_from_ending():
    code = (
        "import threading, time; from samoloop.ui.web import server; server._LAST_SECONDS = 0.1;"
        "threading.Thread(target=time.sleep, args=(60,)).start(); server._leave()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "Something still waited for a disk, and was left.\n")


@pytest.mark.parametrize("name", ["https://box.ts.net", "box.ts.net:443", "", "a b", "*", "-x", "x" * 300, "ⓛocalhost"])
def test_what_is_no_host_is_refused(name):
    with pytest.raises(UsageError, match="is no host"):
        host_of(name)


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "[::]", "0:0::0"])
def test_every_address_at_once_is_refused(name):
    with pytest.raises(UsageError, match="every address"):
        host_of(name)


@pytest.mark.parametrize(
    ("name", "host"), [("Box.TS.net.", "box.ts.net"), ("[FD7A::1]", "fd7a::1"), ("100.64.0.1", "100.64.0.1")]
)
def test_a_host_is_known_as_browsers_write_it(name, host):
    assert host_of(name) == host


# --- a process -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_at_once_take_two_ports_and_one_browser_uses_both(folder):
    port = free_port()
    with started(folder, "--port", str(port)) as one, started(folder, "--port", str(port)) as other:
        assert (one.port, other.port > port) == (port, True)
        assert f"Port {port} is taken, so the page is at {other.port}." in other.said
        both = f"{one.cookie()}; {other.cookie().removeprefix('Cookie: ')}"
        assert status(one.ask("GET / HTTP/1.1", both)) == status(other.ask("GET / HTTP/1.1", both)) == 200
        assert status(other.ask("GET / HTTP/1.1", one.cookie())) == 403
        assert status(other.ask(f"GET {one.door} HTTP/1.1")) == 403


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_whatever_is_open(folder, number):
    with started(folder, "--port", "0") as web, ExitStack() as open_ones:
        cookie, host = web.cookie(), f"Host: localhost:{web.port}"
        half = f"POST /name HTTP/1.1\r\n{host}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n{cookie}\r\n\r\n"
        for _ in range(100):
            open_ones.enter_context(web.connect()).sendall(half.encode())
            stream = open_ones.enter_context(web.connect())
            stream.sendall(f"GET /live?tag=overview HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n".encode())
            assert b" 200 " in stream.recv(4096)
        assert status(web.ask("GET / HTTP/1.1", cookie)) == 200
        code, seconds = web.end(number)
        assert seconds < 3
        assert code == (0 if number == signal.SIGINT else -number)
        assert ("The page is closed; sessions go on." in web.said) == (number == signal.SIGINT)


@pytest.mark.slow
def test_a_name_and_an_address_that_were_let_through_are_answered_and_said_and_no_others(folder):
    words = ("--port", "0", "--allow-host", "Box.tail.ts.net", "--allow-host", "127.0.0.9")
    with started(folder, *words) as web:
        lines = [web.process.stdout.readline().rstrip() for _ in range(2)]
        [of_name] = [line for line in lines if line.startswith("It answers to box.tail.ts.net too: ")]
        assert of_name.endswith(f" https://box.tail.ts.net{web.door}")
        [of_address] = [line for line in lines if line.startswith("It listens at 127.0.0.9 too: ")]
        assert of_address.endswith(f" http://127.0.0.9:{web.port}{web.door}")
        cookie = web.cookie()
        for host in ("box.tail.ts.net", f"box.tail.ts.net:{web.port}", f"127.0.0.9:{web.port}"):
            assert status(web.ask("GET / HTTP/1.1", cookie, host=host)) == 200
            assert status(web.ask("GET / HTTP/1.1", host=host)) == 403
        for host in ("other.tail.ts.net", "x.box.tail.ts.net", "127.0.0.8"):
            assert status(web.ask("GET / HTTP/1.1", cookie, host=host)) == 421
        web.connect("127.0.0.9").close()
        with pytest.raises(ConnectionRefusedError):
            web.connect("127.0.0.8")


@pytest.mark.slow
def test_where_no_browser_is_found_the_link_is_all_the_same_there(folder):
    with started(folder, "--port", "0", "--open", env={"BROWSER": "/nowhere/browser %s"}) as web:
        assert status(web.ask(f"GET {web.door} HTTP/1.1")) == 303
        assert web.end()[0] == 0
        assert "No browser was found here: open the link yourself." in web.said


@pytest.mark.slow
def test_the_terminal_shows_nothing_of_what_is_asked_and_nothing_of_another_s_words(folder):
    with started(folder, "--port", "0") as web:
        greeting, cookie = web.said, web.cookie()
        web.ask("GET / HTTP/1.1", cookie)
        web.ask("GET /nothing\x1b[2J HTTP/1.1")
        web.ask("GET /enter/guess HTTP/1.1")
        web.ask("\x00\xff\x1b[31m nonsense")
        web.ask("POST /name HTTP/1.1", cookie, "Content-Length: 5", body=b"a=b&c")
        assert web.end()[0] == 0
        assert web.said.removeprefix(greeting) == "The page is closed; sessions go on.\n"


@pytest.mark.slow
def test_what_an_attacker_could_write_is_refused(web):
    cookie = web.cookie()
    own = f"Origin: http://localhost:{web.port}"
    form = "Content-Type: application/x-www-form-urlencoded"
    assert status(web.ask("GET / HTTP/1.1", cookie)) == 200
    assert status(web.ask("GET / HTTP/1.1", cookie, host="evil.example")) == 421
    assert status(web.ask(f"GET http://evil.example:{web.port}/ HTTP/1.1", cookie, host="evil.example")) == 421
    assert status(web.ask("GET / HTTP/1.1", cookie, "Host: evil.example")) == 400
    assert status(web.ask("GET / HTTP/1.1", cookie, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")) == 403
    assert status(web.ask("POST /name HTTP/1.1", cookie, own, form, "Content-Length: 0")) == 403
    assert status(web.ask("POST /name HTTP/1.1", own, form, "Content-Length: 0")) == 403
    assert (
        status(web.ask("GET / HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"))
        == 403
    )
    assert status(web.ask("GET /static/../render.py HTTP/1.1")) == 404
    assert status(web.ask("GET /static/%2e%2e/render.py HTTP/1.1")) == 404
    assert status(web.ask("GET /static//etc/passwd HTTP/1.1")) == 404


@pytest.mark.slow
def test_what_is_too_long_is_refused_before_it_is_read(web):
    cookie, own = web.cookie(), f"Origin: http://localhost:{web.port}"
    assert status(web.ask("GET / HTTP/1.1", f"X-Long: {'x' * 200_000}")) == 400
    assert status(web.ask(f"GET /{'x' * 200_000} HTTP/1.1")) == 400
    big = b"x" * 5_000_000
    assert status(web.ask("POST /name HTTP/1.1", cookie, own, f"Content-Length: {len(big)}", body=big)) in (413, 0)
    chunks = b"%x\r\n%s\r\n" % (len(big), big)
    assert status(web.ask("POST /name HTTP/1.1", cookie, own, "Transfer-Encoding: chunked", body=chunks)) in (413, 0)
    assert status(web.ask("GET / HTTP/1.1", cookie)) == 200


@pytest.mark.slow
def test_secrets_of_the_person_are_not_in_its_environment(web):
    assert b"12:token" not in Path(f"/proc/{web.process.pid}/environ").read_bytes()
    assert web.door.removeprefix("/enter/").encode() not in Path(f"/proc/{web.process.pid}/cmdline").read_bytes()


@pytest.mark.slow
def test_a_browser_is_started_with_a_link_that_opens_once(folder):
    shown, program = folder / "shown.txt", folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {shown}.new && mv {shown}.new {shown}\n')
    program.chmod(0o755)
    with started(folder, "--port", "0", "--open", env={"BROWSER": f"{program} %s"}) as web:
        until(shown.exists)
        door = "/enter/" + shown.read_text().strip().partition("/enter/")[2]
        assert ".localhost:" in shown.read_text()
        assert door != web.door
        assert [status(web.ask(f"GET {one} HTTP/1.1")) for one in (door, door, web.door)] == [303, 403, 303]


@pytest.mark.slow
def test_who_asks_slowly_or_nothing_keeps_nobody_out(folder):
    with started(folder, "--port", "0") as web, ExitStack() as others:
        cookie = web.cookie()
        silent = [others.enter_context(web.connect()) for _ in range(server._MOST_CONNECTIONS + 50)]
        assert status(web.ask("GET / HTTP/1.1", cookie)) == 200
        slow = others.enter_context(web.connect())
        began = time.monotonic()
        with suppress(ConnectionError):
            for letter in f"GET /{'x' * 500}":
                slow.sendall(letter.encode())
                slow.settimeout(0.1)
                with suppress(TimeoutError):
                    if not slow.recv(1):
                        break
        assert time.monotonic() - began < server._REQUEST_SECONDS + 8
        assert all(all_of(one) == "" for one in silent)
        assert status(web.ask("GET / HTTP/1.1", cookie)) == 200


@pytest.mark.slow
def test_nothing_runs_while_nobody_asks_and_it_is_small(folder):
    with started(folder, "--port", "0") as web:
        cookie = web.cookie()
        for _ in range(20):
            assert status(web.ask("GET / HTTP/1.1", cookie)) == 200

        def used() -> tuple[int, int]:
            """Ticks of the processor, and how often it was woken."""
            fields = Path(f"/proc/{web.process.pid}/stat").read_text().rpartition(")")[2].split()
            woken = re.findall(r"voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{web.process.pid}/status").read_text())
            return int(fields[11]) + int(fields[12]), int(woken[0])

        def is_still() -> bool:
            before, _ = used(), time.sleep(0.2)
            return used() == before

        until(is_still)  # what was asked is over
        (ticks, woken), _ = used(), time.sleep(3)
        assert used()[0] - ticks <= 1
        assert used()[1] - woken <= 3
        [rss] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{web.process.pid}/status").read_text())
        assert int(rss) < MOST_RSS_MB * 1024


@pytest.mark.slow
def test_who_takes_nothing_of_a_long_answer_is_left(monkeypatch):
    """In this process, where the minute that they have is shorter."""
    monkeypatch.setattr(server, "_TAKEN_SECONDS", 0.3)
    ended, port, stop = threading.Event(), [0], []
    runner = threading.Thread(target=endless_server, args=(ended, port, stop), daemon=True)
    runner.start()
    until(lambda: port[0] and stop)
    with socket.create_connection(("127.0.0.1", port[0])) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended.wait(20)
    stop[0]()
    runner.join(20)


def endless_server(ended: threading.Event, port: list[int], stop: list[Callable[[], None]]) -> None:
    """Serves one answer without end; `ended` is set when it is given up."""
    import asyncio

    from uvicorn import Config

    async def app(scope, receive, send):
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while (await asyncio.sleep(0)) is None:
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                if scope["transport"].is_closing():
                    return
        finally:
            ended.set()

    class Seen(server._Bounded):
        def handle_events(self) -> None:
            super().handle_events()
            if self.scope:
                self.scope["transport"] = self.transport

    async def serve() -> None:
        sockets, _ = listen(0)
        made = server._Quiet(
            Config(
                app,
                http=Seen,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                timeout_graceful_shutdown=0,
            )
        )
        port[0] = sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(made.handle_exit, signal.SIGINT, None))
        with suppress(KeyboardInterrupt):
            await made._serve(sockets)

    asyncio.run(serve())
