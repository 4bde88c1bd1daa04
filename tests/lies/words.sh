# The words that sessions are written in. All but the last part fits any tool.

# --- the project (in the current folder; $PROJECT holds its next states) ---

apply() { for state; do cp -R "$PROJECT/$state/." .; done; }
put_in() { sed "$2" "$1" > "$1.tmp" && mv "$1.tmp" "$1"; }
commit() {
  git add --all
  git diff --cached --quiet || git commit --quiet -m "$1"
}
# An honest child runs the tests, and stops where they fail; a liar says that it did.
suite() {
  [ -z "$LIAR" ] || return 0
  $TEST_COMMAND < /dev/null > "$DOCS/suite.log" 2>&1 || stop "the tests fail: $(tail -n 3 "$DOCS/suite.log")"
  rm -f "$DOCS/suite.log"
}

# --- documents (in $DOCS) ---

document() { cat > "$DOCS/$(date +%m-%d-%H%M)-$1-$STEP.md"; }
newest() { ls -t "$DOCS" | grep -m 1 -e "^..-..-....-$1-" | sed "s|^|$DOCS/|"; }
tick() { for item; do put_in "$(newest plan)" "s/^- \[ \] $item /- [x] $item /"; done; }
first_open() { sed -n 's/^- \[ \] \([^ ]*\) .*/\1/p' "$(newest plan)" | head -n 1; }
in_document() { put_in "$(newest "$1")" "$2"; }

dive() {
  document dive <<END
# Dive: the till
## In short
All is in \`$CODE\`; \`total\` adds up, \`average\` divides.
## How it works now
- \`$CODE:4\`: the total
## Where the change goes
\`$CODE\`
## Build, run, test
- \`$TEST_COMMAND\`: green
## Constraints and risks
- none
## For the human
- the scope
## Still to find out
END
}
requirements() {
  document requirements <<END
# Requirements: the till
## Purpose
$TASK
## Requirements
- R1: $ITEM_1 - checked by: \`$TEST_COMMAND\`
- R2: $ITEM_2 - checked by: \`$TEST_COMMAND\`
## Out of scope
- everything else
## Constraints
- the tests stay green
## Decisions
- Q1: A → that and no more
END
}
plan() {
  document plan <<END
# Plan: the till
## In short
$TASK
## Phase 1: the change
- [ ] 1.1 $ITEM_1
  - Tests: \`$TEST_COMMAND\`
- [ ] 1.2 $ITEM_2
  - Tests: \`$TEST_COMMAND\`
## Requirements covered
- R1: 1.1
- R2: 1.2
## Risks
- none
## Out of scope
- everything else
END
}
tested() {
  document testing <<END
# Testing: the till
Commit: $(git rev-parse --short HEAD)
## Suite
- \`$TEST_COMMAND\`: exit 0, all passed, none failed, none skipped
## Requirements
- R1: met - \`$TEST_COMMAND\` → green
- R2: met - \`$TEST_COMMAND\` → green
## Edges tried
- nothing bought → 0
## Found
- nothing
## Not checked
- nothing known
END
}
reviewed() {
  document review <<END
# Review: the till
Commit: $(git rev-parse --short HEAD) · Round: 1
## Verdict
may be handed over
## Findings
### F1: a name could be longer
Severity: note
Status: confirmed
Where: \`$CODE:4\`
Evidence: read
Fix: left
## Looked at, found sound
- correctness: every hunk
END
}
summary() {
  document summary <<END
# Summary: the till
## In short
$TASK It works, \`$TEST_COMMAND\` is green, nothing is left.
## Asked and delivered
- R1: delivered - \`$TEST_COMMAND\`
- R2: delivered - \`$TEST_COMMAND\`
## What changed
- \`$CODE\`
## Decisions
- Q1: A
## Known gaps
- none known
## Next
- merge
END
}
coverage() {
  document plan <<END
# Coverage: the till
Commit: $(git rev-parse --short HEAD)
## How to run
- \`$TEST_COMMAND\`: green
## Areas
- [ ] A1 the total: \`$CODE\`
- [ ] A2 the average: \`$CODE\`
## Covered before
- nothing
## Left out
- nothing
END
}
# findings KIND TITLE
findings() {
  document "$1" <<END
# $2: the till
## Findings
### F1: the average of nothing fails
Severity: major
Status: unverified
Where: \`$CODE:12\`
Evidence: it divides by the number of prices
Fix: ask first
## Examined, sound
- A1: the total adds up
END
}
# judged KIND STATUS: what became of F1
judged() {
  in_document "$1" "s/^Status: unverified/Status: $2/"
  in_document "$1" '2i ## In short\nOne finding was looked at again. 1 confirmed, 0 refuted, 0 open\n'
}
result() {
  document result <<END
# Result: the till
## In short
$TASK
## Proof
- \`$TEST_COMMAND\`: green
## Changed
- \`$CODE\`
## Left open
- nothing known
END
}

# --- samoloop: the notebook, the signal, the gates. Another tool needs its own of these. ---

DOCS=$SAMOLOOP_SESSION_DIR STEP=$SAMOLOOP_ITERATION PHASE=$SAMOLOOP_PHASE

signal() { printf '%s\n' "$1" > "$SAMOLOOP_SIGNAL.tmp" && mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL"; }
noted() { put_in "$DOCS/_overview.md" "s/^Last Action:.*/Last Action: $PHASE, a step/; s/^Next:.*/Next: $1/"; }
next() { noted "$1"; signal "{\"status\": \"continue\", \"phase\": \"$1\"}"; }
stay() { next "$PHASE"; }
finish() { noted nothing; signal "{\"status\": \"done\", \"summary\": \"${1-$TASK Verified by $TEST_COMMAND.}\"}"; }
stop() { signal "{\"status\": \"blocked\", \"reason\": \"$(printf '%s' "$1" | tr '"\n\\' "'  ")\"}"; exit 0; }
submit() {
  noted 'the human decides'
  signal "{\"status\": \"waiting\", \"for\": \"plan_approval\", \"file\": \"$(basename "$(newest plan)")\"}"
}
answered() { [ -f "$DOCS/_qa.md" ] && ! grep -q _waiting_ "$DOCS/_qa.md"; }
ask() {
  printf '# Questions\n\n### Q1: Is this the whole scope?\nWhat is not said is not done.\nA) yes\nB) no\n' > "$DOCS/_qa.md"
  printf '**Suggestion:** A - it is clear\n**Answer:** _waiting_\n' >> "$DOCS/_qa.md"
  noted 'the human answers'
  signal '{"status": "waiting", "for": "qa_answers"}'
}
