"""What a person types wrong: each is answered by what happened, with which value, and what to do. Nothing changes."""

from pathlib import Path

import pytest
import recorded
from kit import git, make_repo

from samoloop.core.records import Archived
from samoloop.ui.cli import main

TABLE = [
    # commands
    ("stauts", "did you mean samoloop status?"),
    ("Status", "did you mean samoloop status?"),
    ("ps", "did you mean samoloop list?"),
    ("version", "did you mean samoloop --version?"),
    ("-v", "did you mean samoloop --version?"),
    ("--list", "there is no option --list: did you mean samoloop list?"),
    ("kill auth", "did you mean samoloop stop?"),
    ("merge auth", "did you mean samoloop show?"),
    ("undo", "did you mean samoloop rewind?"),
    ("frobnicate", "'frobnicate': samoloop --help lists them"),
    ("workflows lsit", "'lsit'. Did you mean 'list'?"),
    ("signal chekc x", "Did you mean 'check'?"),
    # options
    ("status --jsno", "samoloop status has no option --jsno (did you mean --json?)"),
    ("resume auth --yess", "has no option --yess (did you mean --yes?)"),
    ("run x --provder demo", "has no option --provder (did you mean --pro"),
    ("run x -m hello", "samoloop run has no option -m; samoloop run --help lists them"),
    ("run x --max-cost free", "'free' is no number"),
    ("run x --max-cost -1", "-1.0 will not do: it must be more than 0"),
    ("run x --max-iterations 0", "0 will not do: it must be 1 or more"),
    ("up --jobs 500", "500 will not do: it must be 1 to 100"),
    ("run x --max-time 2hours", "--max-time: a duration is 30m, 90s, 2h or whole seconds, got '2hours'"),
    ("run x --effort hihg", "'hihg' is not one of 'low', 'standard', 'high', 'max' (did you mean high?)"),
    ("run x --model", "requires an argument"),
    ("log auth -n x", "'x' is no number"),
    # values
    ("run x --provider deno", "--provider: there is no provider 'deno' (did you mean demo?)"),
    ("run x --profile architct", "there is no profile 'architct' (did you mean architect?)"),
    ("run x --provider demo --workflow feture", "there is no workflow 'feture' (did you mean feature?)"),
    ("run x --provider demo --until plan", "--until 'plan' (did you mean planning?)"),
    ("run x --focus securty", "did you mean security?"),
    ("run x --from nosuch", "there is no session 'nosuch'"),
    ("workflows show feture", "did you mean feature?"),
    ("skills run dvie", "there is no skill 'dvie' (did you mean dive?)"),
    ("example run hello", "there is no example 'hello' (did you mean hello-agent?)"),
    ("completion install tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ("projects forget /nowhere", "/nowhere is not a registered project"),
    ("report auth --html /nowhere/x.html", "the report cannot be written to /nowhere/x.html"),
    # sessions
    ("status atuh", "there is no session 'atuh' (did you mean auth?)"),
    ("status fix", "'fix' is the beginning of several sessions; which one: "),
    ("status auth fix-b", "Got unexpected extra argument (fix-b); for example: samoloop status"),
    ("list auth", "one session is shown by: samoloop status SESSION"),
    ("resume", "which session? name one of: "),
    # tasks and words
    ("run status", "'status' is a command, and no task: samoloop status"),
    ("run Add JWT auth", 'put the task in quotes: samoloop run "Add JWT auth"'),
    ("run --file nowhere.md", "cannot be read from nowhere.md: No such file"),
    ("resume auth now!", "guidance goes with -m"),
    ("tell auth", 'say what the next child should know: samoloop tell auth "..."'),
    ("tell aut", 'say what the next child should know: samoloop tell aut "..."'),
    ("tell auth use sqlite", 'put the guidance in quotes: samoloop tell SESSION "..."'),
    # gates
    ("answer auth A", "an answer is written Q1=A or Q1='words', got 'A'"),
    ("answer auth Q9=A", "no question Q9 waits; waiting: Q1"),
    ("answer auth Q1=Z", "Q1 has the options A, B, got 'Z'"),
    ("answer auth Q1=", "the answer to Q1 says nothing"),
    ("answer auth done", "does not wait for something to be done: it waits for answers to Q1; next: samoloop"),
    ("approve auth", "does not wait for a decision on a plan: it waits for answers to Q1; next: samoloop"),
    ("changes auth", "what should change goes with -m"),
    ("waive tree", "Missing option '-m' / '--message'; for example: samoloop waive plan -m \"item"),
    # the way back
    ("rewind 3", "Missing argument 'ITERATION'; for example: samoloop rewind auth 4"),
    ("rewind auth four", "'four' is no number"),
    ("fork auth 1", "Missing option '--session'; for example: samoloop fork auth 4 --session auth-sqlite"),
    ("diff auth --plan --stat", "--plan compares two plans: leave out"),
    ("archive auth", "samoloop archive 26-11-20-auth --force"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions, of which one asks."""
    root = make_repo(tmp_path_factory.mktemp("wrong") / "repo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root.parent))
        auth = recorded.make_session(root, "26-11-20-auth", in_place=False)
        recorded.iterate(auth, "requirements")
        recorded.ask_questions(auth, "Q1")
        recorded.make_session(root, "26-11-21-fix-a")
        recorded.make_session(root, "26-11-22-fix-b").record(Archived(by="ada"))
    (root / ".samoloop.yaml").write_text("provider: demo\n")
    return root


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    text = capsys.readouterr().err
    assert ended.value.code == 2, text
    return text


def kept(project: Path) -> dict[Path, bytes]:
    """All that a session is, and which there are."""
    files = (
        path
        for path in (project / "_sessions").rglob("*")
        if path.is_file() and not path.name.endswith(("lock", "_wake"))
    )
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize(("line", "says"), TABLE, ids=[line for line, _ in TABLE])
def test_what_was_typed_wrong_is_answered(
    project: Path, line: str, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(project.parent))
    before = kept(project)
    text = told(line.split(), capsys)
    assert says in text
    assert "Traceback" not in text and all(len(one) < 700 for one in text.splitlines())
    assert kept(project) == before
    assert git(project, "branch", "--list", "samoloop/*") == ""
