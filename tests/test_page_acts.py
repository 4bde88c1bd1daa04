"""What a person does with a session on the page: what the commands do, once, and as it was on the screen."""

import json
import os
import re
from pathlib import Path

import pytest
from browser import Asked, Browser, Form, forms_in, none_starts, served
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script, scripted_project, until
from session_work import Work

from samoloop.base.locks import is_held
from samoloop.config.projects import register
from samoloop.core import gates
from samoloop.core.control import LOCK
from samoloop.core.decision import Condition
from samoloop.core.records import Archived, GateClosed, Halted, RoomRecord, Started
from samoloop.core.session import Session
from samoloop.fleet import mark as marks
from samoloop.fleet.mark import Mark
from samoloop.ui.web.pages import acts as page
from samoloop.ui.web.site import url_of


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """How workers were asked to go on; none is started."""
    monkeypatch.setattr(page, "settle", lambda session, how, environ: None)
    monkeypatch.setattr(page, "unseen_changes", lambda session, settings: [])
    return none_starts(monkeypatch, page)


@pytest.fixture
def work(tmp_path: Path, asked: Asked) -> Work:
    register(tmp_path, os.environ)
    return Work(tmp_path)


@pytest.fixture
def ann(work: Work) -> Browser:
    return Browser(os.environ, "Ann")


def url(session: Session, word: str = "act") -> str:
    return f"{url_of(session)}/{word}"


def form(browser: Browser, session: Session, word: str) -> Form:
    return browser.form(url(session), f"/{word}")


def offers(browser: Browser, session: Session) -> set[str]:
    html = browser.open(url(session))
    return {one.action.rpartition("/")[2] for one in forms_in(html)} - {"name", "search", ""}


def test_of_a_fleet_s_session_its_machines_are_at_work_and_a_gate_needs_no_worker(ann: Browser, work: Work) -> None:
    assert {"resume", "tell"} <= offers(ann, work.session) and "Nobody goes on with these" in ann.open("/")
    marks.write(work.dir, Mark("p", "origin", "here", paths="one"))
    assert offers(ann, work.session) == {"tell", "stop"}
    text = Browser(os.environ).open("/")
    assert "At work" in text and "last on one" in text and "Nobody goes on with these" not in text
    work.ask()
    offered = offers(ann, work.session)
    assert "tell" in offered and offered.isdisjoint({"resume", "stop"})
    gates.answer(work.dir, work.gate, {"Q1": "A", "Q2": "B"}, "Ann (command)")
    for page_of_it in ("/", url_of(work.session)):
        assert "no machine has taken it up yet" in Browser(os.environ).open(page_of_it)


def test_what_is_told_waits_to_be_read_and_is_told_once(ann: Browser, work: Work) -> None:
    tell = form(ann, work.session, "tell")
    for _ in range(2):
        sent = ann.send(tell, words="Use <b>sqlite</b>.\r\nPlease.")
        assert (sent.headers["location"], ann.notice(sent)) == (url_of(work.session), "The next child reads it.")
    assert work.read("_inbox.md") == "From Ann (page):\nUse <b>sqlite</b>.\nPlease.\n\n"
    assert "Use &lt;b&gt;sqlite&lt;/b&gt;." in ann.open(url(work.session))
    assert ann.send(tell, words=" \r\n").status_code == 409


def test_of_much_that_nobody_has_read_yet_it_says_how_much_more_there_is(ann: Browser, work: Work) -> None:
    ann.send(form(ann, work.session, "tell"), words="x" * 5_000)
    assert f"… and {len(work.read('_inbox.md')) - 4_000:,} characters more" in ann.open(url(work.session))


def test_what_cannot_be_heard_is_refused_and_kept(ann: Browser, work: Work) -> None:
    tell = form(ann, work.session, "tell")
    work.session.record(Halted(condition=Condition.DONE))
    refused = ann.send(tell, words="too late")
    assert refused.status_code == 409 and "is done, so no child reads it" in refused.text
    assert offers(ann, work.session) >= {"resume", "archive"} and "tell" not in offers(ann, work.session)


