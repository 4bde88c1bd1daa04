"""Gates from a phone: everything that speaks to the Bot API.

Nothing here is imported by a command that does not use it, and only `api` imports python-telegram-bot (some 160 ms and
25 MB), so a worker that merely writes its outbox never pays for it.
"""
