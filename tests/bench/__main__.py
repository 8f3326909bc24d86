"""`python -m tests.bench`: the figures of docs and DESIGN §9 with their peers, measured in one run. Times are printed, never asserted."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys

from tests.bench.figures import Sizes, table
from tests.bench.run import BENCHES, run


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="bench", help=f"which to run: {', '.join(BENCHES)} (all when left out)")
    parser.add_argument("--large", action="store_true", help="inbox and poll with 1,000,000 tasks and timers (takes minutes)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    unknown = sorted(set(options.benches) - set(BENCHES))
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)} (there are {', '.join(BENCHES)})")
    names = options.benches or list(BENCHES)
    load = os.getloadavg()[0]
    figures = run(names, Sizes.large() if options.large else Sizes(), lambda text: print(text, file=sys.stderr, flush=True))
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }
    if options.json:
        print(json.dumps({"machine": machine, "figures": [figure.as_json() for figure in figures]}, ensure_ascii=False, indent=1))
        return
    print("  ".join(f"{name} {value}" for name, value in machine.items()))
    print("Medians unless said otherwise. SQL statements without BEGIN and COMMIT; one statement for many rows counts once.")
    print("SQLite: WAL, synchronous=FULL, a file. PostgreSQL: a cluster of the bench's own, fsync on.\n")
    print(table(figures))


if __name__ == "__main__":
    main()
