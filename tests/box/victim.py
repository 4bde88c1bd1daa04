"""A process of the person's, outside of every box: what it holds and what happens to it is what the suite looks at.

Arguments: the secret, the name by which things are shared, a folder for its mark, and the paths of its sockets.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
IPC_PRIVATE, IPC_RMID, SIZE = 0, 0, 4096


def main() -> None:
    secret, name, folder, *sockets = sys.argv[1:]
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)  # as where Yama is not there
    signal.signal(signal.SIGUSR1, lambda *_: Path(folder, "signalled").write_text("USR1"))

    libc.shmat.restype = ctypes.c_void_p
    shared = libc.shmget(IPC_PRIVATE, SIZE, 0o600)
    ctypes.memmove(libc.shmat(shared, None, 0), secret.encode(), len(secret))
    Path("/dev/shm", name).write_text(secret)

    listening = [socket.socket(socket.AF_UNIX) for _ in range(1 + len(sockets))]
    for one, address in zip(listening, ["\0" + name, *sockets], strict=True):
        one.bind(address)
        one.listen()
        one.setblocking(False)
    print(json.dumps({"pid": os.getpid(), "shared": shared}), flush=True)
    try:
        serve(listening, secret)
    finally:
        libc.shmctl(shared, IPC_RMID, None)
        for path in (Path("/dev/shm", name), *map(Path, sockets)):
            path.unlink(missing_ok=True)


def serve(listening: list[socket.socket], secret: str) -> None:
    """Until standard input ends."""
    import select

    while True:
        ready, _, _ = select.select([sys.stdin, *listening], [], [])
        if sys.stdin in ready:
            return
        for one in ready:
            connection, _ = one.accept()
            connection.sendall(secret.encode())
            connection.close()


main()
