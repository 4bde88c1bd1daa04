"""What a session holds, to be read: logs, documents, prompts, checks, the report; and as downloads."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from samoloop.api import documents
from samoloop.api.documents import Version
from samoloop.api.evidence import look as look_at_evidence
from samoloop.api.logs import Attempt, attempts
from samoloop.api.reporting import report as report_of
from samoloop.base.clock import local_zone
from samoloop.base.errors import SamoloopError, SessionError, sentence
from samoloop.base.files import open_plain
from samoloop.checks import receipts
from samoloop.core.session import Session
from samoloop.fleet import log_parts
from samoloop.ui.web import logs
from samoloop.ui.web.pages.asked import SESSION, number_in, session_of
from samoloop.ui.web.render import page
from samoloop.ui.web.site import Gone, url_of
from samoloop.ui.web.words import MOST_CHARACTERS, code, markdown, terminal

_READ_BYTES = 4 * MOST_CHARACTERS  # of a text: more than a page shows, so that it says where it cuts
_CHUNK_BYTES = 1 << 16
_OUTPUT_BYTES = 20_000  # of what a check printed, at its end
_MOST_RUNS = 40  # of checks, on one page
_MOST_VERSIONS = 50


def log(request: Request) -> Response:
    """GET: what the child of an iteration did, of several attempts the last one, or `?attempt=`; a part by `?page=`."""
    session = session_of(request)
    attempt, others = _attempt(request, session)
    said = ""
    if attempt.elsewhere:
        said = log_parts.brought(session)
        attempt, others = _attempt(request, session)
    wanted = number_in(request.query_params.get("page", "")) or 1
    part = logs.page_of(session, attempt, request.app.state.site.environ, wanted)
    return page(
        request,
        "log.html",
        session=session,
        url=url_of(session),
        attempt=attempt,
        others=others,
        part=part,
        said=said,
        raw=attempt.log.name,
    )


def prompt(request: Request) -> Response:
    """GET: word for word what the child of an iteration was told."""
    session = session_of(request)
    attempt, others = _attempt(request, session)
    parts = [(path.name, terminal(documents.beginning(path, _READ_BYTES))) for path in documents.told(attempt)]
    return page(
        request, "prompt.html", session=session, url=url_of(session), attempt=attempt, others=others, parts=parts
    )


def document(request: Request) -> Response:
    """GET: a document; as it was by `?version=`, as it is written by `?plain=1`."""
    session, name = session_of(request), request.path_params["doc"]
    environ, is_plain = request.app.state.site.environ, bool(request.query_params.get("plain"))
    try:
        path = documents.path_of(session, name)
    except SessionError as error:
        raise Gone(sentence(error)) from None
    versions = _versions(session, environ, name)
    version = _asked_for(request, versions)
    problem = text = ""
    try:
        if version:
            text = documents.as_of(session, environ, name, version).decode("utf-8-sig", "replace")
        else:
            text = documents.beginning(path, _READ_BYTES)
    except SamoloopError as error:
        problem = sentence(error)
    return page(
        request,
        "document.html",
        session=session,
        url=url_of(session),
        name=name,
        html=code(text, name) if is_plain else markdown(text),
        problem=problem,
        is_plain=is_plain,
        older=version,
        versions=[(one, _when(one)) for one in versions[:_MOST_VERSIONS]],
        left_out=max(len(versions) - _MOST_VERSIONS, 0),
    )


def checks(request: Request) -> Response:
    """GET: the project's own checks, how they stand at the branch now, and each run with what it printed."""
    session = session_of(request)
    standing = receipts.standing(session.journal)
    evidence = look_at_evidence(session, request.app.state.site.environ)
    runs = [
        (run, logs.ending(Path(run.log), _OUTPUT_BYTES) if _is_ours(session, run.log) else "")
        for run in standing.receipts[: -_MOST_RUNS - 1 : -1]
    ]
    return page(
        request,
        "checks.html",
        session=session,
        url=url_of(session),
        evidence=evidence,
        standing=standing,
        runs=runs,
        left_out=max(len(standing.receipts) - len(runs), 0),
    )


def report(request: Request) -> Response:
    """GET: the report as it stands now."""
    session = session_of(request)
    text = report_of(session, request.app.state.site.environ)
    return page(request, "report.html", session=session, url=url_of(session), html=markdown(text))


def download(request: Request) -> Response:
    """GET: a document, as it was by `?version=`, byte for byte, to be kept and not to be shown."""
    session, name, environ = session_of(request), request.path_params["doc"], request.app.state.site.environ
    with _or_nothing():
        path = documents.path_of(session, name)
        if "version" not in request.query_params:
            return _attachment(name, _chunks(path))
        version = _asked_for(request, documents.versions(session, environ, name))
        if version is None:
            raise SessionError(f"no such version of {name} is kept")
        return _attachment(name, iter([documents.as_of(session, environ, name, version)]))


def download_log(request: Request) -> Response:
    """GET: a file of a child, in the same way."""
    session, name = session_of(request), request.path_params["doc"]
    with _or_nothing():
        path = documents.log_of(session, attempts(session.journal.read(), session.logs), name)
        return _attachment(name, _chunks(path))


@contextmanager
def _or_nothing() -> Iterator[None]:
    try:
        yield
    except (SamoloopError, ValueError, OSError) as error:
        raise Gone(f"there is nothing to download: {sentence(error)}") from None


def _chunks(path: Path) -> Iterator[bytes]:
    """The content of a file, which is opened at once."""
    file = open_plain(path)

    def read() -> Iterator[bytes]:
        with file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    return read()


def _attachment(name: str, content: Iterator[bytes]) -> Response:
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='', errors='replace')}"}
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


def _attempt(request: Request, session: Session) -> tuple[Attempt, list[Attempt]]:
    """The attempt that the address means, and all of its iteration. Raises Gone."""
    wanted = number_in(request.path_params["iteration"]) or 0
    found = [one for one in attempts(session.journal.read(), session.logs) if one.started.iteration == wanted]
    if not found:
        raise Gone(f"{session.name} has no iteration {wanted}")
    number = number_in(request.query_params.get("attempt", ""))
    return next((one for one in found[::-1] if one.started.attempt == number), found[-1]), found


def _versions(session: Session, environ: dict[str, str], name: str) -> list[Version]:
    """Those in the checkpoints; none where they cannot be read, which another page says."""
    try:
        return documents.versions(session, environ, name)
    except SamoloopError:
        return []


def _asked_for(request: Request, versions: list[Version]) -> Version | None:
    return next((one for one in versions if one.oid == request.query_params.get("version")), None)


def _when(version: Version) -> str:
    moment = datetime.fromtimestamp(version.seconds, local_zone())
    return f"after iteration {version.iteration}" if version.iteration else f"{moment:%d %b %H:%M}"


def _is_ours(session: Session, log: str) -> bool:
    """Whether a receipt's log lies among the session's own; a record could name any file."""
    return bool(log) and Path(log).parent == session.logs


ROUTES: list[BaseRoute] = [
    Route(SESSION + "/log/{iteration}", log),
    Route(SESSION + "/prompt/{iteration}", prompt),
    Route(SESSION + "/document/{doc}", document),
    Route(SESSION + "/checks", checks),
    Route(SESSION + "/report", report),
    Route(SESSION + "/download/{doc}", download),
    Route(SESSION + "/download/log/{doc}", download_log),
]
