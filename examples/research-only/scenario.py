"""A question about the code. What is found decides the places in the answer; no file is changed."""

import re
from collections.abc import Sequence

from samoloop.demo.scenario import Scenario
from samoloop.demo.visit import CannotGoOn, Hit

# [[words]] becomes the place of the line that holds these words.
ANSWER = """\
Each caller has a token bucket ([[class Bucket]]), looked up by its API key ([[self._buckets.setdefault]]). It starts
full, with as many tokens as the plan's burst ([[float(rate.burst)]]), and refills with time when it is next asked
([[def _refill]]).

Callers without a key share one bucket of the rate for strangers ([[ANONYMOUS_RATE = ]]). A key that nobody knows gets
that rate too ([[keys.get(key, ANONYMOUS)]]), but a bucket of its own: strangers evade the limit by making up keys.

Who has spent its tokens gets 429 ([[Response(429]]) with the seconds until the next one, rounded up ([[math.ceil]]).
Some paths are never limited ([[EXEMPT = ]]).

The buckets are in the memory of one process ([[self._buckets: dict]]): a restart fills them all, several processes each
allow the whole rate, and no bucket is ever removed."""


def explain(hits: Sequence[Hit]) -> str:
    def place(words: re.Match[str]) -> str:
        hit = next((hit for hit in hits if words[1] in hit.text), None)
        if hit is None:
            raise CannotGoOn(f"the code that the answer rests on is not there: {words[1]}")
        return f"`{hit.place}`"

    return re.sub(r"\[\[(.*?)\]\]", place, ANSWER)


SCENARIO = Scenario(
    slug="rate-limiting",
    look_for=("bucket", "refill", "rate", "burst", "429", "retry-after", "EXEMPT", "ANONYMOUS", "math.ceil"),
    explain=explain,
    tests=("python", "-m", "unittest"),
)
