"""What breaks in the relay: said once, tried again, ever more rarely, and it silences nothing else."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable

from samoloop.base.errors import SamoloopError
from samoloop.base.values import frozen
from samoloop.ui.telegram.api import LONGEST_WAIT_SECONDS, Api, Outage, Refused, TokenRefused, Unsent

log = logging.getLogger(__name__)


@frozen
class Pace:
    """How patient the relay is, in seconds."""

    poll: int = 50  # a long poll's length
    tick: float = 1.0  # how often the sessions' folders are looked at where nobody rings
    part: float = 1.0  # how long the next part of a long message may take
    first_wait: float = 1.0  # after a failure; doubled up to `longest_wait`
    longest_wait: float = LONGEST_WAIT_SECONDS
    status: float = 15.0  # between two edits of a status: a group takes twenty messages a minute
    told: float = 5.0  # after which trouble is told
    left: float = 30.0  # an update of another machine's session is left to it


class Supervision:
    """The troubles of one relay, by what does not work."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api = api
        self._waits = pace.first_wait, pace.longest_wait
        self._troubles: dict[str, Outage] = {}

    async def keep(self, part: str, go_round: Callable[[], Awaitable[None]], until: asyncio.Event) -> None:
        """One round after the other, whatever becomes of one."""
        while not until.is_set():
            await self.guarded(part, go_round)
            while self.trouble(part).waits:
                await asyncio.sleep(self._waits[0])

    async def guarded(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """One broken session or message does not silence the others: it is said once, and its tries grow rare."""
        trouble = self.trouble(what)
        if trouble.waits:
            return
        try:
            await work()
        except TokenRefused:
            raise
        except Unsent:
            pass  # the outage is known
        except (Refused, SamoloopError, OSError) as error:
            trouble.failed(str(error))
        except Exception as error:
            if repr(error) != trouble.why:
                self.log_traceback(what)
            trouble.failed(repr(error))
        else:
            trouble.over()
            self._troubles.pop(what, None)  # of what works nothing is kept

    def trouble(self, what: str) -> Outage:
        return self._troubles.setdefault(what, Outage(what, *self._waits))

    def log_traceback(self, what: str) -> None:
        """As the others see it: without the token, which a library may have put into an exception's text."""
        log.error("Telegram: %s\n%s", what, self._api.scrub(traceback.format_exc()))
