"""Postgres on the host that this is started on: prints its address, and does what its standard input says."""

import sys

from samoloop.fleet.postgres import Postgres

with Postgres(sys.argv[1], int(sys.argv[2])) as server:
    print(server.url, flush=True)
    for line in sys.stdin:
        {"kill": server.kill, "stop": server.stop, "start": server.start}[line.strip()]()
        print(line.strip(), flush=True)
