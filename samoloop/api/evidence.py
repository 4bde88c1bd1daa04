"""Whether what would be merged is what was checked."""

from collections.abc import Mapping
from typing import Any

from samoloop.api.assembly import onlooker
from samoloop.base.values import frozen
from samoloop.checks import judging, receipts
from samoloop.checks.receipts import Judged, Receipt
from samoloop.core import fields
from samoloop.core.session import Session


@frozen
class Found:
    """The receipts of a session, held against its branch as it is now."""

    session: str
    branch: str
    commit: str  # empty where the branch is gone
    tree: str
    judged: tuple[Judged, ...]  # at this tree
    missing: tuple[str, ...]  # checks that were not run at this tree
    receipts: tuple[Receipt, ...]
    sentence: str

    @property
    def checked(self) -> bool:
        """The tree that would be merged is the one that was checked, and every check was green or waived."""
        good = all(judged.verdict in judging.GOOD for judged in self.judged)
        return bool(self.commit and self.judged) and good and not self.missing

    def to_json(self) -> dict[str, Any]:
        return {
            "session": self.session,
            "branch": self.branch,
            "commit": self.commit,
            "tree": self.tree,
            "checked": self.checked,
            "sentence": self.sentence,
            "checks": [fields.to_json(judged) for judged in self.judged],
            "missing": list(self.missing),
            "receipts": [fields.to_json(receipt) for receipt in self.receipts],
        }


def look(session: Session, environ: Mapping[str, str]) -> Found:
    """What the journal says of the tree at the tip of the session's branch."""
    worker = onlooker(session, environ)
    store, branch = worker.store, worker.state.created.branch
    standing = receipts.standing(session.journal)
    commit = store.ref(f"refs/heads/{branch}") if store.git_dir.is_dir() else None
    tree = store.line("rev-parse", f"{commit}^{{tree}}") if commit else ""
    judged = standing.at(tree)
    known = {found.check for found in judged}
    missing = tuple(check.name for check in standing.checks if check.name not in known)
    return Found(
        session.name,
        branch,
        commit or "",
        tree,
        judged,
        missing,
        tuple(receipt for receipt in standing.receipts if receipt.tree == tree),
        _sentence(standing, branch, commit, judged, missing),
    )


def _sentence(
    standing: receipts.Standing,
    branch: str,
    commit: str | None,
    judged: tuple[Judged, ...],
    missing: tuple[str, ...],
) -> str:
    if commit is None:
        return f"the branch {branch} is gone, so there is nothing that was checked"
    if not standing.checks and not judged:
        return f"unchecked: {standing.why_unchecked.removeprefix('unchecked: ')}"
    bad = [found.said for found in judged if found.verdict not in judging.GOOD]
    if missing and not judged and standing.judged:
        last = standing.judged[-1].tree
        return f"{branch} is not what was checked: its tree at {commit[:12]} is another one than {last[:12]}"
    if missing:
        return f"{branch} at {commit[:12]} was not checked by {', '.join(missing)}"
    if bad:
        return f"{branch} at {commit[:12]}: {'; '.join(bad)}"
    return f"{branch} at {commit[:12]} is what samoloop checked: {'; '.join(found.said for found in judged)}"
