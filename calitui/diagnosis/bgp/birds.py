"""Whether the BIRD of each node runs: by its control socket, else by the node's processes.

"Not running" is said only of a node that was read; everything else is "not known", with the reason.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.sessions import Peering, Speaker, command
from calitui.diagnosis.scene import Scene
from calitui.facts.node import NodeFacts


class Standing(StrEnum):
    """What is known of a BIRD."""

    RUNS = "runs"
    STOPPED = "stopped"
    NOT_KNOWN = "not known"


class Look(msgspec.Struct, frozen=True):
    """`lines` is the evidence that it is stopped, `reason` why nothing is known."""

    standing: Standing
    lines: tuple[str, ...] = ()
    reason: str = ""


class Birds:
    """Every node's BIRDs; `Scene.of(Birds)` makes it once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wanted = scene.of(Wanted)
        self._peering = scene.of(Peering)
        self._looked: dict[Speaker, Look] = {}
        self.uses_bgp = self._wanted.uses_bgp(self._peering.is_seen)

    def expected(self, node: str, family: int) -> bool | None:
        """Whether a BIRD should run there: it has an address for BGP, or its confd waits for one; None if unknown."""
        facts = self._scene.facts.get(node)
        has_confd = facts is not None and "confd" in (facts.processes or ())
        has_addresses = bool(self._wanted.addresses[4] or self._wanted.addresses[6])
        if not has_addresses:
            # With etcd as datastore Calico's addresses are not in the API.
            return family == 4 and has_confd
        if node not in self._wanted.addresses[family]:
            return False
        return True if has_confd else self.uses_bgp

    def look(self, node: str, family: int) -> Look:
        """What is known of one BIRD."""
        if (node, family) not in self._looked:
            self._looked[node, family] = self._look(node, family)
        return self._looked[node, family]

    def is_stopped(self, node: str | None, family: int) -> bool:
        """Whether it is certain that it does not run."""
        return node is not None and self.look(node, family).standing is Standing.STOPPED

    def _look(self, node: str, family: int) -> Look:
        if (node, family) in self._peering.told:
            return Look(Standing.RUNS)
        facts = self._scene.facts.get(node)
        if facts is None or facts.birds is None:
            return Look(Standing.NOT_KNOWN, reason=self.why_unread(node))
        refused = self._peering.refused.get((node, family))
        if refused is not None:
            line = Scene.line(node, f"birdcl -s {refused.socket} show status", refused.error)
            return Look(Standing.STOPPED, (line, *_processes(node, facts)))
        failed = next((bird for bird in facts.birds if bird.family == family), None)
        if failed is not None:
            return Look(Standing.NOT_KNOWN, reason=f"{command(family)}: {failed.error or 'no answer'}")
        daemon = "bird6" if family == 6 else "bird"
        if facts.processes is None:
            return Look(Standing.NOT_KNOWN, reason="BIRD has no control socket there, and processes were not read")
        if daemon in facts.processes:
            return Look(Standing.NOT_KNOWN, reason=f"{daemon} runs, but has no control socket where Calico has it")
        socket = f"/var/run/calico/{daemon}.ctl"
        return Look(Standing.STOPPED, (f"{node} {socket}: there is no such socket", *_processes(node, facts)))

    def why_unread(self, node: str) -> str:
        """Why nothing of a node's BIRDs was read."""
        facts = self._scene.facts.get(node)
        for missing in facts.missing if facts is not None else ():
            if missing.what.lower().startswith("bird"):
                return f"{missing.what}: {missing.reason}"
        if facts is not None and facts.host is not None:
            return f"BIRD was not asked on {node}"
        return self._scene.why_unread(node)


def _processes(node: str, facts: NodeFacts) -> tuple[str, ...]:
    if facts.processes is None:
        return ()
    return (f"{node} processes of Calico: {' '.join(facts.processes) or 'none'}",)
