"""The scripted child: `python -m samoloop.demo.child SCENARIO [PERMISSIONS]`, a process like any child CLI.

The prompt comes on standard input, the paths from the environment that every child gets, events go to standard output.
What it does is written down, so it does the same under every permission.
`SAMOLOOP_DEMO_PACE` is how many seconds each step pauses so that a person can follow; 0 where it is not set.
"""

import os
import sys

from samoloop.demo.acts import play
from samoloop.demo.events import Events
from samoloop.demo.scenario import load
from samoloop.demo.visit import CannotGoOn, Visit
from samoloop.providers import PACE


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: python -m samoloop.demo.child SCENARIO [PERMISSIONS]", file=sys.stderr)
        return 2
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    events = Events(sys.stdout, float(os.environ.get(PACE) or 0))
    events.started(f"script-{os.getpid()}")
    visit = Visit(os.environ, prompt, events)
    words = "one action done"
    try:
        play(visit, load(arguments[0]))
    except CannotGoOn as error:
        words = f"I cannot go on: {error}"
        visit.look_back(words, "a person looks at it")
        reason = {"reason": str(error), "needs": "error_resolution"}
        visit.signal({"status": "blocked", "phase": visit.phase, **reason})
    events.usage()
    events.result(True, words)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
