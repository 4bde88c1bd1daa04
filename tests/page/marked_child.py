"""A child that writes one mark into every field that a child can fill: text, documents, questions, signals, errors.

What the mark becomes is said in `filled.py`. The environment variable MARK names it.
"""

import json
import os
import sys
from pathlib import Path

from texts import TEXTS, file_name

KINDS = (".py", ".html", ".js", ".md", ".css", ".json", ".svg", "")
MARK = os.environ["MARK"]
PHASE = os.environ["SAMOLOOP_PHASE"]
SESSION = Path(os.environ["SAMOLOOP_SESSION_DIR"])
WORKTREE = Path(os.environ["SAMOLOOP_WORKTREE"])

DOCUMENT = f"""# {MARK}

{MARK}

- {MARK}
- **{MARK}** and `{MARK}` and [{MARK}](http://example.org/) and <b title="{MARK}">x</b>

| {MARK} | b |
|---|---|
| {MARK} | c |

```{MARK}
{MARK}
```

> {MARK}

![{MARK}](x.png)

```mermaid
graph TD; A["{MARK}"] --> B
```
"""
QUESTIONS = f"""# Questions

### Q1: {MARK}
{MARK}
A) {MARK}
B) two
**Suggestion:** A - {MARK}
**Answer:** _waiting_

### Q2: What else?
**Suggestion:** {MARK}
**Answer:** _waiting_
"""


def say(kind: str, **fields: object) -> None:
    print(json.dumps({"type": kind, **fields}), flush=True)


def write(kind: str, more: str = "") -> None:
    (SESSION / f"11-21-0900-{kind}-x.md").write_text(f"{DOCUMENT}\n{more}\n{os.environ['SAMOLOOP_ITERATION']}\n")


def signal(**fields: object) -> None:
    file = Path(os.environ["SAMOLOOP_SIGNAL"])
    file.with_suffix(".new").write_text(json.dumps(fields | {"note": MARK}))
    file.with_suffix(".new").rename(file)


def write_files() -> None:
    """Code whose names and content are the hostile texts, in languages that a page may colour."""
    for number, text in enumerate(TEXTS):
        folder = WORKTREE / "texts" / str(number // 20)
        folder.mkdir(parents=True, exist_ok=True)
        kind = KINDS[number % len(KINDS)]
        (folder / f"{number}{file_name(text, 150)}{kind}").write_text(f"{text}\n", errors="replace")


def work() -> None:
    if PHASE == "investigation":
        if not (SESSION / "tried").exists():
            (SESSION / "tried").touch()
            return signal(status="blocked", phase=MARK, reason=MARK, needs=MARK)
        write("dive")
        signal(status="continue", phase="requirements")
    elif PHASE == "requirements":
        if not (SESSION / "asked").exists():
            (SESSION / "asked").touch()
            (SESSION / "_qa.md").write_text(QUESTIONS)
            return signal(status="waiting", **{"for": "qa_answers"}, reason=MARK)
        write("requirements")
        signal(status="continue", phase="planning")
    elif PHASE == "planning":
        write("plan", f"- [ ] 1.1 {MARK}\n- [ ] 1.2 more")
        signal(status="waiting", **{"for": "plan_approval"}, file="11-21-0900-plan-x.md", reason=MARK)
    elif PHASE == "implementation":
        if not (SESSION / "helped").exists():
            (SESSION / "helped").touch()
            return signal(status="waiting", phase=PHASE, **{"for": "human_action"}, reason=MARK)
        plan = SESSION / "11-21-0900-plan-x.md"
        plan.write_text(plan.read_text().replace("[ ]", "[x]"))
        (WORKTREE / "feature.txt").write_text(MARK)
        write_files()
        if not (SESSION / "claimed").exists():  # the check fails once
            (SESSION / "claimed").touch()
        else:
            (WORKTREE / "works").write_text("yes")
        signal(status="continue", phase="testing")
    elif PHASE == "testing":
        write("testing")
        signal(status="continue", phase="quality")
    elif PHASE == "quality":
        write("review")
        signal(status="continue", phase="done")
    else:
        write("summary", f"## Learned\n\n- {MARK} (evidence: {MARK})\n")
        signal(status="done", phase="done", summary=MARK)


def main() -> None:
    sys.stdin.read()
    say("started", session_id=MARK)
    say("text", text=f"{MARK}\n{MARK}")
    for number, ok in enumerate((True, False)):
        call = {"id": f"{MARK}{number}", "name": MARK, "detail": f"{MARK}\n{MARK}"}
        say("tool", **call, running=True)
        say("tool", **call, running=False, ok=ok)
    say("denied", tool=MARK, detail=MARK)
    say("usage", input_tokens=10, output_tokens=20, cost_usd=0.01, model=MARK)
    say("error", trouble="other", message=MARK, fatal=False)
    print(f"not JSON: {MARK}", flush=True)
    print(MARK, file=sys.stderr, flush=True)
    overview = SESSION / "_overview.md"
    overview.write_text(f"{overview.read_text()}\n## Notes\n\n{MARK}\n\n{DOCUMENT}")
    work()
    say("result", ok=True, text=f"{MARK}\n{MARK}")


main()
