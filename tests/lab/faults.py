"""Every way a lab is broken, as data: what is done to nodes and API objects, and the cause that calitui has to name.

`python -m tests.lab.faults` prints them as the table that lies beside the tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.breaking import Fault
from tests.lab.faults_bgp import BGP_FAULTS
from tests.lab.faults_ipip import IPIP_FAULTS
from tests.lab.faults_nodes import NODE_FAULTS
from tests.lab.faults_objects import OBJECT_FAULTS
from tests.lab.faults_others import OTHER_FAULTS
from tests.lab.faults_vxlan import VXLAN_FAULTS

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*BGP_FAULTS, *NODE_FAULTS, *OBJECT_FAULTS, *VXLAN_FAULTS, *IPIP_FAULTS, *OTHER_FAULTS)
}
"""By name."""

NOT_INJECTED = {
    "vxlan-checksum-offload": "it takes a kernel older than 5.7",
    "routes-removed-by-host-service": "the lab's nodes have neither NetworkManager nor systemd-networkd",
    "conntrack-full": "the size of the table is the whole machine's, not a node's",
    "container-address-missing": "a container is found by its address: nobody has it is told as not checked",
}
"""Codes that no fault of the lab leads to, and why."""


def table() -> Iterator[str]:
    """The lines of the Markdown table."""
    yield "| Cluster | What is broken | Ping | `calitui trace` says | `calitui audit` says |"
    yield "|---|---|---|---|---|"
    for fault in FAULTS.values():
        ping = f"lost at {fault.size} bytes" if fault.size else "lost" if fault.lost else "answered"
        if not fault.code:
            trace = audit = f"no error: {fault.undetectable}"
        else:
            trace = f"`{fault.code}`" if fault.in_trace else "nothing: other pods' affair"
            audit = f"`{fault.audit_code or fault.code}`" if fault.in_audit else "nothing: one pair's affair"
        yield f"| {fault.cluster} | {fault.name} | {ping} | {trace} | {audit} |"
    yield ""
    yield "| Code without a fault | Why |"
    yield "|---|---|"
    for code, reason in NOT_INJECTED.items():
        yield f"| `{code}` | {reason} |"


if __name__ == "__main__":
    print("\n".join(table()))
