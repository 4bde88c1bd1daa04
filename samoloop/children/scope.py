"""What namespaces leave open while the network is shared: sockets that have a name and no file. Landlock closes it.

The kernel holds a thread to it and all that the thread starts, so a process is started from a thread of its own.
"""

import ctypes
import functools
import os
import struct
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every architecture
_VERSION = 1  # a flag: say how much of it the kernel knows
_SCOPES_SINCE = 6  # Linux 6.12
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
_NO_NEW_PRIVILEGES = 38


def apart(call: Callable[[], T]) -> T:
    """Do it so that no process that it starts reaches an abstract socket, or signals a process, of others.

    Where the kernel cannot hold that, it is done all the same.
    """
    if not is_held():
        return call()
    done: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            _restrict()
            done.append(call())
        except BaseException as error:  # the caller's, whatever it is
            failed.append(error)

    thread = threading.Thread(target=work, name="apart", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


@functools.cache
def is_held() -> bool:
    """Whether the kernel can."""
    return sys.platform == "linux" and int(_kernel().syscall(_CREATE_RULESET, None, 0, _VERSION)) >= _SCOPES_SINCE


@functools.cache
def _kernel() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _restrict() -> None:
    """This thread, for good."""
    kernel, nothing = _kernel(), 0
    rules = struct.pack("QQQ", nothing, nothing, _ABSTRACT_SOCKETS | _SIGNALS)  # files and network are not its business
    descriptor = kernel.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if descriptor < 0 or kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or kernel.syscall(_RESTRICT_SELF, descriptor, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses to keep a process apart")
    os.close(descriptor)
