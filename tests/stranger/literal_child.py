"""A child that does what its prompt says and knows nothing else: file names, templates and signals are taken from it.

What is made up here is only what a person or a model would bring: that the code is sound, and what stands in a blank.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

PROMPT = sys.stdin.read()
SESSION, PHASE = Path(os.environ["SAMOLOOP_SESSION_DIR"]), os.environ["SAMOLOOP_PHASE"]
BODY = PROMPT.partition(f"\n# Phase: {PHASE}\n")[2].partition("\n## Facts\n")[0]
FACTS = PROMPT.partition("\n## Facts\n")[2]
ALLOWED = re.search(r"^- Allowed next phases: (.*)$", FACTS, re.MULTILINE)[1].split(", ")
WORKTREE = Path(re.search(r"^- (?:Worktree, y|Y)our working folder: `(.*?)`", FACTS, re.MULTILINE)[1])
FENCES = re.findall(r"```markdown\n(.*?)```", BODY, re.DOTALL)
SIGNALS = re.findall(r"^\{.*\}$", BODY, re.MULTILINE)
WRITE = re.search(r"[Ww]rite\*?\*? `(\d\d-\d\d-\d{4}-([a-z]+)-)<slug>\.md`", BODY)


def main() -> None:
    overview = SESSION / "_overview.md"
    text = overview.read_text()
    number = os.environ["SAMOLOOP_ITERATION"]
    DO.get(PHASE, write_and_leave)()
    kept = [line for line in text.splitlines() if not line.startswith(("Last Action:", "Next:"))]
    kept.insert(kept.index("## Status") + 1, f"Last Action: {PHASE}\nNext: what follows")
    kept.insert(kept.index("## Files") - 1, f"- {number} {PHASE}: done")
    overview.write_text("\n".join(kept) + "\n")


def signal(raw: str) -> None:
    path = Path(os.environ["SAMOLOOP_SIGNAL"])
    path.with_suffix(".tmp").write_text(raw)
    path.with_suffix(".tmp").rename(path)


def leave(which: int = -1) -> None:
    """The last signal of the phase's text that leads out of it, or another one of those."""
    out = [json.loads(raw) for raw in SIGNALS]
    signal(json.dumps([found for found in out if out_of_phase(found)][which]))


def out_of_phase(found: dict[str, str]) -> bool:
    return found["status"] == "done" or (found["status"] == "continue" and found["phase"] != PHASE)


def again() -> None:
    signal(next(raw for raw in SIGNALS if json.loads(raw).get("phase") == PHASE and "continue" in raw))


def back(phase: str) -> None:
    signal(next(raw for raw in SIGNALS if json.loads(raw).get("phase") == phase))


def document(template: str = "") -> Path:
    """The document that the phase asks for, after its template; the first of several choices is taken."""
    filled = re.sub(r"<([^<>|]*)\|[^<>]*>", lambda match: match[1].strip(), template or FENCES[0])
    filled = re.sub(r"(: |- )(\w[\w ]*?)(?: \| [\w ]+)+", r"\1\2", filled)
    filled = re.sub(r"^- \[ \] \d\.\d <only where.*$", "- [ ] 1.1 the one step", filled, flags=re.MULTILINE)
    filled = re.sub(r"<[^<>]*>", "it", filled).replace("- [ ] 1.2 ...", "- [ ] 1.2 more of it")
    path = SESSION / f"{WRITE[1]}literal-{os.environ['SAMOLOOP_ITERATION']}.md"
    path.write_text(filled)
    return path


