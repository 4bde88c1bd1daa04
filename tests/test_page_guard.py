"""Who may speak to the page, seen from outside: forged hosts, origins, cookies, tokens and guesses."""

import pytest
from starlette.testclient import TestClient

from samoloop.ui.web.app import make_app
from samoloop.ui.web.guard import Guarding
from samoloop.ui.web.site import Site

ORIGIN = "http://localhost:7266"


@pytest.fixture
def guarding():
    return Guarding(7266)


@pytest.fixture
def stranger(guarding, tmp_path):
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    return TestClient(make_app(Site(environ), guarding), base_url=ORIGIN, follow_redirects=False)


@pytest.fixture
def person(stranger, guarding):
    assert stranger.get(f"/enter/{guarding.secret}").status_code == 303
    return stranger


def test_the_link_opens_the_page_and_leaves_the_address(person):
    assert person.get("/").status_code == 200


def test_without_the_link_there_is_no_page(stranger):
    assert stranger.get("/").status_code == 403


def test_a_change_needs_the_token_of_a_form(person, guarding):
    assert person.post("/name", data={"name": "Ann"}, headers={"origin": ORIGIN}).status_code == 403
