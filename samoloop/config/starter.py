"""The commented `.samoloop.yaml` that `init` writes: every key, its default or an example, one line of meaning."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.base.files import write_atomic
from samoloop.config.loading import BUILT_IN, FILE_NAME

# Lines that start with ## are words and stay comments; taking the first # from all others gives a valid file.
_TEXT = """\
## Settings of samoloop for this project. Take the # from a line to set it: each shows the default,
## or an example where it says so. Flags and SAMOLOOP_PROVIDER, CLAUDE_MODEL and so on win over this file.

provider: PROVIDER   # the child CLI: claude, codex, gemini, opencode, mini, demo, or a name under providers:
# model: opus   # example; the CLI's own default if not set
# effort: standard   # example: low, standard, high, max; the CLI's own default if not set
# profile: developer   # example: a posture added to every prompt, from .samoloop/profiles/ or shipped
# workflow: feature   # the shape of the work; see `samoloop workflows list`
# permissions: full   # or edits: the CLI's own restrained mode
# fallback: []   # providers that stand in while this one is limited, such as [codex, gemini]

## Where things are, relative to this folder.
# sessions: _sessions   # one folder a session: its journal, documents, logs
# worktrees: .samoloop/worktrees   # one a session; hidden, so that searches in the main tree pass it by
# branch_prefix: samoloop/   # each session works on a branch of its own
# setup: npm ci   # example: runs once in a fresh worktree
# commit: true   # false: no commits and no checkpoints, so no rewind

## One phase otherwise than the rest; the keys are provider, model, effort, profile, permissions, iteration,
## fallback and ceilings.
# phases:   # example
#   planning: {provider: claude, model: opus, effort: high, iteration: 45m}
#   implementation: {provider: codex, ceilings: {cost: 20}}

## When a child is ended; off turns a limit off, but for iteration and terminate.
# limits:
#   iteration: 30m   # all of one child
#   silence: 10m   # no output, no tool, no processor time
#   first_byte: 2m   # nothing at all yet
#   grace: 60s   # after its signal and its last word, while it lingers
#   terminate: 10s   # from asking it to end until it is killed

## What a session may spend until a person is asked; `samoloop resume` grants as much again; off is no ceiling.
# ceilings:
#   iterations: 150
#   wall: 24h   # of work; waiting does not count
#   cost: 50   # in USD, as far as the CLIs tell

## How a CLI is started. A name of your own needs a command.
# providers:   # example
#   claude: {path: ~/bin/claude, args: [--append-system-prompt, Be brief.], env: {NO_COLOR: "1"}}
#   mine: {command: [mycli, --auto], prompt: stdin, output: text}   # prompt: stdin, arg, file; output: text, jsonl

# scrub: []   # more environment names that no child gets, such as ["AWS_*"]; TELEGRAM_* never reaches one
# announce:   # example: who else hears of gates and ends, beside Telegram
#   command: [notify-send, samoloop]   # gets each announcement as JSON on standard input
#   webhook: https://hooks.example.org/samoloop   # gets it as a POST
# keep_awake: true   # the machine does not go to sleep while a child works

## Secrets do not belong here: `telegram:` and `prices:` are read from your own ~/.config/samoloop/config.yaml only.
"""


def write(root: Path, provider: str) -> Path:
    """Write the file into `root`. Raises UsageError where there is one."""
    path = root / FILE_NAME
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already, and it is yours: edit it, or move it away and run init again")
    write_atomic(path, text(provider))
    return path


def text(provider: str) -> str:
    return _TEXT.replace("PROVIDER", provider)


def installed_provider(environ: Mapping[str, str]) -> str:
    """The first built-in CLI that is on PATH; claude where none is."""
    programs = (name for name in BUILT_IN if name != "demo")
    return next((name for name in programs if shutil.which(name, path=environ.get("PATH"))), "claude")
