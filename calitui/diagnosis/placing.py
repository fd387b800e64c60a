"""Where on a path a finding shows: the hops it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from calitui.diagnosis.entry import Entry
from calitui.diagnosis.scene import address, network
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Direction, Disposition, Hop, Step, Trace


def placed(finding: Finding, trace: Trace, catalogue: Mapping[str, Entry]) -> Finding:
    """The finding with its hops: of each direction the one where it shows, a direction that fails first."""
    entry = catalogue.get(finding.code)
    if entry is None or not entry.steps:
        return finding
    ways = sorted(trace.directions, key=lambda way: way.disposition is Disposition.DELIVERED)
    spots = [Spot(way.name, hop.number) for way in ways if (hop := _hop(finding, entry, way)) is not None]
    return msgspec.structs.replace(finding, hops=tuple(spots))


def _hop(finding: Finding, entry: Entry, way: Direction) -> Hop | None:
    """The best of the hops on the finding's node (or one that it affects) that are of a step it shows at."""
    nodes = {finding.node, *finding.affected} if finding.node is not None else {hop.node for hop in way.hops}
    fitting = [
        hop for hop in way.hops if hop.node in nodes and hop.step in entry.steps and _is_about(finding, hop, way)
    ]
    return max(
        fitting,
        key=lambda hop: (hop.node == finding.node, hop.ends is not None, _is_subject(finding, hop), -hop.number),
        default=None,
    )


def _is_subject(finding: Finding, hop: Hop) -> bool:
    """Whether the hop is the very device of the node that the finding is about: a container's eth0 is another one."""
    return hop.device == finding.subject and hop.step not in (Step.CONTAINER_OUT, Step.CONTAINER_IN)


def _is_about(finding: Finding, hop: Hop, way: Direction) -> bool:
    """Whether a finding about a prefix or a device can show at this hop."""
    subject = finding.subject
    around = network(subject)
    if around is not None and hop.packet:
        heading = [ip for header in hop.packet if (ip := address(header.dst)) is not None]
        return any(ip.version == around.version and ip in around for ip in heading)
    # A subject that is no device of this path, such as a pod or a count, fits anywhere.
    return hop.device == subject or all(other.device != subject for other in way.hops)
