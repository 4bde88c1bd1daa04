"""The database's address: how a connection is made with it, and how it is shown, which is without its password.

A connection that is cut is noticed within seconds by both ends, so that nobody waits for a machine that is gone.
"""

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import conninfo, errors, pq

from samoloop.base.errors import SamoloopError

_NOTICED = {  # libpq's words, seconds, but for the last
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
_NOTICED_THERE = (  # the same for the server: a dead machine's locks are let go
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
)
_FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]*(?=@)|(?<=password=)\S+", re.I)
_SETTING = "`fleet.database` in your own settings, or SAMOLOOP_FLEET_DATABASE"


class DatabaseError(SamoloopError):
    """The fleet's database refuses something."""


class DatabaseGone(DatabaseError):
    """It cannot be reached now; later it may be."""


def parameters(url: str, name: str) -> dict[str, Any]:
    """What a connection is made with; what the address says wins. `name` is what the server calls it by.

    Raises DatabaseError.
    """
    try:
        said = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise DatabaseError(f"the address of the fleet's database cannot be read: mend {_SETTING}") from None
    given: dict[str, Any] = {**_NOTICED, "options": _NOTICED_THERE, "application_name": name}
    return {**given, **{word: value for word, value in said.items() if value is not None}}


def text(url: str, name: str) -> str:
    """The same in one text."""
    return conninfo.make_conninfo(**parameters(url, name))


def masked(words: str, url: str = "") -> str:
    """The words without any password that may stand in them."""
    try:
        password = conninfo.conninfo_to_dict(url).get("password") if url else None
    except psycopg.Error:
        password = None
    for secret in {str(password), quote(str(password), safe="")} if password else ():
        words = words.replace(secret, "***")
    return _PASSWORD.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", words)


def is_gone(error: BaseException | None) -> bool:
    """Whether the connection is what failed, so that another one may do."""
    if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable | errors.InsufficientPrivilege):
        return False
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def translated(error: psycopg.Error, url: str) -> DatabaseError:
    """The error as a sentence for people."""
    what = masked(" ".join(str(error).split()), url)[:300].rstrip(".")
    where = _place(url)
    if isinstance(error, errors.InsufficientPrivilege):
        return DatabaseError(
            f"the fleet's database at {where} does not let this user do that ({what}): name one who may, in {_SETTING}"
        )
    if isinstance(error, errors.UndefinedTable | errors.UndefinedFunction | errors.UndefinedColumn):
        return DatabaseError(f"the database at {where} is no fleet's yet, or another version's: samoloop fleet init")
    if is_gone(error):
        return DatabaseGone(f"the fleet's database at {where} cannot be reached ({what}): see {_SETTING}")
    return DatabaseError(f"the fleet's database at {where} refuses ({what})")


def may_come(url: str) -> bool:
    """Whether a database that cannot be reached may be there later: not where a server answers, which refuses who asks,
    nor where its host is no name of any."""
    if pq.PGconn.ping(text(url, "samoloop").encode()) == pq.Ping.OK:
        return False
    hosts = [host for host in str(conninfo.conninfo_to_dict(url).get("host") or "").split(",") if host]
    return not hosts or not all(map(_is_unknown, hosts))


def _is_unknown(host: str) -> bool:
    try:
        if not host.startswith("/"):
            socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return error.errno == socket.EAI_NONAME  # any other may be of a network that is not up yet
    return False


def growing_waits() -> Iterator[float]:
    wait = _FIRST_WAIT
    while True:
        yield wait
        wait = min(wait * 2, LONGEST_WAIT)


def _place(url: str) -> str:
    said = conninfo.conninfo_to_dict(url)
    return f"{said.get('host') or 'this machine'}:{said.get('port') or 5432}/{said.get('dbname') or ''}"