def test_what_is_offered_fits_the_session(ann: Browser, work: Work) -> None:
    assert offers(ann, work.session) == {"resume", "tell", "rewind", "fork"}
    work.live()
    assert offers(ann, work.session) == {"tell", "stop"}
    work.die()
    work.block("vetoed 3 times by plan: item 1.4 is not ticked", say=False)
    assert offers(ann, work.session) == {"resume", "tell", "waive", "rewind", "fork"}
    work.session.record(Halted(condition=Condition.DONE))
    assert offers(ann, work.session) == {"resume", "archive", "rewind", "fork"}


def test_it_goes_on_with_words_and_settings_as_the_command_has_them(ann: Browser, work: Work, asked: Asked) -> None:
    typed = {"words": "use sqlite", "provider": "codex", "model": "big", "max_time": "2h", "max_iterations": "7"}
    assert ann.notice(ann.send(form(ann, work.session, "resume"), **typed)) == "It goes on."
    ceilings = {"iterations": 7, "wall": "2h"}
    [(_, how)] = asked
    assert (how.by, how.words, how.now, how.yes) == ("Ann (page)", "use sqlite", False, False)
    assert how.said == {"provider": "codex", "model": "big", "ceilings": ceilings}
    refused = ann.send(form(ann, work.session, "resume"), max_iterations="many", words="kept")
    assert "so many iterations: a whole number, please, and not &#39;many&#39;" in refused.text
    assert ann.form_in(refused.text, "/resume").fields["words"] == "kept"
    assert len(asked) == 1


def test_resume_sent_twice_starts_one_worker_and_tells_once(ann: Browser, work: Work, asked: Asked) -> None:
    resume = form(ann, work.session, "resume")
    ann.send(resume, words="go on")
    work.live()
    assert ann.notice(ann.send(resume, words="go on")) == "A worker is at work on it."
    refused = ann.send(resume, words="something else")
    assert refused.status_code == 409 and "your words were not taken" in refused.text
    work.die()
    ann.send(resume, words="go on")
    assert [how.words for _, how in asked] == ["go on", ""]


def test_one_more_thing_needs_words(ann: Browser, work: Work, asked: Asked) -> None:
    work.session.record(Halted(condition=Condition.DONE))
    assert ann.send(form(ann, work.session, "resume")).status_code == 409
    ann.send(form(ann, work.session, "resume"), words="a README too")
    assert [how.words for _, how in asked] == ["a README too"]


def test_something_is_let_pass_with_a_reason(ann: Browser, work: Work) -> None:
    work.block("vetoed 3 times by plan: item 1.4 is not ticked", say=False)
    waive = form(ann, work.session, "waive")
    assert waive.choices["waived"][0] == "plan"
    assert ann.send(waive).status_code == 409
    assert ann.send(waive, waived="everything", why="x").status_code == 409
    assert "plan vetoes no longer" in ann.notice(ann.send(waive, why="for another session"))
    [record] = [one for one in Session(work.dir).journal.read() if isinstance(one, RoomRecord)]
    assert record.values == {"name": "plan", "why": "for another session", "by": "Ann (page)"}


def test_what_is_proposed_is_taken_where_it_was_chosen(ann: Browser, work: Work) -> None:
    lines = [{"line": f"fact {number}", "evidence": f"test {number}"} for number in (1, 2)]
    work.session.record(RoomRecord(name="learned.proposed", values={"lines": lines}))
    work.session.record(Halted(condition=Condition.DONE))
    learn = form(ann, work.session, "learn")
    assert "take.1" not in learn.fields and ann.send(learn).status_code == 409
    assert ann.send(learn, **{"take.2": "yes"}).status_code == 303
    taken = (work.root / ".samoloop" / "learned.md").read_text()
    assert "fact 2" in taken and "fact 1" not in taken
    assert ann.send(learn, **{"take.1": "yes", "seen": "another"}).status_code == 409


