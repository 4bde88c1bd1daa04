"""What the tests of the fleet share: one Postgres for each process of tests, and an empty fleet in it for each test."""

from collections.abc import Iterator

import psycopg
import pytest

from samoloop.fleet.database import Database
from samoloop.fleet.postgres import Postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield server.url.replace("/fleet", f"/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A fleet's, with its tables."""
    with Database(url, "ann") as database:
        database.init()
        yield database
