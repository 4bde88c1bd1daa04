"""A session's checks, run at one tree and judged: what the journal knows already is not run again."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from samoloop.base.durations import format_seconds
from samoloop.base.errors import ProviderError
from samoloop.base.files import put_folder, sha256
from samoloop.checks import background, copies, judging, receipts, running, swap
from samoloop.checks.check import Check
from samoloop.checks.judging import Rules, Runs
from samoloop.checks.lived import lived
from samoloop.checks.receipts import Judged, Kind, Outcome, Receipt, Standing
from samoloop.checks.running import Job, Ran
from samoloop.checks.swap import Swap
from samoloop.children import wrapper
from samoloop.children.child import MARKER
from samoloop.core.control import BASE_LOCK, CHILD_LOCK
from samoloop.core.records import Ended
from samoloop.git.tree_files import Change, Entry, changes, entries, texts
from samoloop.worker import box
from samoloop.worker.worker import Worker

SLOW_SECONDS = 60.0  # of a suite whose swap is run at the end only
QUICK_SECONDS = 10.0  # that the first child waits for a look at the base
_TEXT_BYTES = 1_000_000  # of a manifest
_LOST_TRIES = 3  # of a check that something ends from outside


@dataclass
class Examination:
    """The checks of a session at the tree that its worktree holds now."""

    worker: Worker
    base: str  # a commit
    commit: str = ""
    tree: str = ""
    phase: str = ""
    at_end: bool = False
    plan: str = ""  # the approved one's text
    standing: Standing = field(init=False)
    _differences: dict[str, list[Change]] = field(default_factory=dict)
    _trees: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = receipts.standing(self.worker.session.journal)

    # --- what is compared -------------------------------------------------------------------------------------------

    @property
    def base_tree(self) -> str:
        return self.worker.store.line("rev-parse", f"{self.base}^{{tree}}")

    def of_tests(self) -> str:
        """The tree whose tests the code must keep: the base, or, where a phase pinned behaviour, the end of that."""
        pinned = [
            record.head
            for record in lived(self.worker.session.journal)
            if isinstance(record, Ended) and record.phase == "pinning" and record.decision.phase not in ("", "pinning")
        ]
        head = pinned[-1] if pinned else None
        return self.worker.store.line("rev-parse", f"{head}^{{tree}}") if head else self.base_tree

    @property
    def listed(self) -> str:
        """What the approved plan says of tests that will change."""
        return swap.section(self.plan, "tests that will change")

    # --- one check --------------------------------------------------------------------------------------------------

    def judge(self, check: Check, rules: Rules) -> Judged:
        """Run what has to be run, and say what follows."""
        now = self.now(check)
        base = self.standing.newest(check, Kind.BASE, self.base_tree)
        if judging.needs_base(now) and not _tells(base):
            base = self.at_base(check)
        runs = Runs(now, base)
        if now.outcome is Outcome.PASSED and (self.at_end or now.seconds <= SLOW_SECONDS):
            runs = replace(runs, old_tests=self.old_tests(check))
            if runs.old_tests and runs.old_tests.outcome is Outcome.FAILED and base is None:
                runs = replace(runs, base=self.at_base(check))
            if self.at_end:
                runs = replace(runs, new_tests=self.new_tests(check))
        return judging.judge(runs, rules)

    def now(self, check: Check) -> Receipt:
        """The session's own tree, with the command as it was defined at the base."""
        return self._run(check, Kind.NOW, self.tree, self._as_defined(check))

    def at_base(self, check: Check) -> Receipt:
        """The base, in what the worktree has beside it now."""
        return self._run(check, Kind.BASE, self.base_tree, swap.whole(self._changes(self.base_tree), self.base_tree))

    def old_tests(self, check: Check) -> Receipt | None:
        """The tests that were there before, on the session's code; None where none of them was touched."""
        of_tests = self.of_tests()
        found = self._changes(of_tests)
        mixed = self._mixtures(found, of_tests)
        wanted = swap.old_tests(found, of_tests, lambda path: swap.lists(self.listed, path), mixed)
        if wanted.is_empty:
            return None
        defined = self._as_defined(check)
        written = {**defined.written, **wanted.written}
        return self._run(check, Kind.OLD_TESTS, self.tree, replace(wanted, written=written))

    def new_tests(self, check: Check) -> Receipt | None:
        """The session's tests on the code of the base; None where none came or was changed, and where they pin it."""
        base = self.base_tree
        if self.of_tests() != base:
            return None
        wanted = swap.new_tests(self._changes(base), base)
        return None if wanted.is_empty else self._run(check, Kind.NEW_TESTS, self.tree, wanted)

    def _changes(self, old: str) -> list[Change]:
        if old not in self._differences:
            self._differences[old] = changes(self.worker.store, old, self.tree)
        return self._differences[old]

    def _as_defined(self, check: Check) -> Swap:
        """The file behind the check, where a child changed what it says and the approved plan does not list that."""
        if not check.behind or swap.lists(self.listed, check.behind):
            return Swap()
        was, now = (self._texts(tree, [check.behind]) for tree in (self.base_tree, self.tree))
        text = swap.redefined(check, now.get(check.behind, ""), was.get(check.behind, ""))
        return Swap() if text is None else Swap(written={check.behind: text})

    def _mixtures(self, found: Sequence[Change], of_tests: str) -> dict[str, str]:
        paths = swap.partly(found)
        return swap.mixtures(self._texts(of_tests, paths), self._texts(self.tree, paths)) if paths else {}

    def _texts(self, tree: str, paths: Sequence[str]) -> dict[str, str]:
        known = self._files(tree)
        return texts(self.worker.store, [(path, known[path]) for path in paths if path in known], _TEXT_BYTES)

    def _files(self, tree: str) -> dict[str, Entry]:
        if tree not in self._trees:
            self._trees[tree] = entries(self.worker.store, tree)
        return self._trees[tree]

    # --- one run ----------------------------------------------------------------------------------------------------

    def _run(self, check: Check, kind: Kind, tree: str, put: Swap) -> Receipt:
        """What is known of this run already, else what it comes to; a failed one is tried once more."""
        inputs = sha256("\0".join([tree, put.tree, *put.back, "", *put.gone, "", *map(str, put.written.items())]))
        if known := self.standing.receipt(check, kind, inputs):
            return known
        self.worker.view.say(f"check {check.name} ({kind}): {check.command}")
        ran, where, flaky = self._tried(check, kind, put)
        made = self.receipt(check, kind, tree, inputs, ran, where, flaky=flaky)
        self.worker.session.record(receipts.record(receipts.RAN, made))
        self.standing = replace(self.standing, receipts=(*self.standing.receipts, made))
        self.worker.view.say(f"{made.said} ({format_seconds(made.seconds)})")
        return made

    def _tried(self, check: Check, kind: Kind, put: Swap, seconds: float | None = None) -> tuple[Ran, str, bool]:
        """A run, where it was, and whether it failed once and passed then."""
        for _ in range(_LOST_TRIES):
            ran, where = self._ran(check, kind, put, seconds)
            if not ran.is_lost:
                break
        if ran.outcome is not Outcome.FAILED:
            return ran, where, False
        again, where = self._ran(check, kind, put, seconds)
        return (ran, where, True) if again.outcome is Outcome.PASSED else (again, where, False)

    def receipt(
        self, check: Check, kind: Kind, tree: str, inputs: str, ran: Ran, where: str, *, flaky: bool = False
    ) -> Receipt:
        counted = ran.counted
        names = {"failed": counted.failing[: receipts.MOST_NAMES], "skipped": counted.skipping[: receipts.MOST_NAMES]}
        return Receipt(
            check=check.name,
            kind=kind,
            tree=tree,
            inputs=inputs,
            commit=self.base if kind is Kind.BASE else self.commit,
            iteration=self.worker.state.iteration,
            phase=self.phase,
            command=check.command,
            definition=check.definition,
            outcome=ran.outcome,
            exit=ran.exit,
            passed=counted.passed,
            failed=counted.failed,
            skipped=counted.skipped,
            names={word: found for word, found in names.items() if found},
            named=counted.named and len(counted.failing) <= receipts.MOST_NAMES,
            timed_out=ran.timed_out,
            flaky=flaky,
            seconds=round(ran.seconds, 2),
            log=str(ran.log),
            where=where,
            said=said(check, kind, ran, flaky=flaky),
        )

    def _ran(self, check: Check, kind: Kind, put: Swap, seconds: float | None = None) -> tuple[Ran, str]:
        worker = self.worker
        running.end_left(self._marker, worker.session.control / CHILD_LOCK)
        background.clear(worker)
        worker.look_anew()
        stem = self._stem(check, kind)
        try:
            with self._place(put) as (root, within, files, where):
                job = Job(
                    check,
                    root,
                    environ=self._environment(),
                    stem=stem,
                    lock=worker.session.control / CHILD_LOCK,
                    marker=self._marker,
                    within=within,
                    seconds=seconds,
                    swap=files,
                )
                return running.run(job, worker.stop), where
        except (ProviderError, OSError) as error:
            return running.not_run(error, stem), ""

    @contextmanager
    def _place(self, put: Swap) -> Iterator[tuple[Path, list[str], Path | None, str]]:
        """Where it runs, in what, with which files put in place, and how that is called."""
        worker, worktree = self.worker, self.worker.worktree
        root, settings = worktree.root, worker.config.sandboxing(worker.state.phase)
        outer = box.of_session(worker, worker.state.phase)
        within, where = copies.around(settings, outer, root)
        if where == copies.COPY:
            put = replace(put, gone=(*put.gone, *self._bytecode()))
        with ExitStack() as stack:
            files = stack.enter_context(copies.archive(worker.store, put, root))
            if where == copies.WORKTREE and files is None:
                stack.enter_context(copies.put_right(worktree))
            elif where == copies.WORKTREE:
                root = stack.enter_context(copies.moved(root, worker.config.worktrees_dir / f".{root.name}-check"))
                within, _ = copies.around(settings, replace(outer, cwd=root), root)
                where = copies.MOVED
            yield root, within, files, where

    def _bytecode(self) -> tuple[str, ...]:
        """Folders of compiled Python beside the session's own: what a child left there could stand in for a source."""
        sources = {PurePosixPath(path).parent for path in self._files(self.tree) if path.endswith(".py")}
        return tuple(sorted(str(folder / "__pycache__") for folder in sources))

    def _environment(self) -> dict[str, str]:
        started = self.worker.state.open
        around = {MARKER: started.marker} if started else {}  # whoever sweeps behind that child finds it too
        return self.worker.child_environment() | around

    @property
    def _marker(self) -> str:
        return f"check-{sha256(str(self.worker.session.dir))[:16]}"

    def _stem(self, check: Check, kind: Kind) -> Path:
        logs = self.worker.session.logs
        put_folder(logs)
        name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in check.name)[:40]
        start = f"{self.worker.state.iteration:03d}-check-{name}" + ("" if kind is Kind.NOW else f"-{kind.split()[0]}")
        number = 1
        while wrapper.is_used(stem := logs / (start if number == 1 else f"{start}.{number}")):
            number += 1
        return stem

    # --- before the first child -------------------------------------------------------------------------------------

    def look_at_base(self, check: Check) -> bool:
        """Journal what a check says before anybody did anything; False for one that takes too long for that."""
        if self.standing.newest(check, Kind.BASE, self.base_tree):
            return True
        quick = min(QUICK_SECONDS, float(check.seconds))
        ran, where, flaky = self._tried(check, Kind.BASE, Swap(), quick)
        if ran.timed_out and quick < check.seconds:
            return False
        self.saw_base(check, ran, where, flaky=flaky)
        return True

    def saw_base(self, check: Check, ran: Ran, where: str, *, flaky: bool = False) -> None:
        """Journal what a check said of the base."""
        made = self.receipt(check, Kind.BASE, self.base_tree, "", ran, where, flaky=flaky)
        self.worker.session.record(receipts.record(receipts.RAN, made))
        self.worker.view.say(f"before anything was done: {made.said} ({format_seconds(made.seconds)})")

    def in_copy(self, check: Check, copy: Path) -> Job:
        """A run at the base while the first children work: in a copy of the worktree that they cannot reach."""
        worker, phase = self.worker, self.worker.state.phase
        root = worker.worktree.root
        within, _ = copies.around(worker.config.sandboxing(phase), box.of_session(worker, phase), root, copy)
        return Job(
            check,
            root,
            environ=self._environment(),
            stem=self._stem(check, Kind.BASE),
            lock=worker.session.control / BASE_LOCK,
            marker=background.marker(worker),
            within=within,
            beside=True,
        )


