"""A check: a command that tells whether the project's own tests pass."""

from samoloop.base.files import sha256
from samoloop.core.fields import Fields

SECONDS = 1800  # that a check may take, where nobody says otherwise
SETTINGS, PLAN = "settings", "plan"  # sources of a check beside the files of the project


class Check(Fields):
    """One command, and where it was found."""

    name: str
    command: str  # for `sh -c`
    source: str  # `settings`, `plan`, or the file by which it was found
    folder: str = ""  # in which it runs, relative to the project; empty: the project's own
    phases: tuple[str, ...] = ()  # on leaving which it runs; empty: those that the workflow says
    seconds: int = SECONDS
    junit: tuple[str, ...] = ()  # patterns of the files that the runner writes its results to, relative to the folder
    behind: str = ""  # the file that says what the command does, relative to the project: package.json, Makefile
    defined: str = ""  # what it says at the base: the script of `npm test`, the recipe of `make test`

    @property
    def definition(self) -> str:
        """What tells this check from another one of the same name."""
        return sha256("\0".join((self.command, self.folder, self.defined, *self.junit)))

    @property
    def is_found(self) -> bool:
        """Whether nobody asked for it: it was found by the project's own files."""
        return self.source not in (SETTINGS, PLAN)
