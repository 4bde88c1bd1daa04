"""Faults made by hand, one at a time, each with the tests that must see it."""

from dataclasses import dataclass

CRASHES, GATES, RULES, STATE = (
    "tests/test_crashes.py",
    "tests/test_gates.py",
    "tests/test_rules.py",
    "tests/test_state.py",
)
JOURNAL, SIGNALS, CHILD, LOOP = (
    "tests/test_journal.py",
    "tests/test_signals.py",
    "tests/test_child.py",
    "tests/test_loop.py",
)
COMMIT, FILES, ADOPTION = "tests/test_commit.py", "tests/test_files.py", "tests/test_child_adoption.py"
QUESTIONS, WAITING, PHONE = (
    "tests/test_questions.py",
    "tests/test_waiting_out.py",
    "tests/telegram/test_updates_once.py",
)
OUTSIDE, FOREIGN = "tests/stranger/test_outside.py", "tests/stranger/test_foreign_code.py"
BOX, BOX_ENDS = "tests/test_sandbox.py", "tests/box/test_endings.py"
BOX_PLACES, BOX_ESCAPES = "tests/box/test_places.py", "tests/box/test_escapes.py"
CHECKS_RESULTS, CHECKS_JUDGING, CHECKS_SWAP = (
    "tests/test_checks_results.py",
    "tests/test_checks_judging.py",
    "tests/test_checks_swap.py",
)
BROKEN = "tests/telegram/test_what_breaks.py"
POWER = "faults power/after record gate_closed"


