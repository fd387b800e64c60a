"""Write the demo clusters anew: bring each lab up, point `calitui record` at it, keep what it wrote.

Run as root with KUBEBUILDER_ASSETS set: `python -m tests.record_demos [NAME ...]`. Nothing in the files is edited.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from tests.end_to_end.calitui_in_lab import calitui
from tests.lab.clusters import CLUSTERS
from tests.lab.lab import Lab
from tests.lab.visits import Ping, send

DEMOS = ("bgp", "ipip", "vxlan", "crosssubnet", "dualstack")


def main(names: list[str]) -> int:
    """Record the clusters in `names`, all without any; returns the exit code."""
    for name in names or DEMOS:
        target = Path(str(resources.files("calitui.demo"))) / f"{name}.json"
        with Lab.up(name, f"record-{name}", with_api=True) as lab:
            # Traffic first, so that neighbour entries are there as in a cluster in use.
            for source, destination in lab.spec.pairs:
                for address in lab.spec.addresses_of(destination):
                    send(lab, Ping(source, address))
            done = calitui(lab, "record", "-o", str(target), "--force", "--title", CLUSTERS[name].title)
        print(done.stderr.strip())
        if done.returncode:
            return done.returncode
        target.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