def _tells(base: Receipt | None) -> bool:
    """Whether a look at the base can be held against a session that is not green.

    Before the first child much may have been missing that git ignores: what was not green then is looked at again.
    """
    if base is None or base.outcome is Outcome.PASSED:
        return base is not None
    return bool(base.inputs) and (base.outcome is not Outcome.UNVERIFIED or base.timed_out)


def said(check: Check, kind: Kind, ran: Ran, *, flaky: bool) -> str:
    """A run in one sentence."""
    counted = ran.counted
    numbers = [(counted.failed, "failed"), (counted.passed, "passed"), (counted.skipped, "skipped")]
    words = [f"{number} {word}" for number, word in numbers if number]
    if ran.outcome is Outcome.FAILED and not counted.failed:
        words.insert(0, "failed")
    if ran.exit and not (ran.exit < 0 and ran.why):  # it was ended, and why is said
        words.append(f"exit code {ran.exit}")
    if ran.why:
        words.append(ran.why)
    if flaky:
        words.append("it passed when it was run again, so it is flaky, and counts as failed")
    expected = ran.outcome is Outcome.FAILED and kind is Kind.NEW_TESTS and not flaky
    which = {Kind.BASE: " at the base", Kind.OLD_TESTS: ", old tests", Kind.NEW_TESTS: ", new tests on the old code"}
    as_it_should = " (as it should be: there they have to fail)" if expected else ""
    return f"{check.name}{which.get(kind, '')}: {', '.join(words) or ran.outcome}{as_it_should}"
