"""A cost that cannot be told: said once for each model, for a ceiling of cost cannot hold it."""

from collections.abc import Sequence

from samoloop.config import prices
from samoloop.config.project import user_file
from samoloop.core.evidence import Evidence
from samoloop.core.records import RoomRecord
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

RECORD = "prices.unknown"


def say_unpriced(worker: Worker, finished: Finished) -> Sequence[Evidence]:
    """Say that the price of the child's model is not known, once a session. A station of a worker; no evidence."""
    usage, started = finished.outcome.usage, finished.started
    if usage.cost_usd is not None or usage.output_tokens is None:
        return ()
    model = usage.model or started.model or ""
    known = (record for record in worker.session.journal if isinstance(record, RoomRecord) and record.name == RECORD)
    if any(record.values.get("model") == model for record in known):
        return ()
    if model:
        why = (
            f"the price of {model} is not in the table of {prices.listed().date}, so its cost is unknown: add it under "
            f"prices in {user_file(worker.environ)}"
        )
    else:
        why = f"{started.provider} does not say which model it used, so its cost is unknown: name one with --model"
    worker.session.record(RoomRecord(name=RECORD, values={"model": model, "why": why}))
    worker.view.say(why)
    return ()
