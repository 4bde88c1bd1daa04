import signal

import pytest

from samoloop.children.wrapper import signed


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (0, 0),
        (1, 1),
        (127, 127),
        (128, 128),
        (129, -signal.SIGHUP),
        (130, -signal.SIGINT),
        (137, -signal.SIGKILL),
        (143, -signal.SIGTERM),
        (145, 145),  # gemini: HTTP 401
        (173, 173),  # gemini: HTTP 429
        (244, 244),  # gemini: HTTP 500
    ],
)
def test_only_the_code_of_a_signal_that_ends_a_program_is_read_as_one(code: int, meaning: int) -> None:
    assert signed(code) == meaning