def test_where_the_file_of_what_was_learned_cannot_be_read_all_else_is_there_and_taking_says_why(
    ann: Browser, work: Work
) -> None:
    line = {"line": "fact", "evidence": "test"}
    work.session.record(RoomRecord(name="learned.proposed", values={"lines": [line]}))
    work.session.record(Halted(condition=Condition.DONE))
    file = work.root / ".samoloop" / "learned.md"
    file.parent.mkdir()
    file.write_bytes(b"- \xff\n")
    ann.open(url_of(work.session))
    refused = ann.send(form(ann, work.session, "learn"), **{"take.1": "yes"})
    assert refused.status_code == 409 and "is not UTF-8 text: mend it in an editor" in refused.text
    assert file.read_bytes() == b"- \xff\n"


def test_no_act_is_done_by_looking(ann: Browser, work: Work) -> None:
    for word in ("tell", "stop", "resume", "fork", "archive", "waive", "learn"):
        assert ann.client.get(f"{url(work.session, word)}?words=x").status_code in (404, 405)
    assert work.read("_inbox.md") == ""


# --- with a real worker -----------------------------------------------------------------------------------------------

STEPS = """
case $SAMOLOOP_PHASE in
investigation) next requirements;;
requirements) if [ -f asked ]; then next planning; else touch asked; ask 'Which <way>?'; fi;;
planning) echo "the plan" > 11-21-0900-plan-x.md; [ $SAMOLOOP_ITERATION = 4 ] || echo more >> 11-21-0900-plan-x.md
  plan 11-21-0900-plan-x.md;;
implementation) cd "$SAMOLOOP_WORKTREE"; echo one > one.txt; git add one.txt
  git -c user.name=C -c user.email=c@x commit -qm "One <file>"
  git -c user.name=C -c user.email=c@x commit --allow-empty -qm "Another <thought>"
  cd "$SAMOLOOP_SESSION_DIR"; signal '{"status": "blocked", "reason": "no database", "needs": "human_decision"}';;
esac
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(make_repo(tmp_path / "repo"), script(tmp_path, STEPS))
    register(found.root, os.environ)
    return found


@pytest.fixture
def built(bench: Bench) -> Session:
    session = bench.session("Add <it>", name="it")
    bench.run(session, yes=True)
    return Session(session.dir)


@pytest.mark.slow
def test_going_back_says_first_what_is_left_and_is_bound_to_that(built: Session) -> None:
    ann = Browser(os.environ, "Ann")
    html = ann.open(f"{url(built, 'rewind')}?iteration=3")
    assert "iteration 4, planning" in html and "iteration 3," not in html
    assert "One &lt;file&gt;" in html and "one.txt | 1 -" in html
    back = ann.form_in(html, "/rewind")
    built.record(RoomRecord(name="some.thing", values={}))
    refused = ann.send(back)
    assert refused.status_code == 409 and "has gone on since you looked" in refused.text
    assert (built.worktree / "one.txt").exists()
    said = ann.notice(ann.send(ann.form_in(refused.text, "/rewind")))
    assert "is back at the end of iteration 3, phase planning." in said
    assert not (built.worktree / "one.txt").exists()
    assert ann.client.get(f"{url(built, 'rewind')}?iteration=77").status_code == 409


@pytest.mark.slow
def test_of_much_that_going_back_would_leave_it_says_how_much_more_there_is(
    built: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_COMMITS", 1)
    monkeypatch.setattr(page, "_STAT", 12)
    html = Browser(os.environ).open(f"{url(built, 'rewind')}?iteration=3")
    assert "1 earlier ones, and:" in html and "Another &lt;thought&gt;" in html and "One &lt;file&gt;" not in html
    assert re.search(r"one.txt.*… and \d+ characters more", html)


@pytest.mark.slow
def test_a_fork_is_another_session_and_its_page_follows(bench: Bench, built: Session) -> None:
    ann = Browser(os.environ, "Ann")
    fork = ann.form(url(built), "/fork")
    assert fork.choices["iteration"] == ["5", "4", "3", "2", "1", "0"]
    refused = ann.send(fork, iteration="1", session="../x")
    assert refused.status_code == 409 and ann.form_in(refused.text, "/fork").fields["iteration"] == "1"
    sent = ann.send(fork, iteration="1", session="other")
    assert "It starts after iteration 1" in ann.notice(sent) and sent.headers["location"].endswith("-other")
    assert "other" in git(bench.root, "branch", "--list", "samoloop/other")
    refused = ann.send(fork, iteration="1", session="other")
    assert refused.status_code == 409 and "there is a session other already" in refused.text


AT_WORK = """
case $SAMOLOOP_PHASE in
investigation) touch begun; while [ ! -e go-on ]; do sleep 0.02; done; next requirements;;
requirements) touch asks; while [ ! -e go-on ]; do sleep 0.02; done; ask 'Which way?';;
esac
"""


@pytest.mark.slow
def test_a_session_at_work_is_stopped_after_its_iteration_or_at_once(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, AT_WORK)
    assert samoloop(root, "run", "Add it", "--session", "it", "--detach").returncode == 0
    [folder] = (root / "_sessions").glob("*-it")
    session = Session(folder)

    def rests(condition: Condition) -> bool:
        return Session(folder).state().condition is condition and not is_held(session.control / LOCK)

    until((folder / "begun").exists)
    with served(root) as person:
        ann = person("Ann")
        stop = form(ann, session, "stop")
        assert ann.notice(ann.press_in(stop, "Stop after this iteration")) == "It stops after this iteration."
        (folder / "go-on").touch()
        until(lambda: rests(Condition.STOPPED))
        assert ann.notice(ann.press_in(stop, "Stop after this iteration")) == "No worker is at work on it."
        (folder / "go-on").unlink()
        assert ann.notice(ann.press(url(session), "Go on")) == "It goes on."
        until((folder / "asks").exists)
        now = "Stop now: the iteration runs again later"
        assert ann.notice(ann.press(url(session), now)) == "It stops now."
        until(lambda: rests(Condition.STOPPED))
        (folder / "go-on").touch()
        assert ann.notice(ann.press(url(session), "Go on")) == "It goes on."
        until(lambda: Session(folder).state().condition is Condition.WAITING)
        assert ann.notice(ann.press(url(session), now)) == "It stops now."
        until(lambda: not is_held(session.control / LOCK))
    begun = [(one.iteration, one.attempt) for one in session.journal.read() if isinstance(one, Started)]
    assert begun == [(1, 1), (2, 1), (2, 2)]


@pytest.mark.slow
def test_what_is_done_is_put_away_once_and_nothing_else_is(tmp_path: Path) -> None:
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))
    register(bench.root, os.environ)
    session, ann = bench.session("Add it", name="it"), Browser(os.environ, "Ann")
    token = form(ann, session, "tell").fields["token"]
    refused = ann.post(url(session, "archive"), {"token": token})
    assert refused.status_code == 409 and "It is not done, so it is not put away" in refused.text
    bench.run(session, yes=True)
    archive = form(ann, session, "archive")
    assert session.worktree.exists()
    said = ann.notice(ann.press_in(archive, "Archive"))
    assert said == f"Removed the worktree of {session.name}; branch {session.branch} and {session.dir} stay."
    assert not session.worktree.exists() and git(bench.root, "branch", "--list", session.branch)
    assert "was archived already" in ann.notice(ann.press_in(archive, "Archive"))
    [archived] = [one for one in Session(session.dir).journal.read() if isinstance(one, Archived)]
    assert archived.by == "Ann (page)" and "archive" not in offers(ann, session)


@pytest.mark.slow
def test_what_is_decided_on_the_page_starts_a_worker_that_stays_when_the_page_is_closed(bench: Bench) -> None:
    (bench.root / ".samoloop.yaml").write_text(json.dumps(bench.said))
    assert samoloop(bench.root, "run", "Add <it>", "--session", "it", "--no-wait").returncode == 3
    [folder] = (bench.root / "_sessions").glob("*-it")

    def waits_for(kind: str) -> bool:
        gate = Session(folder).state().gate
        return gate is not None and gate.shown and gate.kind == kind

    with served(bench.root) as person:
        ann, bob = person("Ann"), person("Bob")
        of_bob = bob.form(url(Session(folder), "gate"), "/answer")
        answer = ann.form(url(Session(folder), "gate"), "/answer")
        assert ann.notice(ann.send(answer, **{"pick.Q1": "B"})) == "Q1 answered, that was all. The session goes on."
        until(lambda: waits_for("plan_approval"))
        refused = bob.send(of_bob, **{"words.Q1": "my words"})
        assert refused.status_code == 409
        assert "Q1 answered by Ann (page), at " in refused.text and "my words" in refused.text
        approve = bob.form_in(refused.text, "/approve")
        (folder / "11-21-0900-plan-x.md").write_text("another plan\n")
        changed = bob.send(approve)
        assert changed.status_code == 409 and "<ins>+another plan</ins>" in changed.text
        ask = bob.send(bob.form_in(changed.text, "/changes"), comment="say more")
        assert bob.notice(ask).startswith("Changes requested")
        until(lambda: waits_for("plan_approval") and Session(folder).state().iteration == 5)
        html = bob.open(url(Session(folder), "gate"))
        assert "What changed since the plan that was shown before" in html and "<ins>+more</ins>" in html
        assert bob.notice(bob.send(bob.form_in(html, "/approve"))).startswith("Approved.")
    until(lambda: Session(folder).state().condition is Condition.BLOCKED)
    until(lambda: not is_held(Session(folder).control / LOCK))
    by = [(one.verdict, one.by) for one in Session(folder).journal.read() if isinstance(one, GateClosed)]
    assert by == [("answered", "Ann (page)"), ("changes", "Bob (page)"), ("approve", "Bob (page)")]


@pytest.mark.slow
def test_settings_that_nobody_has_seen_are_shown_before_it_goes_on(bench: Bench) -> None:
    settings = bench.root / ".samoloop.yaml"
    settings.write_text(json.dumps(bench.said))
    samoloop(bench.root, "run", "Add <it>", "--session", "it", "--no-wait")
    [folder] = (bench.root / "_sessions").glob("*-it")
    settings.write_text(json.dumps({**bench.said, "setup": "echo <owned>"}))
    with served(bench.root) as person:
        ann = person("Ann")
        answer = ann.form(url(Session(folder), "gate"), "/answer")
        said = ann.notice(ann.send(answer, **{"pick.Q1": "B"}))
        assert said.startswith("Q1 answered, that was all. The session could not go on: the settings in ")
        refused = ann.send(form(ann, Session(folder), "resume"), words="kept")
        assert refused.status_code == 409 and "echo &lt;owned&gt;" in refused.text
        [again] = [one for one in forms_in(refused.text) if "shown" in one.fields]
        settings.write_text(json.dumps({**bench.said, "setup": "echo again"}))
        once_more = ann.send(again)
        assert once_more.status_code == 409, "they have changed once more"
        [again] = [one for one in forms_in(once_more.text) if "shown" in one.fields]
        assert ann.notice(ann.send(again)) == "It goes on."
    until(lambda: "> From Ann (page):\n> kept" in (gates.read_text(folder / "_guidance.md") or ""))
    samoloop(bench.root, "stop", "it", "--now")
    until(lambda: not is_held(Session(folder).control / LOCK))
