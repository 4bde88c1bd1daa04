"""The page: its first byte with many sessions, a change on disk with many pages open, and what it costs when idle."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Row, cpu_seconds, median, percentile, resident_kb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import recorded

from samoloop.config.projects import register
from samoloop.core.control import LOGS, place_of
from samoloop.core.session import Session
from samoloop.ui.web.live import HEARTBEAT_SECONDS, LINGER_SECONDS
from samoloop.ui.web.site import url_of

PROJECTS, EACH = 5, 200
WAITING, READY = 4, 10  # of each project; the others are done
LONG = 1000  # iterations of one session
PAGES = 50
CHANGES = 20
LOADS = 20
IDLE_SECONDS = 10.0
_SEAL = re.compile(rb',"seal":"[0-9a-f]+"')


def rows(folder: Path) -> list[Row]:
    long, changing = many_sessions(folder)
    with page(folder) as (pid, visitor):
        visitor.load("/")  # all sessions are read
        overview = [visitor.load("/") for _ in range(LOADS)]
        alone = idle(pid, "nobody looks")
        events, screens, memory, watched = with_pages(pid, visitor, changing)
        visitor.load(url_of(long))
        whole = [visitor.load(url_of(long)) for _ in range(LOADS)]
        grown = resident_kb(pid) / 1024
        time.sleep(LINGER_SECONDS + 2)  # until nothing is watched any more
        after = idle(pid, "the last page was closed")
    first, long_first, event, screen = map(median, (overview, whole, events, screens))
    share = f"{PROJECTS * EACH:,} sessions in {PROJECTS} projects"
    return [
        Row(f"overview, {share}: first byte, warm, median", f"{first:.0f} ms", "< 100 ms", first < 100),
        Row("  the slowest of 20", f"{max(overview):.0f} ms"),
        Row(f"page of a session of {LONG:,} iterations, median", f"{long_first:.0f} ms", "< 200 ms", long_first < 200),
        Row(f"change on disk to event, {PAGES} pages open, median", f"{event:.0f} ms", "< 200 ms", event < 200),
        Row("  the same, 99 %", f"{percentile(events, 0.99):.0f} ms"),
        Row("change on disk to the new overview in all of them, median", f"{screen:.0f} ms", "< 200 ms", screen < 200),
        Row("  the same, 99 %", f"{percentile(screens, 0.99):.0f} ms"),
        Row(f"page with {PAGES} pages open, resident", f"{memory:.1f} MB", "< 60 MB", memory < 60),
        Row(f"  and after a session of {LONG:,} iterations was looked at", f"{grown:.1f} MB"),
        alone,
        Row(f"  CPU while {PAGES} pages are open and nothing changes", f"{watched * 100:.1f} %"),
        after,
    ]


# --- what there is to be seen -----------------------------------------------------------------------------------------


def many_sessions(folder: Path) -> tuple[Session, Session]:
    """All projects; the session with very many iterations, and one that changes."""
    found = {kind: recorded_session(folder / "first", kind) for kind in ("waiting", "ready", "done", "long")}
    for number in range(PROJECTS):
        root = folder / f"project-{number}"
        for place in range(EACH):
            kind = "waiting" if place < WAITING else "ready" if place < WAITING + READY else "done"
            copy = made_like(found[kind], root, f"26-{place % 12 + 1:02d}-{place % 28 + 1:02d}-{kind}-{number}-{place}")
            if number == PROJECTS - 1:
                found[f"last {kind}"] = copy
        register(root, os.environ)
    return made_like(found["long"], folder / "project-0", "26-11-28-long"), found["last ready"]


def recorded_session(root: Path, kind: str) -> Session:
    folder = root / "_sessions" / f"26-11-21-{kind}"
    (place_of(folder) / LOGS).mkdir(parents=True)
    session = recorded.make_session(root, folder.name, title=f"A task that is {kind}")
    (session.dir / recorded.PLAN).write_text("- [x] 1.1 one\n- [ ] 1.2 two\n")
    for number in range(LONG if kind == "long" else 12):
        recorded.iterate(session, "requirements" if number < 3 else "implementation")
    if kind == "waiting":
        recorded.ask_questions(session, "Q1")
        recorded._record(session, "gate_shown", gate="g1", sha256="0" * 64, stamp=None)
    if kind == "done":
        recorded.start(session)
        recorded.end(session, {"kind": "done", "phase": "done"}, signal={"status": "done", "summary": "It works."})
    return session


def made_like(first: Session, root: Path, name: str) -> Session:
    """The same session once more; its journal is not sealed, as those of earlier versions are not."""
    folder = root / "_sessions" / name
    folder.mkdir(parents=True)
    place = place_of(folder)
    (place / LOGS).mkdir(parents=True)
    for path in first.dir.iterdir():
        if not path.is_symlink() and path.is_file() and path.name != "_history.jsonl":
            (folder / path.name).write_bytes(path.read_bytes())
    old, new = (json.dumps(str(one.dir.parent.parent)).encode() for one in (first, Session(folder)))
    lines = _SEAL.sub(b"", first.journal.path.read_bytes()).replace(old, new)
    (place / "_history.jsonl").write_bytes(lines.replace(first.name.encode(), name.encode()))
    (folder / "_history.jsonl").symlink_to(place / "_history.jsonl")
    (folder / "_logs").symlink_to(place / LOGS)
    return Session(folder)


# --- who looks --------------------------------------------------------------------------------------------------------


class Visitor:
    """Whoever has the link."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self._headers: dict[str, str] = {}
        answer = self._ask(secret)
        self._headers = {"Cookie": str(answer.getheader("set-cookie")).partition(";")[0]}

    def load(self, path: str, **more: str) -> float:
        """Milliseconds to the first byte; the rest is read too."""
        begin = time.perf_counter()
        answer = self._ask(path, **more)
        spent = (time.perf_counter() - begin) * 1000
        text = answer.read()
        assert answer.status == 200, (answer.status, text[:300])
        return spent

    def stream(self) -> socket.socket:
        """What changes, as it comes."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        lines = [f"GET /live HTTP/1.1\r\nHost: localhost:{self.port}\r\nCookie: {self._headers['Cookie']}\r\n\r\n"]
        sock.sendall("".join(lines).encode())
        return sock

    def _ask(self, path: str, **more: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Host": f"localhost:{self.port}", **self._headers, **more})
        return connection.getresponse()


@contextmanager
def page(folder: Path) -> Iterator[tuple[int, Visitor]]:
    """`samoloop web`, once it can be asked."""
    argv = [sys.executable, "-m", "samoloop", "web", "--port", "0"]
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    try:
        found = next(filter(None, (re.search(r":(\d+)(/enter/\S+)", line) for line in process.stdout)))
        yield process.pid, Visitor(int(found[1]), found[2])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def idle(pid: int, when: str) -> Row:
    """What it does while nothing changes."""
    begin = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    spent = cpu_seconds(pid) - begin
    return Row(f"  CPU in {IDLE_SECONDS:.0f} s while {when}", f"{spent:.2f} s", "0 s", spent == 0)


def with_pages(pid: int, visitor: Visitor, session: Session) -> tuple[list[float], list[float], float, float]:
    """Milliseconds to each event and to each new overview, resident MB, and the share of a core while all is quiet."""
    events: list[float] = []
    screens: list[float] = []
    begun = [0.0]
    streams = [visitor.stream() for _ in range(PAGES)]
    left = threading.Semaphore(0)

    def look(stream: socket.socket) -> None:
        while data := stream.recv(1 << 16):
            if b"data: " in data and (begin := begun[0]):
                events.append((time.perf_counter() - begin) * 1000)
                visitor.load("/", **{"Sec-Fetch-Mode": "cors"})
                screens.append((time.perf_counter() - begin) * 1000)
                left.release()

    threads = [threading.Thread(target=look, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    time.sleep(3)
    begin = cpu_seconds(pid)
    time.sleep(HEARTBEAT_SECONDS + 1)
    watched = (cpu_seconds(pid) - begin) / (HEARTBEAT_SECONDS + 1)
    for _ in range(CHANGES):
        begun[0] = time.perf_counter()
        recorded.start(Session(session.dir))
        for _ in range(PAGES):
            left.acquire()
        begun[0] = 0.0
        recorded.end(Session(session.dir), {"kind": "continue", "phase": "implementation"})
        time.sleep(1)  # until all is told
    memory = resident_kb(pid) / 1024
    for stream in streams:
        stream.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    return events, screens, memory, watched
