"""What is on a node that somebody could leave there: processes, files, rules, devices' modes, sockets that capture.

Taken twice and compared: what one has and the other has not was left behind, or taken away. For nodes on this
machine's kernel, whose processes are seen from outside without a connection to the node.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.lab.lab import Lab
from tests.lab.needs import LabError
from tests.lab.node import Node
from tests.lab.processes import descendants

# The rest of a node's files is read-only.
_FILES = "find /run -xdev | sort"
_RULES = "nft -s list ruleset; iptables-legacy-save 2>/dev/null | grep -v '^[#:]' || :"
_DEVICES = "ip -d -o link"
_SOCKETS = "for net in /proc/self/ns/net /run/netns/*; do nsenter --net=$net grep -v ^sk /proc/net/packet; done || :"


class Remains(msgspec.Struct, frozen=True):
    """`processes` are command lines but for those of sshd, `sockets` those that see packets, `devices` tells modes."""

    processes: tuple[str, ...]
    files: str
    rules: str
    devices: str
    sockets: str


def remains(node: Node) -> Remains:
    """What is there now."""
    said = node.run("; echo =====; ".join((_FILES, _RULES, _DEVICES, _SOCKETS))).stdout
    return Remains(processes(node.lab, node.name), *said.split("=====\n"))


def processes(lab: Lab, name: str) -> tuple[str, ...]:
    """The command lines of a node's processes without those of sshd."""
    return tuple(sorted(line for line in _running(lab, name).values() if not line.startswith("sshd: ")))


def connections(lab: Lab, name: str, user: str) -> tuple[int, ...]:
    """The ids of the processes by which sshd serves a user's connections to a node."""
    return tuple(pid for pid, line in _running(lab, name).items() if line.startswith(f"sshd: {user}@"))


def _running(lab: Lab, name: str) -> dict[int, str]:
    """The node's processes by their ids on this machine.

    Raises:
        LabError: the lab runs on another kernel.
    """
    first = next((one for one in lab.saved.processes if one.what == f"{name}, first process"), None)
    if first is None:
        raise LabError(f"{name} runs on a kernel of its own: its processes can't be seen from here")
    found = {}
    for pid in descendants(first.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if line := words.replace(b"\0", b" ").decode(errors="replace").strip():
            found[pid] = line
    return found