@dataclass(frozen=True)
class Mutant:
    """One fault: `old` occurs once in `file`, and `new` stands there instead."""

    name: str
    file: str  # below samoloop/
    old: str
    new: str
    suites: tuple[str, ...]  # tests for pytest, or cases of the fault matrix

    def spoil(self, text: str) -> str:
        """The text of the file with the fault. Raises ValueError where the old text is not there once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: the old text occurs {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


MUTANTS: list[Mutant] = []


def crash(name: str) -> str:
    """One test of workers that die."""
    return f"{CRASHES}::test_{name}"


def m(name: str, file: str, old: str, new: str, *suites: str) -> None:
    MUTANTS.append(Mutant(name, file, old, new, suites))


# fmt: off
# --- what a power cut takes ----------------------------------------------------------------------------------------
m("journal_no_fsync", "core/journal.py", "                os.fsync(descriptor)\n", "", POWER)
m("atomic_no_fsync", "base/files.py", "            os.fsync(file.fileno())\n", "", POWER)
m("atomic_no_dirsync", "base/files.py", "replace(path)\n            sync_folder(path.parent)\n", "replace(path)\n", POWER)
m("git_fsync_default", "git/calls.py", '    "core.fsync=committed,reference",\n', "", POWER)
m("object_no_fsync", "git/objects.py", "                    os.fsync(file.fileno())\n", "", POWER)
m("inbox_no_sync", "worker/iteration.py", "        sync_folder(session.control)\n", "", "faults power/after record ended")
m("new_session_no_sync", "core/control.py", "    sync_folder(place_of(session_dir))\n", "", "faults power/after show session")
m("state_folder_no_sync", "config/projects.py", "    make_folder(file.parent)\n", "    file.parent.mkdir(parents=True, exist_ok=True)\n", POWER)

# --- journal and files ----------------------------------------------------------------------------------------------
m("records_read_again", "core/journal.py", "            self._end = end\n", "            self._records, self._end = [], len(data)\n", "tests/test_journal.py")
m("old_records_believed", "core/journal.py", "            self._records, self._end = [], 0\n", "            pass\n", "tests/test_journal.py")
m("torn_fatal", "core/journal.py", "            torn = None\n            yield value\n", "            torn = None\n            yield value\n        if torn:\n            raise SessionError('torn')\n", JOURNAL)
m("torn_not_closed", "core/journal.py", "closing = b\"\" if self._mended else", "closing = b\"\" if True else", JOURNAL)
m("damage_overlooked", "core/journal.py", "            if torn and value.get", "            if False and value.get", JOURNAL)
m("seal_not_looked_at", "core/journal.py", "        if not is_sealed(data):", "        if False:", JOURNAL)
m("seal_of_a_line_alone", "core/journal.py", "    digest = before.copy()\n    digest.update(words)", "    digest = hashlib.sha256()\n    digest.update(words)", JOURNAL)
m("shortened_not_seen", "git/checkpoint.py", "    return bool(length) and sha256", "    return False and sha256", "tests/test_checkpoint.py")
m("another_folder_not_seen", "core/roots.py", "        elif inode != before.inode:", "        elif False:", "tests/stranger/test_roots.py")
m("link_followed", "git/staging.py", "        elif is_behind_link(root, path, links):", "        elif False:", "tests/stranger/test_roots.py")
m("leftovers_of_others", "base/files.py", "        if is_ours(name):\n", "        if True:\n", crash("half_written_files_of_a_killed_worker_go_away"))
m("follow_links", "base/files.py", "(0 if follow else os.O_NOFOLLOW)", "0", FILES, SIGNALS)
m("wait_on_a_pipe", "base/files.py", "    if not stat.S_ISREG(found.st_mode):\n", "    if False:\n", FILES, SIGNALS)
m("left_unseen", "children/processes.py", "children() == {ended}", "True", "tests/test_processes.py")
m("not_looked_at_anew", "worker/worktrees.py", "    worker.look_anew()\n", "", "tests/test_worktrees.py", CRASHES)
m("read_without_limit", "base/files.py", "min(max(size - len(data), _READ_BYTES), limit_bytes - len(data)) + 1", "max(size - len(data), _READ_BYTES) + 1", FILES, SIGNALS)
m("folder_in_the_way", "base/files.py", "            if path.is_dir() and not path.is_symlink():\n                numbers", "            if False:\n                numbers", FILES, LOOP)

# --- one iteration ----------------------------------------------------------------------------------------------------
m("keep_old_signal", "worker/iteration.py", "    remove(session.dir / signals.FILE_NAME)\n", "", LOOP)
m("ended_before_checkpoint", "worker/iteration.py", "    keep_checkpoint(worker, started, committed, session.journal.line(event), decision, adopted=begun.adopted)\n    session.record(event)\n", "    session.record(event)\n    keep_checkpoint(worker, started, committed, session.journal.line(event), decision, adopted=begun.adopted)\n", "faults point/before git update-ref refs/samoloop")
m("no_checkpoint", "worker/iteration.py", "    keep_checkpoint(worker, started, committed, session.journal.line(event), decision, adopted=begun.adopted)\n", "", "faults point/after record prepared")
m("checkpoint_again_when_adopted", "worker/keeping.py", "        if last and (last.iteration, last.attempt) == (iteration, attempt):\n", "        if False:\n", "faults point/after git update-ref refs/samoloop")
m("commit_not_kept", "worker/iteration.py", "keep_work(worker, started) if worker.config.commit", "keep_work(worker, started) if False", LOOP)
m("adopt_without_boot", "children/child.py", " or boot != boot_id()", "", ADOPTION, CRASHES)
m("lost_signal_other_boot", "worker/iteration.py", "    same_boot = started.boot == boot_id()\n", "    same_boot = True\n", crash("a_signal_from_before_a_restart_of_the_machine_counts_no_more"))
m("lost_never_interrupted", "worker/iteration.py", "        if ended.by is EndedBy.LOST:\n", "        if False:\n", crash("a_child_that_is_gone_without_a_word_was_interrupted"))
m("lost_signal_thrown_away", "worker/iteration.py", "(ended.by is EndedBy.LOST and not same_boot)", "ended.by is EndedBy.LOST", crash("a_signal_without_its_process_counts_while_the_machine_runs"))
m("inbox_lost_on_crash", "worker/iteration.py", "    session.record(Guided(inbox=(name,)))\n", "", crash("guidance_outlives_a_worker_that_died_with_it_in_hand"))
m("inbox_not_repeated_on_retry", "core/state.py", "    state.inbox += record.inbox\n    state.open = record\n", "    state.inbox = [*record.inbox]\n    state.open = record\n", crash("guidance_is_told_again_until_a_child_has_answered"))
m("inbox_told_for_ever", "core/state.py", "        state.notes, state.inbox = [], []", "        state.notes = []", crash("guidance_is_told_again_until_a_child_has_answered"))
m("interrupted_untold", "core/state.py", '    _note(state, [Note("interrupted", record.note)])\n', "", STATE, CRASHES)
m("used_stem_again", "worker/iteration.py", "attempt)):\n        attempt += 1", "attempt)) and False:\n        attempt += 1", crash("a_lost_record_of_a_start_overwrites_nothing"))
m("retry_is_new_iteration", "worker/iteration.py", "(state.iteration, state.attempt + 1) if state.retry else ", "", crash("guidance_is_told_again_until_a_child_has_answered"))
m("overview_not_restored", "worker/iteration.py", "    worker.restore_overview()\n    take_inbox", "    take_inbox", crash("a_child_finds_the_overview_that_went_missing_before_it"))
m("overview_not_mended_after", "worker/iteration.py", "    worker.restore_overview()\n    committed =", "    committed =", LOOP, "tests/test_overview.py")
m("signal_not_checked", "worker/iteration.py", "    return gates.check_request(signal, session.dir, session.worktree, state.given)\n", "    return signal\n", LOOP + "::test_a_child_that_waits_for_answers_without_a_question_is_told_so")
m("shared_limit_not_written", "worker/iteration.py", "shared_limits.write(started.provider,", "(lambda *_: None)(started.provider,", WAITING)
m("secrets_reach_child", "worker/launching.py", "    hidden = (*config.scrub, *_WORKER_ONLY)\n", "    hidden = _WORKER_ONLY\n", "tests/test_secrets.py")
m("worker_names_reach_child", "worker/launching.py", "    hidden = (*config.scrub, *_WORKER_ONLY)\n", "    hidden = config.scrub\n", "tests/test_secrets.py")

# --- children ---------------------------------------------------------------------------------------------------------
m("no_sweep", "children/child.py", "            swept = sweep(self._left_behind, patience_seconds)\n", "            swept = sweep(set, patience_seconds)\n", CHILD)
m("no_orphans_in_sweep", "children/child.py", "            found |= orphans(MARKER, _unswept - {self._mark.word}, self._children_before)\n", "            pass\n", ADOPTION + "::test_what_has_wiped_its_mark_and_let_the_lock_go_is_swept_too")
m("orphans_spared_by_any_mark", "children/processes.py", "if not _is_marked(pid, name, others)}", "if not variable(pid, name)}", "tests/test_processes.py", "tests/stranger/test_sweep.py")
m("child_lock_not_inherited", "children/wrapper.py", "                pass_fds=[inherited, *output],\n", "", ADOPTION, CHILD)
m("adopted_limit_restarts", "children/child.py", "            started=clock() - max(seen_at - started_at, 0.0),\n", "            started=clock(),\n", ADOPTION)
m("no_sigkill", "children/child.py", "        self._killed = True\n        group = self._signal_group(signal.SIGKILL)\n", "        group = None\n", CHILD)
m("no_interrupt_first", "children/child.py", "if interrupt_first else [signal.SIGTERM]", "if False else [signal.SIGTERM]", CHILD)
m("own_group_signalled", "children/child.py", "            if group and group != os.getpgrp():\n", "            if False:\n", CHILD)
m("silence_never", "children/watch.py", "        if self._limits.silence is not None and not self._tools:\n", "        if False:\n", "tests/test_watch.py")
m("silence_while_a_tool_runs", "children/watch.py", "self._limits.silence is not None and not self._tools:", "self._limits.silence is not None:", "tests/test_watch.py")

# --- rules -------------------------------------------------------------------------------------------------------------
m("done_anywhere", "core/rules.py", "    if signal.status not in phase.signals:\n", "    if signal.status not in phase.signals and signal.status is not Status.DONE:\n", RULES)
m("max_iterations_never", "core/rules.py", "        if state.phase_iterations >= phase.max_iterations:\n", "        if False:\n", RULES)
m("max_iterations_off_by_one", "core/rules.py", "state.phase_iterations >= phase", "state.phase_iterations > phase", RULES)
m("rounds_never", "core/rules.py", "        if state.rounds.get(phase.name, 0) >= limit:\n", "        if False:\n", RULES)
m("gate_can_be_skipped", "core/rules.py", "    if _gate_ahead(state, phase):\n        return _needs_gate(phase)\n    if workflow", "    if workflow", RULES)
m("done_past_a_gate", "core/rules.py", "    if _gate_ahead(state, phase):\n        return _needs_gate(phase)\n    if not (signal", "    if not (signal", RULES)
m("done_without_a_word", "core/rules.py", "    if not (signal.summary or \"\").strip():\n", "    if False:\n", RULES)
m("any_phase_may_follow", "core/rules.py", "    if target not in allowed:\n", "    if False:\n", RULES)
m("any_wait_is_allowed", "core/rules.py", "    if signal.wait_for not in phase.waits:\n", "    if False:\n", RULES)
m("other_phase_in_signal", "core/rules.py", "    if signal.phase not in (None, phase.name):\n", "    if False:\n", RULES)
m("iteration_in_signal_ignored", "core/rules.py", "    if signal.iteration is not None and signal.iteration != state.iteration:\n", "    if False:\n", RULES)
m("usage_limit_zero", "core/rules.py", "not_before=max(resets_at, now + pause)", "not_before=now", RULES)
m("usage_limit_no_reset_zero", "core/rules.py", "FIRST_LIMIT_BACKOFF_SECONDS * 2**tries", "0 * 2**tries", RULES)
m("far_reset_believed", "core/rules.py", "now < resets_at < now + FARTHEST_RESET_SECONDS", "now < resets_at", RULES)
m("repair_forever", "core/rules.py", "    if state.repairs:\n", "    if False:\n", RULES)
m("no_progress_never", "core/rules.py", "    if still > STILL_ITERATIONS:\n", "    if False:\n", RULES)
m("no_progress_untold", "core/rules.py", "    if still == STILL_ITERATIONS:\n", "    if False:\n", RULES)
m("cli_fails_for_ever", "core/rules.py", "state.failures + 1 >= TRIES", "False", RULES)
m("login_is_a_cli_error", "core/rules.py", "failure.trouble in (Trouble.LOGIN, Trouble.BILLING)", "failure.trouble in ()", RULES)
m("denied_is_ignored", "core/rules.py", "    if outcome.denied:\n", "    if False:\n", RULES)
m("transient_for_ever", "core/rules.py", "    if now - since > TRANSIENT_PATIENCE_SECONDS:\n", "    if False:\n", RULES)
m("ceilings_never", "core/rules.py", "        if share >= 1:\n", "        if False:\n", RULES, WAITING)
m("veto_overruled", "core/rules.py", "    if by[Weight.VETO] and (leaves(state.phase, decision) or decision.gate):\n", "    if False:\n", "tests/test_evidence.py", RULES)
m("veto_for_ever", "core/rules.py", "        if state.vetoes >= VETOES:\n", "        if False:\n", "tests/test_evidence.py", RULES)
m("block_overruled", "core/rules.py", "    if by[Weight.BLOCK] and", "    if False and", "tests/test_evidence.py", RULES, COMMIT)

# --- state -------------------------------------------------------------------------------------------------------------
m("rounds_for_the_whole_session", "core/state.py", "        state.rounds.pop(state.phase, None)", "        pass", STATE)
m("overview_is_progress", "git/checkpoint.py", '"_inbox.md", "_overview.md", ', '"_inbox.md", ', "tests/test_checkpoint.py")
m("guidance_not_restored", "worker/guidance.py", "    if not is_plainly(session.dir / FILE_NAME, text.encode()):\n", "    if False:\n", "tests/stranger/test_guidance.py")
m("forbidden_signal_shown", "worker/prompt.py", "match[0] if match[1] in now else", "match[0] if True else", "tests/test_prompts_rules.py")
m("way_back_always_offered", "worker/prompt.py", "    used_up = state.rounds.get(phase.name, 0) >=", "    used_up = False and state.rounds.get(phase.name, 0) >=", "tests/test_prompts_rules.py")
m("edit_past_an_earlier_gate", "worker/loop.py", "    asked_in = state.gate.phase if state.gate else state.phase", "    asked_in = state.phase", "tests/stranger/test_import.py::test_an_edit_of_the_phase_leads_past_no_gate_and_is_answered_by_the_command")
m("old_approval_counts", "api/importing.py", "    return _PLAN if plan and not wanted.approved else None\n", "    return None\n", "tests/stranger/test_import.py")
m("approval_leaves_a_later_phase", "core/state.py", "    if gate.phase != state.phase:  # it was left already", "    if False:  # it was left already", "tests/test_effects_of_records.py")
m("any_plan_is_meant", "core/gates/plan_approval.py", "            return plans[0].name if len(plans) == 1 else None\n", "            return plans[0].name if plans else None\n", "tests/stranger/test_old_signals.py")
m("handed_plan_not_put_back", "worker/prepare.py", "            if text is not None and sha256(text) == record.sha256 != file_hash(path):\n", "            if False:\n", "tests/stranger/test_brought.py")
m("passed_survives_phase", "core/state.py", "    state.passed = set()\n", "", STATE)
m("counter_survives_phase", "core/state.py", "    state.phase_iterations = 0\n", "", STATE, RULES)
m("nothing_passes", "core/state.py", "    if effect.passes:\n", "    if False:\n", STATE)
m("attempts_count_as_iterations", "core/state.py", "    if record.iteration != state.iteration:\n", "    if True:\n", STATE)
m("resume_keeps_counters", "core/state.py", "    state.phase_iterations = state.repairs = state.failures", "    state.repairs = state.failures", STATE)
m("resume_keeps_rounds", "core/state.py", "    state.rounds = {}\n    state.since", "    state.since", STATE)
m("resume_keeps_spending", "core/state.py", "    state.since_resume = Totals()\n", "", STATE, WAITING)
m("stopped_stays_stopped", "core/state.py", "        _unfreeze(state)\n\n\ndef _unfreeze", "        pass\n\n\ndef _unfreeze", STATE)
m("backward_uncounted", "core/state.py", "    if state.live_workflow.is_backward(state.phase, phase):\n", "    if False:\n", STATE, RULES)
m("failure_outlives_work", "core/state.py", '    state.failure, state.failures_of_workers = "", 0\n', "    pass\n", "tests/test_going_on.py", STATE)

# --- gates -------------------------------------------------------------------------------------------------------------
m("forged_answer_stands", "core/gates/qa_answers.py", "        return questions.opened(before, given)\n", "        return before\n", GATES)
m("forged_repeated_id", "core/gates/questions.py", "[] if block not in last else ", "", QUESTIONS)
m("changed_question_keeps_answer", "core/gates/questions.py", 'if before and before["title"] == block.title else', "if before else", QUESTIONS, GATES)
m("example_is_a_question", "core/gates/questions.py", "        elif not fenced:\n", "        else:\n", QUESTIONS)
m("sha_binding_ignored", "core/gates/plan_approval.py", "        if shown and shown != present:\n", "        if False:\n", GATES)
m("sha_binding_ignored_at_command", "core/gates/plan_approval.py", "act.shown is not None and act.shown != present:", "False:", GATES)
m("changes_without_a_word", "core/gates/plan_approval.py", "            if not comment:\n", "            if False:\n", GATES)
m("taken_back_after_a_child", "api/rewind.py", "    if isinstance(after, Started):\n", "    if False:\n", "tests/test_gate_commands.py")
m("ends_over_words", "worker/guidance.py", "    if not ends or not hearing.unread_by(worker.session):\n", "    if True:\n", "tests/test_words_heard.py")
m("enter_approves", "ui/terminal/asking.py", "return found[0] if len(found) == 1 else None", "return found[0] if found else None", "tests/test_asking.py")
m("declined_counts_as_done", "core/gates/human_action.py", "        if closing.verdict is Verdict.DECLINED:\n", "        if False:\n", "tests/test_gate_commands.py")
m("decided_twice", "core/gates/plan_approval.py", "        if isinstance(decided, Closing) and not act.takes_place_of(decided.by):\n", "        if False:\n", GATES)
m("changes_counts_as_passed", "core/gates/plan_approval.py", '            return Effect(person(f"The person wants changes in {gate.file}:", comment))\n', '            return Effect(person("", comment), passes=True)\n', GATES, STATE)
m("reject_goes_on", "core/gates/plan_approval.py", "        return Effect(person(f\"The person rejected {gate.file}.\", comment), stops=stops)\n", "        return Effect(person(stops, comment))\n", GATES, STATE)
m("no_counts_as_done", "core/gates/human_action.py", "        if _REFUSAL.match(done):\n", "        if False:\n", GATES)
m("file_unchanged_counts", "core/gates/file_update.py", " or present == gate.sha256:\n", ":\n", GATES)
m("half_line_counts", "core/gates/fields.py", "        if index + 1 < len(lines):\n", "        if True:\n", GATES)
m("one_answer_is_enough", "core/gates/qa_answers.py", "        if left:\n            return StillOpen", "        if len(left) == len(gate.questions):\n            return StillOpen", GATES)
m("lost_question_closes", "core/gates/qa_answers.py", "        if missing:\n", "        if len(missing) == len(gate.questions):\n", GATES)
m("answer_overwritten", "core/gates/qa_answers.py", "    if question.answer and not act.takes_place_of(question.by):\n", "    if False:\n", GATES)
m("yes_answers_unsuggested", "core/gates/qa_answers.py", "    return {id: words for id, words in found.items() if questions.words(words)}\n", '    return {id: words or "as you like" for id, words in found.items()}\n', GATES)
m("answers_read_slowly", "core/gates/questions.py", r"[\s_*.]*+(?:waiting)?", r"[\s_*.]*(?:waiting)?", QUESTIONS)
m("nothing_is_an_answer", "core/gates/questions.py", "    if _NOTHING.fullmatch(seen) or seen in _CUT:\n", "    if not seen:\n", QUESTIONS)
m("put_overwrites_person", "core/gates/__init__.py", "            if path.is_symlink() or file_hash(path) in (None, gate.child_text):\n", "            if True:\n", GATES, CRASHES)
m("unshown_gate_counts", "core/gates/__init__.py", "    if not gate.shown:\n        return StillOpen", "    if False:\n        return StillOpen", "tests/test_gate_forged.py")
m("unshown_gate_takes_acts", "core/gates/__init__.py", "    if not gate.shown:\n        raise", "    if False:\n        raise", "tests/test_gate_forged.py::test_an_act_waits_until_the_gate_s_file_is_in_place")
m("childs_answer_kept_after_crash", "core/gates/__init__.py", "            write_atomic(path, kind.without(gate, present, forged))\n", "            pass\n", "tests/test_gate_forged.py")
m("command_leaves_gate_half_open", "core/opening.py", "    if gate is None or gate.shown:\n        return gate\n    with", "    if True:\n        return gate\n    with", "faults forged/after record gate_opened")
m("nothing_outside_is_said", "api/assembly.py", "outside_findings, guidance_findings", "guidance_findings", OUTSIDE)
m("a_person_is_blamed", "worker/outside.py", "    before = _kept(session.control / _FILE, digest)\n", "    before = {kind: {} for kind in _look(worker)}\n", OUTSIDE)
m("task_not_put_back", "worker/outside.py", "            write_atomic(path, text)\n", "", OUTSIDE)
m("another_session_is_blamed", "worker/outside.py", "    return found - set(now[_HEAD].values())\n", "    return set()\n", OUTSIDE)
m("unseen_settings_hold", "api/go_on.py", "        refuse_unseen(session, settings, how.shown)\n", "        pass\n", OUTSIDE)
m("settings_are_not_shown", "api/go_on.py", "            for line in unseen_changes(session, worker.config):\n", "            for line in ():\n", OUTSIDE)
m("secrets_in_environ", "api/go_on.py", "            hide_environment(settings.scrub)\n", "", "tests/stranger/test_secrets.py")
m("child_may_answer", "children/inside.py", "    if MARKER in environ or _descends_from_child():\n", "    if MARKER in environ:\n", "tests/stranger/test_inside.py")
m("plan_named_by_a_path", "core/gates/folder.py", '    if not name.isprintable() or "\\\\" in name or name.startswith("/") or ".." in Path(name).parts:\n', "    if False:\n", GATES)
m("own_file_closes_gate", "core/gates/folder.py", 'and not name.startswith("_") and', "and", GATES)
m("guidance_replaced", "core/gates/folder.py", '(before or "") + as_told', "as_told", GATES, "tests/test_cli_input.py")
m("file_before_gate_opened", "worker/gatekeeper.py", "    session.record(GateOpened(gate=gate, reason=words.asked(gate)))\n    gates.put(gate, text, session.dir)\n", "    gates.put(gate, text, session.dir)\n    session.record(GateOpened(gate=gate, reason=words.asked(gate)))\n", crash("a_gate_is_in_the_journal_before_its_file_changes"))
m("crash_in_opening_not_mended", "worker/gatekeeper.py", "    opening.finish(worker.session)\n    _ask(worker)\n", "    _ask(worker)\n", crash("a_gate_is_in_the_journal_before_its_file_changes"))
m("crash_in_opening_not_announced", "worker/gatekeeper.py", "    opening.finish(worker.session)\n    _ask(worker)\n", "    opening.finish(worker.session)\n", crash("a_gate_is_announced_once_though_the_worker_died_while_it_opened"))
m("stale_plan_gate_not_void", "worker/gatekeeper.py", "        reopen_gate(worker, gate, found.why)\n", "", GATES, LOOP)
m("said_twice", "worker/outbox.py", "        number = _said(folder, stamped)\n", "        number = None\n", "tests/test_announce.py")
m("no_quiet_second", "worker/waiting.py", "QUIET_SECONDS = 1.0\n", "QUIET_SECONDS = 0.0\n", "tests/test_quiet_second.py")
m("command_waits_too", "worker/waiting.py", "            if stamp(self._wake) != self._seen_wake:\n", "            if False:\n", "tests/test_quiet_second.py")

# --- loop, lease, preparation ------------------------------------------------------------------------------------------
m("stop_signals_a_stranger", "api/stop.py", "            if not _is_samoloop(pid):\n", "            if False:\n", "tests/stranger/test_stop.py")
m("sigterm_rests_for_good", "worker/loop.py", "    if worker.stop.finish and not worker.stop.by_person:\n", "    if False:\n", crash("only_a_person_stops_a_session_for_good"))
m("leftovers_stay", "worker/loop.py", "    gates.remove_leftovers(worker.session.dir)\n", "", crash("half_written_files_of_a_killed_worker_go_away"))
m("clear_locks_not_at_start", "worker/loop.py", "    elif not worker.state.open and not worker.state.rests:\n        clear_locks(worker)\n", "", crash("a_lock_of_a_git_that_died_with_its_worker_goes_away"))
m("move_past_gate", "worker/loop.py", "        if phase.gate and not (phase.name == state.phase and phase.gate in state.passed):\n", "        if False:\n", LOOP, GATES)
m("rest_no_report", "worker/loop.py", "        write_report(worker)\n", "", LOOP, CRASHES)
m("rest_no_report_redo", "worker/loop.py", "        if not state.rests and decision.kind in (state.condition, Kind.WAIT):\n", "        if False:\n", crash("the_end_is_announced_though_the_worker_died_before_it_could"))
m("no_session_lock", "worker/lease.py", "take(control / LOCK)", 'take(control / f"_lock{os.getpid()}")', "tests/test_going_on.py", "tests/test_lease.py")
m("git_does_not_hold_lock", "worker/lease.py", "    os.set_inheritable(lock.descriptor, True)", "    os.set_inheritable(lock.descriptor, False)", "tests/test_lease.py")
m("state_from_before_the_lock", "worker/lease.py", "        session.forget()\n", "", "tests/test_lease.py::test_what_was_folded_before_the_lease_was_taken_counts_no_more")
m("shared_limit_forgotten", "worker/shared_limits.py", "return (not_before, reason) if", "return (0.0, reason) if", WAITING)
m("shared_limit_for_ever", "worker/shared_limits.py", "if not_before < now + FARTHEST_RESET_SECONDS", "if True", WAITING)

# --- git ----------------------------------------------------------------------------------------------------------------
m("git_is_never_ended", "base/programs.py", "                if now - asked >= left:\n", "                if False:\n", "tests/test_programs.py")
m("only_git_itself_ends", "base/programs.py", "            os.killpg(process.pid, number)\n", "            os.kill(process.pid, number)\n", "tests/test_programs.py")
m("a_child_s_filter_runs", "git/calls.py", "        environ |= drivers.without(self.unknown_programs())\n", "", FOREIGN)
m("a_child_s_filter_is_not_said", "worker/trust.py", "    if not unknown:\n", "    if True:\n", FOREIGN)
m("an_include_is_looked_at_once", "git/drivers.py", '    if b"\\0include" in b"\\0" + listed:\n', "    if False:\n", "tests/test_surroundings.py")
m("hooks_run", "git/calls.py", '    "core.hooksPath=/dev/null",\n', "", COMMIT, "tests/test_git.py")
m("foreign_git_variables", "git/calls.py", "if name in KEPT", "if True", COMMIT, "tests/test_git.py", "tests/test_repo.py")
m("a_lost_check_counts", "checks/examining.py", "            if not ran.is_lost:\n", "            if True:\n", "tests/test_checks_judging.py")
m("a_pipe_is_opened_once_more", "git/pipes.py", "os.O_RDWR | os.O_NONBLOCK", "os.O_WRONLY | os.O_NONBLOCK", "tests/test_pipes.py")
m("refs_stand_in_for_objects", "git/calls.py", " | {\"GIT_NO_REPLACE_OBJECTS\": \"1\"}", "", "tests/stranger/test_refs.py")
m("what_a_check_did_is_the_childs", "checks/examining.py", "        worker.look_anew()\n", "", OUTSIDE)
m("index_lock_stays", "git/mending.py", "        lock.unlink(missing_ok=True)\n", "        pass\n", "tests/test_git_crashes.py", COMMIT)
m("lock_of_a_git_at_work_goes", "git/mending.py", "folder.is_relative_to(root) or folder in others", "False", COMMIT)
m("branch_elsewhere_not_blocked", "git/commit.py", " or not _contains(worktree, state.head, tip or since):\n", ":\n", COMMIT)
m("commit_in_a_merge", "git/commit.py", "    if state.operation:\n", "    if False:\n", COMMIT)
m("rewrite_unnoticed", "git/commit.py", "    rewritten = _rewritten(worktree, state, since)\n", "    rewritten: list[str] = []\n", COMMIT)
m("rewind_loses_present", "git/restore.py", "left = checkpoints.make(worktree, session_dir, ref, now, summary=f\"{_LEAVING} {what}\")", "left = target", "tests/test_rewind.py")

# --- queue and phone ----------------------------------------------------------------------------------------------------
m("up_passes_gates", "queue/source.py", "        return None if isinstance(found, StillOpen) else 0.0\n", "        return 0.0\n", "tests/test_pool.py")
m("up_no_job_limit", "queue/pool.py", "        if len(self.running) + len(others) >= self.jobs:\n", "        if len(others) >= self.jobs:\n", "tests/test_pool.py::test_no_more_workers_than_jobs")
m("up_others_do_not_count", "queue/pool.py", "        if len(self.running) + len(others) >= self.jobs:\n", "        if len(self.running) >= self.jobs:\n", "tests/test_pool.py::test_workers_that_others_started_count_too")
m("up_no_slots", "queue/pool.py", "busy[provider := due.provider()] >= self.slots.get(provider, self.jobs)", "False", "tests/test_pool.py::test_no_more_workers_of_a_cli_than_its_slots")
m("backlog_starts_before", "core/backlog.py", "    if run.over:\n        return None, \"\"\n", "    if run.over or run.condition is Condition.RUNNING:\n        return None, \"\"\n", "tests/test_backlog.py")
m("backlog_priority_ignored", "core/backlog.py", "    return (-task.priority, task.written, task.name) if task else (0, 0.0, \"\")\n", "    return (0, task.written, task.name) if task else (0, 0.0, \"\")\n", "tests/test_backlog.py")
m("backlog_task_twice", "worker/prepare.py", "        if backlog:\n            refuse_again(config.sessions_dir, backlog)\n", "", "tests/test_backlog_start.py")
m("backlog_missed_times_all", "core/schedule.py", "        found = start = time\n", "        return time\n", "tests/test_backlog.py")
m("integration_not_merged", "worker/integration.py", "    if not missing:\n", "    if True:\n", "tests/test_backlog_start.py")
m("tg_offset_not_saved", "ui/telegram/relay.py", "            self._folder.use(*update.parts if isinstance(update, Said) else (), update.update_id)\n", "            pass\n", PHONE)
m("tg_offset_before_effect", "ui/telegram/relay.py", "                await self._handle(update)\n            await self._use(update)\n", "                await self._use(update)\n                await self._handle(update)\n", PHONE)
m("tg_update_twice", "ui/telegram/relay.py", "            if not self._folder.was_used(update.update_id):\n", "            if True:\n", PHONE)
m("tg_used_forgotten_where_unwritten", "config/bot_folder.py", "        self._used = [*self._used_updates(), *update_ids][-MOST_USED:]\n        self._used_at = time.time()\n        self.keep_used()\n", "        before = self._used_updates()\n        self._used = [*before, *update_ids][-MOST_USED:]\n        self._used_at = time.time()\n        try:\n            self.keep_used()\n        except OSError:\n            self._used = before\n            raise\n", PHONE)
m("tg_part_ends", "ui/telegram/relay.py", "        while not self._stopped.is_set():\n            await self._guarded(part, go_round)\n", "        if not self._stopped.is_set():\n            await self._guarded(part, go_round)\n", BROKEN)
m("tg_odd_answer_is_none", "ui/telegram/api.py", "            if given and not found:\n", "            if False:\n", BROKEN)
m("tg_number_from_the_future", "ui/telegram/api.py", "    return type(value) is int and 0 < value < 2**31\n", "    return type(value) is int\n", BROKEN)
m("tg_refused_offset_for_ever", "ui/telegram/api.py", "                offset = 0  # it may be that which is refused\n", "", BROKEN)
m("tg_400_ends_listening", "ui/telegram/api.py", "                if not listens and _refuses(error):\n", "                if _refuses(error):\n", BROKEN)
m("tg_401_is_believed_at_once", "ui/telegram/api.py", "(not self._has_worked or outage.seconds > TOKEN_SECONDS)", "True", BROKEN)
m("tg_not_followed", "ui/telegram/api.py", "        self._moved(chat)\n", "", BROKEN)
m("tg_one_session_holds_up_all", "ui/telegram/relay.py", "                if not self._disk_refuses():\n", "                if False:\n", BROKEN)
m("tg_taken_from_another_machine", "ui/telegram/relay.py", "                if self._is_another_machines(update):\n", "                if False:\n", BROKEN)
m("tg_left_without_another", "ui/telegram/relay.py", "        if not self._api.rival.why or not self._handler.is_strange(update):\n", "        if not self._handler.is_strange(update):\n", BROKEN)
m("tg_sent_is_forgotten_where_unwritten", "ui/telegram/ledger.py", "        self._apply(record)\n        kept = not self._unwritten\n", "        kept = not self._unwritten\n", BROKEN)
m("tg_unwritten_is_never_written", "ui/telegram/ledger.py", "        if self._unwritten:\n            self._write()\n", "", BROKEN)
m("tg_new_items_pass_for_sent", "ui/telegram/ledger.py", "            self.parts.clear()\n", "            pass\n", BROKEN)
m("tg_other_chat_counts", "ui/telegram/ledger.py", "        if message.chat not in (0, self.chat):\n            self.has_moved = True\n            return\n", "", BROKEN)
m("tg_chat_is_enough", "ui/telegram/handler.py", "update.chat == self.chat and update.user in self._users:", "update.chat == self.chat:", "tests/telegram/test_trust.py")
m("tg_user_is_enough", "ui/telegram/handler.py", "update.chat == self.chat and update.user in self._users:", "update.user in self._users:", "tests/telegram/test_trust.py")
m("tg_stranger_taps", "ui/telegram/handler.py", "        if isinstance(update, Moved | Other) or not self.allows(update):\n            return []\n", "        if isinstance(update, Moved | Other):\n            return []\n", "tests/telegram/test_trust.py")
m("tg_group_hears_all", "ui/telegram/address.py", "and not (in_topic or said.answers_bot or named)", "and False", "tests/telegram/test_address.py")
m("tg_other_bots_command", "ui/telegram/address.py", "    if command and command[2].lower() != bot.lower():\n", "    if False:\n", "tests/telegram/test_address.py")
m("tg_guessed_before", "ui/telegram/setup.py", "            return update if in_group or update.text == f\"/start {code}\" else None\n", "            return update if update.text.startswith(\"/start\") else None\n", "tests/telegram/test_owner.py")
m("tg_owner_not_confirmed", "ui/telegram/setup.py", "        if not confirm(\"Is that you? Only this user may answer and approve\"):\n", "        if False:\n", "tests/telegram/test_owner.py")
m("tg_copied_button_acts", "ui/telegram/handler.py", "        if not self._belongs(known, press, tap):\n", "        if False:\n", "tests/telegram/test_strangers.py")
m("tg_forged_choice_answers", "ui/telegram/handler.py", "        if press.choice not in dict(effects.asked(known, press.target)[1].options):\n", "        if False:\n", "tests/telegram/test_strangers.py")
m("tg_strangers_hold_up", "ui/telegram/relay.py", "if isinstance(update, Said) and update.answers_bot and self._handler.allows(update):", "if isinstance(update, Said) and update.answers_bot:", "tests/telegram/test_strangers.py")
m("tg_escapes_in_words", "ui/telegram/api.py", "        clean(message.text or message.caption or \"\"),\n", "        message.text or message.caption or \"\",\n", "tests/telegram/test_strangers.py")
m("tg_words_begin_another_s", "core/gates/folder.py", "f\" {line}\" if line.startswith(\"From \") else line", "line", "tests/telegram/test_strangers.py")
m("tg_late_voice_wins", "ui/telegram/handler.py", "        came_late = said.spoken or said.document\n", "        came_late = False\n", "tests/telegram/test_voice_and_files.py")
m("tg_voice_without_end", "ui/telegram/voice.py", "        async with asyncio.timeout(seconds):\n", "        async with asyncio.timeout(30):\n", "tests/telegram/test_voice.py")
m("tg_file_name_leads_away", "ui/telegram/attachments.py", "    return re.sub(r\"[^\\w.]+\", \"_\", text)[:most].strip(\"._\")\n", "    return text[:most]\n", "tests/telegram/test_attachments.py")
m("tg_file_left_out", "ui/telegram/handler.py", "        document = self.attachments.put(message, known.session_dir)\n", "        document = None\n", "tests/telegram/test_voice_and_files.py")
m("tg_forwarded_file_acts", "ui/telegram/handler.py", "if said.forwarded or len(those) != 1", "if len(those) != 1", "tests/telegram/test_voice_and_files.py")

# --- what a child says, against what is so -------------------------------------------------------------------------
m("plan_open_is_fine", "checks/plan.py", "        if item.is_open:\n", "        if False:\n", "tests/test_checks_plan.py")
m("plan_gone_is_fine", "checks/plan.py", "        elif item.id not in split:\n", "        elif False:\n", "tests/test_checks_plan.py")
m("plan_reworded_is_fine", "checks/plan.py", "not any(map(_keeps(item.text), texts[item.id]))]", "not texts[item.id]]", "tests/test_checks_plan.py")
m("milestone_unopened_is_fine", "checks/plan.py", "    if not gone:\n        return []\n", "    if gone:\n        return []\n", "tests/test_checks_plan.py")
m("plan_split_is_refused", "checks/plan.py", "    split = {parent for id in there if id not in own for parent in _parents(id)}\n", "    split: set[str] = set()\n", "tests/test_checks_plan.py")
m("plan_beside_is_refused", "checks/plan.py", "        found.append(Evidence(SOURCE, Weight.NOTE, why))\n", "        found.append(Evidence(SOURCE, Weight.VETO, why))\n", "tests/test_checks_plan.py")
m("example_counts", "checks/markdown.py", "            fence = match[1]\n", "            fence = ''\n", "tests/test_checks_plan.py", "tests/test_checks_documents.py")
m("document_not_asked_for", "checks/documents.py", "    if kind and not fresh:\n", "    if False:\n", "tests/test_checks_documents.py")
m("unmet_is_fine", "checks/documents.py", "            unmet[match[1].upper()] = bool(match[2])\n", "            pass\n", "tests/test_checks_documents.py")
m("first_word_counts", "checks/documents.py", "            unmet[match[1].upper()] = bool(match[2])\n", "            unmet.setdefault(match[1].upper(), bool(match[2]))\n", "tests/test_checks_documents.py")
m("later_milestone_is_asked_for", "checks/documents.py", "    soft = Weight.NOTE if _comes_back(workflow, phase) else Weight.VETO", "    soft = Weight.VETO", "tests/test_checks_documents.py")
m("any_verdict_is_fine", "checks/documents.py", "    return HANDED_OVER in words and", "    return True or HANDED_OVER in words and", "tests/test_checks_documents.py")
m("unverified_is_fine", "checks/documents.py", "            unverified += 1\n", "            pass\n", "tests/test_checks_documents.py")
m("finder_is_refused", "checks/documents.py", "    return len(of_kind) > 1 and of_kind[-1] < there\n", "    return True\n", "tests/test_checks_documents.py")
m("open_area_is_fine", "checks/documents.py", "    if areas and kind != \"plan\":", "    if False:", "tests/test_checks_documents.py")
m("skipping_is_fine", "checks/shortcut.py", "        if code:\n", "        if False:\n", "tests/test_checks_tree.py")
m("text_is_refused", "checks/shortcut.py", " if not is_text(path)]", "]", "tests/test_checks_tree.py")
m("tests_may_be_anything", "checks/tree.py", "    return [path for path in paths if not may_hold_tests(path)] if changes is Changes.TESTS else []\n", "    return []\n", "tests/test_checks_tree.py")
m("lost_work_unnoticed", "checks/tree.py", "if match and int(match[2]) >= int(since)]", "if False and match]", "tests/test_checks_tree.py")
m("secret_is_committed", "git/staging.py", "        elif path in secret:\n            continue\n", "", "tests/stranger/test_evidence.py")
m("research_may_code", "checks/tree.py", "            put_back(worktree, wrong, since, message)\n", "            pass\n", "tests/stranger/test_evidence.py")
m("nothing_implemented_is_fine", "checks/tree.py", "    if not changed_paths(store, base_of(worker, now.commit), now.commit):\n", "    if False:\n", "tests/stranger/test_evidence.py")
m("rewriting_is_fine", "checks/tree.py", "    if committed.rewritten:\n", "    if False:\n", "tests/stranger/test_evidence.py")
m("waiver_is_not_heeded", "checks/waivers.py", "        if seen.weight is Weight.VETO and seen.source in known\n", "        if False\n", "tests/stranger/test_evidence.py")
m("waiver_is_not_in_the_headline", "checks/concluding.py", "    parts = [f\"waived: {let_pass}\"] if let_pass else []\n", "    parts: list[str] = []\n", "tests/test_checks_headline.py")
m("another_tree_is_green", "checks/concluding.py", "    judged = [found for found in standing.at(tree) if", "    judged = [found for found in standing.judged if", "tests/test_checks_headline.py")
m("what_did_not_run_is_not_said", "checks/concluding.py", "    bad += [f\"{check.name} did not run here\" for check in standing.checks if check.name not in known]\n", "", "tests/test_checks_headline.py")
m("refusals_are_hushed_up", "worker/proofs.py", "isinstance(record, Ended) and record.decision.vetoed]", "isinstance(record, Ended) and False]", "tests/test_report.py")
m("a_stranger_writes_html", "api/report_page.py", "    return made + escape(text[place:])\n", "    return made + text[place:]\n", "tests/test_report_page.py")
m("fork_inherits_waivers", "api/rewind.py", "known.name == waivers.RECORD)", "False)", "tests/test_checks_waivers.py")
m("gate_opens_without_items", "core/rules.py", " and (leaves(state.phase, decision) or decision.gate):", " and leaves(state.phase, decision):", "tests/test_evidence.py", "tests/stranger/test_evidence.py")

# --- the box ------------------------------------------------------------------------------------------------------------
m("box_without_end", "children/sandbox.py", '"--unshare-pid", ', "", BOX_ENDS)
m("box_keeps_rights", "children/sandbox.py", '"--cap-drop", "ALL", ', "", BOX_ESCAPES)
m("box_swallows_signals", "children/sandbox.py", "'trap : INT TERM HUP; \"$@\"; exit $?'", "'\"$@\"; exit $?'", BOX_ENDS)
m("box_outlives_its_starter", "children/sandbox.py", "    if not box.stays:\n", "    if False:\n", BOX)
m("box_dies_with_its_worker", "children/sandbox.py", "    if not box.stays:\n", "    if True:\n", BOX, BOX_ENDS)
m("box_always_has_network", "children/sandbox.py", "    if not box.network:\n", "    if False:\n", BOX)
m("box_shallow_wins", "children/sandbox.py", "*box.links}, key=str):", "*box.links}, key=str, reverse=True):", BOX)
m("box_poisons_caches", "children/sandbox.py", '            return ["--overlay-src", str(source), "--tmp-overlay", name] if', '            return ["--bind-try", name, name] if', BOX)
m("box_loses_links", "children/sandbox.py", " for link, to in links.items() if _of", " for link, to in () if _of", BOX)
m("box_required_is_auto", "children/sandbox.py", "        if required:\n", "        if False:\n", BOX)
m("box_is_not_ended", "children/child.py", "            if first := self._first_in_box():\n", "            if False and (first := 0):\n", BOX_ENDS)
m("box_is_not_asked", "children/child.py", "            first = self._first_in_box()\n", "            first = None\n", BOX_ENDS)
m("box_is_not_followed", "children/child.py", "            if pid == first or (mark.is_on(pid)", "            if False or (mark.is_on(pid)", BOX_ENDS)
m("box_of_others", "children/processes.py", "        if len(numbers) == depth and numbers[-1] == 1:\n", "        if numbers[-1:] == [1]:\n", BOX_ENDS)
m("project_opens_its_box", "config/loading.py", "        widens = [\"mode\"] if mode in (False, \"off\") else []\n", "        widens: list[str] = []\n", BOX)
m("project_adds_paths", "config/loading.py", "        widens += [name for name in (\"read\", \"write\") if said.get(name)]\n", "", BOX)
m("project_takes_back", "config/loading.py", '        idle = {"mode"} if mode in (False, "off", "auto") else set()\n', "        idle: set[str] = set()\n", BOX)
m("box_shows_the_home", "worker/box.py", "    hidden = [*map(Path, _HIDDEN), *homes, ", "    hidden = [", BOX_PLACES)
m("box_shows_other_sessions", "worker/box.py", "        config.sessions_dir: Access.HIDDEN,\n        session.dir: Access.WRITE,\n", "        session.dir: Access.WRITE,\n", BOX_PLACES)
m("box_opens_git", "worker/box.py", "    paths = {common: Access.READ, root", "    paths = {common: Access.WRITE, root", BOX_ESCAPES, BOX_PLACES)
m("box_opens_packs", "worker/box.py", 'for name in ("pack", "info")}', 'for name in ("info",)}', BOX_PLACES)
m("box_has_no_alternates", "worker/box.py", "    for line in small_text(objects / \"info\" / \"alternates\").splitlines() if deepest else ():\n", "    for line in ():\n", BOX_PLACES)
m("box_opens_documents", "worker/box.py", "    return {path: Access.READ for path in found if not path.is_symlink()}\n", "    return {}\n", BOX_ESCAPES)
m("setup_is_free", "worker/box.py", "    return [*sandbox.words_for(settings, box), *argv]\n", "    return list(argv)\n", BOX_PLACES)
m("box_reaches_sockets", "children/scope.py", "            _restrict()\n", "            pass\n", BOX_ESCAPES)
m("box_leaves_the_kernel_open", "children/sandbox.py", "        argv += [word for path in _KERNEL_READ for word", "        argv += [word for path in () for word", BOX_ESCAPES)
m("box_lets_git_settings_be_made", "worker/box.py", '        if not os.path.lexists(own / "config.worktree"):\n', "        if False:\n", BOX_ESCAPES)
m("box_lets_a_cli_s_settings_be_made", "worker/box.py", "        if access is not Access.READ or not folder_is_open or os.path.lexists(path):\n", "        if True:\n", "tests/box/test_logins.py")
m("box_shows_no_prompt_of_a_skill", "worker/box.py", "{told_in: Access.READ, **launch.needs}", "launch.needs", "tests/box/test_skill_inside.py")
m("terminal_is_the_persons", "api/look_inside.py", "foreground.run_in_terminal if terminal else foreground.run", "foreground.run", "tests/box/test_sandbox_command.py")
m("program_without_its_package", "providers/program.py", '    if "node_modules" in real.parts:\n', "    if False:\n", BOX_PLACES)
m("untried_box_is_used", "children/sandbox.py", "    return \"\" if required else found.untried\n", "    return \"\"\n", BOX)
# --- checks --------------------------------------------------------------------------------------------------------------
m("no_test_is_a_pass", "checks/running.py", "        return (Outcome.PASSED, \"\") if counted.passed else", "        return (Outcome.PASSED, \"\") if True else", CHECKS_RESULTS)
m("a_failure_with_0_passes", "checks/running.py", "        if counted.failed:\n", "        if False:\n", CHECKS_RESULTS)
m("what_cannot_be_run_failed", "checks/running.py", "        if why := results.unable(exit_code, text):\n", "        if False:\n", CHECKS_RESULTS)
m("entities_are_read", "checks/results.py", "        if b\"<!DOCTYPE\" in document or b\"<!ENTITY\" in document:\n", "        if False:\n", CHECKS_RESULTS)
m("red_before_is_held_against", "checks/judging.py", "    fresh = sorted(now.failing - base.failing)\n    if fresh:\n        return VETO", "    fresh = sorted(now.failing)\n    if fresh:\n        return VETO", CHECKS_JUDGING)
m("new_failure_beside_an_old_one_passes", "checks/judging.py", "    if fresh:\n        return VETO", "    if False:\n        return VETO", CHECKS_JUDGING)
m("no_test_any_more_passes", "checks/judging.py", "    if base is None or base.outcome is Outcome.PASSED:\n", "    if base is None:\n", CHECKS_JUDGING)
m("listed_tests_are_refused", "checks/judging.py", " if not rules.excused(test))", ")", CHECKS_JUDGING)
m("old_tests_say_nothing", "checks/judging.py", "    return rules.old_tests, (\n", "    return GREEN, (\n", CHECKS_JUDGING)
m("new_tests_need_show_nothing", "checks/judging.py", "    is_veto = rules.new_tests_veto and new.outcome", "    is_veto = False and new.outcome", CHECKS_JUDGING)
m("a_new_test_meets_no_old_one", "checks/swap.py", "tuple(change.path for change in touched if not change.was), written)", "(), written)", CHECKS_SWAP)
m("npm_test_may_be_redefined", "checks/swap.py", "    if definition(check.command, {name: text})[1] == check.defined:\n", "    if True:\n", CHECKS_SWAP)
m("a_part_may_be_redefined", "checks/swap.py", "    return mixed if (found.get(\"tool\") or {}).get(\"pytest\") == wanted else old\n", "    return None\n", CHECKS_SWAP)
m("output_without_end", "checks/running.py", "        return self._outer.now or self.too_long\n", "        return self._outer.now\n", "tests/checks/test_running.py")
m("an_old_result_counts", "checks/running.py", "rm -f -- $*\n", "", "tests/checks/test_running.py")
m("compiled_code_is_believed", "checks/examining.py", "            put = replace(put, gone=(*put.gone, *self._bytecode()))\n", "            pass\n", "tests/checks/test_sessions.py::test_compiled_code_that_a_child_left_does_not_stand_in_for_a_source")
m("written_through_a_link", "checks/copies.py", "[*_links(root, paths), *paths]", "paths", "tests/checks/test_running.py")
m("run_twice_on_one_tree", "checks/examining.py", "        if known := self.standing.receipt(check, kind, inputs):\n", "        if known := None:\n", "tests/checks/test_sessions.py")
m("a_check_leaves_its_files", "checks/copies.py", "                    remove(worktree.root / path.rstrip(\"/\"))\n", "                    pass\n", "tests/checks/test_sessions.py")
m("what_is_merged_is_not_compared", "api/evidence.py", "    judged = standing.at(tree)\n", "    judged = standing.judged\n", "tests/checks/test_sessions.py")
m("two_checks_at_once", "checks/station.py", "    _take_in(worker, background.wait_for(worker))\n", "", "tests/checks/test_background.py")
m("the_base_sees_the_child", "checks/copies.py", "sources={root: source or root}", "sources={}", "tests/checks/test_background.py")
m("what_a_killed_worker_left_goes_on", "checks/background.py", "        running.end_left(marker(worker), lock)\n", "        pass\n", "tests/checks/test_background.py")
m("a_veto_of_checks_is_a_note", "checks/station.py", "Weight.VETO, found.said, _detail", "Weight.NOTE, found.said, _detail", "tests/checks/test_sessions.py")
m("any_beginning_is_taken", "core/session.py", "    if len(begun) == 1:\n        return begun[0]\n", "    if begun:\n        return begun[0]\n", "tests/test_session.py")
m("who_waits_comes_anywhere", "api/status.py", "    if row[\"needs_you\"]:\n        return 0\n", "", "tests/test_look.py")
m("an_answer_not_seen_is_not_shown", "ui/terminal/overview.py", "        why = row[\"decided\"] + (\"\" if row[\"worker_alive\"] else \"; no worker has taken it up yet\")\n", "        why = row[\"reason\"]\n", "tests/test_look.py")
m("an_interrupt_leaves_the_screen", "ui/terminal/keys.py", "        finally:\n            self._give_back()\n            signal.set_wakeup_fd", "        finally:\n            signal.set_wakeup_fd", "tests/test_watch_command.py")
m("learned_counts_as_a_child_wrote_it", "worker/learned.py", "    if worker.state.created.in_place and worker.settings_now", "    if False and worker.settings_now", "tests/stranger/test_learned.py")
m("learned_stops_who_is_at_work", "config/settings_files.py", " if name != str(LEARNED)}", "}", "tests/test_learned.py")
m("a_proposal_needs_no_evidence", "worker/learned.py", r"\(evidence:\s*(\S.*?)\s*\)\.?\s*", r"(?:\(evidence:\s*)?(.*?)\)?\.?\s*", "tests/test_learned.py")
m("a_list_in_a_circle_reaches_a_person", "api/breakdown.py", "Evidence(_SOURCE, Weight.VETO, why)", "Evidence(_SOURCE, Weight.NOTE, why)", "tests/test_breakdown.py")
m("a_program_sets_what_comes_after_done", "ui/mcp/tools.py", "    Argument(\"priority\", \"the higher, the sooner\"", "    Argument(\"finish\", \"none, push or pr\"),\n    Argument(\"priority\", \"the higher, the sooner\"", "tests/test_mcp_server.py")
