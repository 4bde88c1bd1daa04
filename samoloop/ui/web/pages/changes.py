"""What a session, or one iteration of it, changed in the code."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from samoloop.api.changes import Change, by_file
from samoloop.base.values import frozen
from samoloop.git.compare import Changed
from samoloop.ui.web import diffs
from samoloop.ui.web.diffs import FileDiff
from samoloop.ui.web.pages.asked import SESSION, number_in, session_of
from samoloop.ui.web.render import page
from samoloop.ui.web.site import url_of

MOST_FILES = 100  # with their lines, on one page; the others are listed
MOST_LINES, MOST_OF_FILE, MOST_ALONE = 4_000, 400, 10_000  # of all files, of one among them, of one alone
_MOST_CHARACTERS = 2_000_000  # of a patch
_MOST_LISTED = 2_000


@frozen
class Listed:
    """A file in the list at the top of the page."""

    number: int  # its place among all, from 1
    changed: Changed
    name: str
    shown: bool  # its lines are on this page


def look(request: Request) -> Response:
    """GET: the branch, or one iteration; with `?file=` one file alone, by its place in the list."""
    session = session_of(request)
    iteration = (number_in(request.path_params["iteration"]) or 0) if "iteration" in request.path_params else None
    change = by_file(session, request.app.state.site.environ, iteration)
    alone = number_in(request.query_params.get("file", ""))
    wanted = change.files[alone - 1 : alone] if alone else change.files[:MOST_FILES]
    shown = _read(change, wanted, MOST_ALONE if alone else MOST_OF_FILE)
    names = {file.name for file in shown}
    listed = [
        Listed(number, file, diffs.shown_name(file.name), diffs.shown_name(file.name) in names)
        for number, file in enumerate(change.files[:_MOST_LISTED], 1)
    ]
    return page(
        request,
        "changes.html",
        session=session,
        url=url_of(session),
        here=request.url.path,
        iteration=iteration,
        files=shown,
        listed=listed,
        numbers={one.name: one.number for one in listed},
        count=len(change.files),
        added=sum(file.lines[0] for file in change.files if file.lines),
        removed=sum(file.lines[1] for file in change.files if file.lines),
        alone=alone,
    )


def _read(change: Change, files: Sequence[Changed], most_of_file: int) -> list[FileDiff]:
    """The lines of some files, until there are as many as a page bears."""
    shown: list[FileDiff] = []
    left, characters = max(MOST_LINES, most_of_file), _MOST_CHARACTERS
    for patch in change.patches(files):
        whole = patch if len(patch) <= characters else patch[: patch.rfind("\n", 0, characters) + 1]
        found = diffs.by_file(whole, min(most_of_file, left))
        if found and len(whole) < len(patch):
            found[-1].is_cut = True
        shown += found
        left -= sum(len(hunk.lines) for file in found for hunk in file.hunks)
        characters -= len(patch)
        if left <= 0 or characters <= 0:
            break
    return shown


ROUTES: list[BaseRoute] = [Route(SESSION + "/diff", look), Route(SESSION + "/diff/{iteration}", look)]
