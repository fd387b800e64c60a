"""Write the demo clusters anew: bring each lab up, point `calitui record` at it, keep what it wrote.

Run as root with KUBEBUILDER_ASSETS set: `python -m tests.record_demos [NAME ...]`. The broken ones are labs with one of
`tests.lab.faults` in them. Nothing in the files is edited.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import resources
from pathlib import Path

from tests.end_to_end.calitui_in_lab import calitui
from tests.lab.breaking import broken
from tests.lab.clusters import CLUSTERS
from tests.lab.faults import FAULTS
from tests.lab.lab import Lab
from tests.lab.visits import Ping, send

HEALTHY = ("bgp", "ipip", "vxlan", "crosssubnet", "dualstack")
PROVED = ("ipip", "vxlan")
"""Those with a live proof of their first pair."""
BROKEN = {
    "broken-blackhole": ("blackhole", "Broken: a pod's own route is gone, its block's blackhole takes its packets"),
    "broken-tunl0": ("tunl0-down", "Broken: the IPIP tunnel device is down on one node"),
    "broken-bird": ("bird-stopped-and-routes-gone", "Broken: BIRD stopped on one node, its routes are gone"),
    "broken-wrong-nic": ("address-of-docker", "Broken: Calico took docker0's address for a node's"),
    "broken-firewall": ("vxlan-filtered", "Broken: one node's firewall drops VXLAN"),
    "broken-mtu": ("veth-mtu-too-big", "Broken: a pod sends larger packets than the tunnel takes"),
    "broken-borrowed": (
        "borrowed-address-without-route",
        "Broken: a borrowed address has no route at the block's owner",
    ),
    "broken-mask": ("mask-too-wide", "Broken: one node takes the other rack for its own network, and uses no tunnel"),
    "broken-no-l2": ("no-common-network", "Broken: no encapsulation, and the router between the racks knows no pods"),
}
"""Name, fault and title of the broken ones."""


def main(names: list[str]) -> int:
    """Record the demos in `names`, all without any; returns the exit code."""
    names = names or [*HEALTHY, *BROKEN]
    clusters = {name: FAULTS[BROKEN[name][0]].cluster if name in BROKEN else name for name in names}
    for cluster in dict.fromkeys(clusters.values()):
        with Lab.up(cluster, f"record-{cluster}", with_api=True) as lab:
            # Traffic first, so that neighbour entries are there as in a cluster in use.
            for source, destination in lab.spec.pairs:
                for address in lab.spec.addresses_of(destination):
                    send(lab, Ping(source, address))
            for name in (name for name in names if clusters[name] == cluster):
                if code := _record(lab, name):
                    return code
    return 0


def _record(lab: Lab, name: str) -> int:
    target = Path(str(resources.files("calitui.demo"))) / f"{name}.json"
    with contextlib.ExitStack() as mending:
        title = CLUSTERS[lab.spec.name].title
        if name in BROKEN:
            fault, title = BROKEN[name]
            mending.enter_context(broken(lab, FAULTS[fault]))
        proof = ["--prove", *lab.spec.pairs[0], "--yes"] if name in PROVED else []
        done = calitui(lab, "record", "-o", str(target), "--force", "--title", title, *proof)
    print(done.stderr.strip())
    if done.returncode == 0:
        target.chmod(0o644)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
