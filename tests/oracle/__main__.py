"""`python -m tests.oracle`: more seeds and other shapes than the test has, with every difference printed."""

from __future__ import annotations

import argparse
import sys
import time

from tests.oracle.compare import run
from tests.oracle.generate import Shape
from tests.oracle.kernel import why_impossible


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--family", type=int, choices=(4, 6), action="append", help="both if not given")
    parser.add_argument("--routes", type=int, default=60)
    parser.add_argument("--rules", default="10", help="a number, or `none` for the kernel's own rules")
    parser.add_argument("--lookups", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--scenarios", type=int, default=1, help="how many seeds from there")
    parser.add_argument("--show", type=int, default=5, help="differences to print for each scenario")
    chosen = parser.parse_args()
    if reason := why_impossible():
        parser.exit(2, f"{reason}\n")
    shape = Shape(chosen.routes, None if chosen.rules == "none" else int(chosen.rules))
    lookups = differences = 0
    for seed in range(chosen.seed, chosen.seed + chosen.scenarios):
        for family in chosen.family or (4, 6):
            began = time.monotonic()
            outcome = run(seed, family, shape, chosen.lookups)
            lookups += outcome.lookups
            differences += len(outcome.differences)
            print(
                f"seed {seed} IPv{family}: {outcome.routes} routes, {outcome.rules} rules, {outcome.lookups} lookups, "
                f"{len(outcome.differences)} differences, {time.monotonic() - began:.1f} s",
                flush=True,
            )
            for difference in outcome.differences[: chosen.show]:
                print(difference)
    print(f"{lookups} lookups, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