def newest(kind: str) -> Path:
    return max(SESSION.glob(f"*-{kind}-*.md"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def change_code(name: str = "work.txt") -> None:
    path = WORKTREE / name
    path.write_text((path.read_text() if path.exists() else "") + f"{PHASE} {os.environ['SAMOLOOP_ITERATION']}\n")
    if "small commits on its branch" in PROMPT:
        who = ["-c", "user.name=Child", "-c", "user.email=child@example.org"]
        subprocess.run(["git", "add", name], cwd=WORKTREE, check=True)
        subprocess.run(["git", *who, "commit", "-qm", f"Why: {PHASE}"], cwd=WORKTREE, check=True)


def write_and_leave() -> None:
    document()
    leave()


def requirements() -> None:
    questions = SESSION / "_qa.md"
    if not questions.exists():
        questions.write_text(re.sub(r"<([^<>]*)>", lambda match: match[1].split(":")[0], FENCES[0]))
        signal(next(raw for raw in SIGNALS if "qa_answers" in raw))
    elif ALLOWED[0] == PHASE and ALLOWED[-1].startswith("("):  # the human put it back here: one more question
        again = re.sub(r"^# .*\n+", "", re.sub(r"<([^<>]*)>", "it", FENCES[0])).replace("Q1", "Q2")
        questions.write_text(questions.read_text() + "\n" + again)
        signal(next(raw for raw in SIGNALS if "qa_answers" in raw))
    else:
        document(FENCES[1])
        leave()


def breakdown() -> None:
    plan(re.sub(r"Workflow: <(\w+),.*>", r"Workflow: \1", re.sub(r"After: <.*>", "After: none", FENCES[0])))


def plan(template: str = "") -> None:
    path = document(template)
    raw = json.loads(next(raw for raw in SIGNALS if "plan_approval" in raw))
    signal(json.dumps({**raw, "file": path.name}))


def boxes() -> Path:
    """The list to work through: the approved plan's, or what the phase names in its place."""
    approval = SESSION / "_approval.md"
    named = re.search(r"\d\d-\d\d-\d{4}-plan-[\w-]+\.md", approval.read_text()) if approval.exists() else None
    if named:
        return SESSION / named[0]
    return newest("dive" if PHASE == "implementation" else "plan")


def item() -> None:
    """One box: do it, prove it, tick it."""
    path = boxes()
    text = path.read_text()
    open_now = re.search(r"^- \[ \] .*$", text, re.MULTILINE)
    if open_now:
        if PHASE == "implementation":
            change_code()
        text = text.replace(open_now[0], open_now[0].replace("[ ]", "[x]") + "\n  - Result: it; `true`: exit 0", 1)
        path.write_text(text)
    if "- [ ]" in text:
        again()
    else:
        leave(0)  # with findings, where the text tells two ways apart


def area() -> None:
    if not [path for path in SESSION.glob("*.md") if re.search(r"-(testing|review)-literal", path.name)]:
        document()
    item()


def quality() -> None:
    """A first look that finds and mends something, a second that does not."""
    rounds = len(list(SESSION.glob("*-review-*.md")))
    document(re.sub(r"### F1.*?(?=\n## )", "none", FENCES[0], flags=re.DOTALL))
    if not rounds and "testing" in ALLOWED:
        change_code()
        back("testing")
    else:
        leave()


def judge() -> None:
    """Unverified findings get their verdict, and what the template says of it."""
    path = newest(WRITE[2] if WRITE else "testing" if PHASE == "regression" else "review")
    text = path.read_text().replace("Status: unverified", "Status: confirmed\nVerified: `true`, seen now", 1)
    path.write_text(text)
    leave()


def milestone() -> None:
    path = boxes()
    text = path.read_text()
    later = re.search(r"^- 2\.1 (.*)$", text, re.MULTILINE)
    text = text.replace("- Shown by:", "- Reached: it; `true` → seen\n- Shown by:", 1)
    path.write_text(text.replace(later[0], f"- [ ] 2.1 {later[1]}") if later else text)
    if later:
        back("implementation")
    else:
        leave()


def pin() -> None:
    document()
    (WORKTREE / "tests").mkdir(exist_ok=True)
    change_code("tests/pinned.txt")
    leave()


DO = {
    "requirements": requirements,
    "breakdown": breakdown,
    "planning": plan,
    "roadmap": plan,
    "implementation": item,
    "exploration": area,
    "audit": area,
    "proposals": area,
    "quality": quality,
    "verification": judge,
    "triage": judge,
    "regression": judge,
    "milestone": milestone,
    "reproduction": pin,
    "pinning": pin,
}
main()
