# A test was red before the session, and is still red after it; nothing else is.
# project: unittest
# workflow: feature
# base: reproduction

suite() { $TEST_COMMAND > /dev/null 2>&1 && stop "the red test is green" || true; }
tested_red() { tested; in_document testing 's/^- `.*exit 0.*/- `python -m unittest`: exit 1, one failed, as before us/'; }
in_testing() { suite; tested_red; next quality; }
