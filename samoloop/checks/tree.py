"""Facts of the tree: what a phase changed that it may not change, and work that is not there any more."""

import re
from collections.abc import Mapping, Sequence

from samoloop.base.errors import GitError
from samoloop.base.files import tail
from samoloop.checks.lived import first_after_approval, lived
from samoloop.checks.paths import may_hold_tests
from samoloop.core import gates, signals
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.signals import Signal
from samoloop.core.workflow import Changes
from samoloop.git.commit import Committed, put_back
from samoloop.git.compare import added_paths, changed_paths, put_back_by
from samoloop.git.secrets import looks_like_a_secret
from samoloop.worker.keeping import base_of
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "tree"
_BOUND = frozenset({Changes.NOTHING, Changes.TESTS})
_NAMED, _LONGEST = 5, 100  # files that a sentence names, and characters of each
_MOST_READ = 1000  # new files that are looked at for secrets
_WHOLE = 600  # characters of a sentence with git's words
_REFLOG_BYTES = 200_000
_MADE = re.compile(r"\S+ (\S+) .*> (\d+) \S+\t(?:commit|cherry-pick|revert|merge)\b")


def beyond(changes: Changes | None, paths: Sequence[str]) -> list[str]:
    """Those of the changed paths that a phase may not change."""
    if changes is Changes.NOTHING:
        return list(paths)
    return [path for path in paths if not may_hold_tests(path)] if changes is Changes.TESTS else []


def made(reflog: str, since: float, head: str) -> list[str]:
    """The commits that were made since then (epoch seconds) on top of `head`, by HEAD's log."""
    lines = reflog.splitlines()
    at_head = (n for n, line in enumerate(lines) if line.split(" ", 2)[1:2] == [head])
    found = (_MADE.match(line) for line in lines[next(at_head, -1) + 1 :])
    return [match[1] for match in found if match and int(match[2]) >= int(since)]


def note_tree(worker: Worker) -> Mapping[str, str]:
    """The worktree before a child that may not change it, with what setup or a person left there. A station of a
    worker, which looks.
    """
    changes = worker.state.live_workflow.phase(worker.state.phase).changes
    return {SOURCE: worker.worktree.snapshot().commit} if worker.config.commit and changes in _BOUND else {}


def tree_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What git tells of the child's work. What its phase may not change is put back. A station of a worker."""
    committed, since = finished.committed, finished.started.head
    if committed is None or committed.blocked or committed.unfinished or not since:
        return []
    changes = worker.state.live_workflow.phase(finished.started.phase).changes
    found = [*_secrets(worker, committed, since), *_put_back(worker, finished, committed, changes)]
    if not finished.leaves():
        return found
    if committed.rewritten:
        why = f"History was rewritten in this iteration: {since[:12]} is no longer in the branch"
        found.append(
            _veto(f"{why}. See that nothing is lost (`git diff {since[:12]} HEAD`), and do not rewrite again.")
        )
    if changes is Changes.CODE:
        found += _nothing_there(worker, finished, committed, since)
    return found


def _nothing_there(worker: Worker, finished: Finished, committed: Committed, since: str) -> list[Evidence]:
    store, worktree, now = worker.store, worker.worktree, committed.snapshot
    if not changed_paths(store, base_of(worker, now.commit), now.commit):
        return [_veto("The branch has no change against its base, so nothing is implemented.")]
    begun = first_after_approval(lived(worker.session.journal), finished.started.phase)
    if begun and begun.head and not changed_paths(store, begun.head, now.commit):
        return [_veto("The branch has no change since the plan was approved, so nothing is implemented.")]
    log = tail(worktree.git_dir / "logs" / "HEAD", _REFLOG_BYTES)
    if worktree.tree_of(since) == now.tree and (lost := made(log, finished.started.time, since)):
        why = f"Work was committed in this iteration and is no longer in the branch: {lost[-1][:12]}"
        return [_veto(f"{why}. Bring it back (`git cherry-pick {lost[-1][:12]}`), or do the item again.")]
    return []


def _secrets(worker: Worker, committed: Committed, since: str) -> list[Evidence]:
    """New files that the child itself committed."""
    root, now = worker.worktree.root, committed.last_of_child
    added = added_paths(worker.store, since, now) if since != now else []
    found = [path for path in added[:_MOST_READ] if looks_like_a_secret(root, path)]
    if not found:
        return []
    why = f"{_names(found)}: it was committed and looks like a secret. If it is one, take it out and have it changed"
    return [Evidence(SOURCE, Weight.NOTE, why)]


def _names(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(path[:_LONGEST].encode(errors="replace").decode() for path in paths[:_NAMED]) + more


def _put_back(worker: Worker, finished: Finished, committed: Committed, changes: Changes | None) -> list[Evidence]:
    since = finished.started.seen.get(SOURCE)
    if changes not in _BOUND or since is None:
        return []
    started, worktree = finished.started, worker.worktree
    message = f"samoloop: put back what iteration {started.iteration} ({started.phase}) may not change"
    now = committed.snapshot.head
    store, known = worker.store, None
    if finished.adopted:  # an earlier worker may have done so, and died before it could say it
        known = put_back_by(store, now, message)
    if not known and worktree.tree_of(since) == committed.snapshot.tree:
        return []
    wrong = changed_paths(store, known, now) if known else beyond(changes, changed_paths(store, since, now))
    asked = _asked_for(worker, finished)
    wrong = [path for path in wrong if path != asked]
    if not wrong:
        return []
    named = _names(wrong)
    only = "nothing in the project" if changes is Changes.NOTHING else "only tests"
    if worktree.is_in_place:
        return [Evidence(SOURCE, Weight.NOTE, f"{started.phase} changes {only}, and {named} was changed")]
    if not known:
        try:
            put_back(worktree, wrong, since, message)
        except GitError as error:
            return [Evidence(SOURCE, Weight.NOTE, f"{named} was changed and could not be put back: {error}"[:_WHOLE])]
    why = f"{started.phase} changes {only}: {named} was put back to {since[:12]}; what it was is in {known or now:.12}"
    worker.view.say(why)
    return [Evidence(SOURCE, Weight.NOTE, why)]


def _asked_for(worker: Worker, finished: Finished) -> str:
    """The file of the worktree that a person is asked to fill in or to approve; empty where there is none."""
    signal = signals.read(worker.session.dir / signals.FILE_NAME)
    if not (finished.wanted and finished.wanted.gate and isinstance(signal, Signal) and signal.file):
        return ""
    root = worker.session.worktree
    path = gates.behaviour(finished.wanted.gate).named(signal.file, worker.session.dir, root)
    return path.relative_to(root).as_posix() if path and path.is_relative_to(root) else ""


def _veto(why: str) -> Evidence:
    return Evidence(SOURCE, Weight.VETO, why)
