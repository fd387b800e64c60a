"""Source address translation on the way out of the pools.

Felix renders `cali-nat-outgoing` (felix/rules/nat.go): a packet from a pool with natOutgoing to an address in no pool
is masqueraded. The rules themselves are not read, so what this says is inferred from the pools.
"""

from __future__ import annotations

from calitui.facts.cluster import IPPool
from calitui.trace.course import Course
from calitui.trace.fabric import Fabric


def masquerading_pool(fabric: Fabric, course: Course) -> IPPool | None:
    """The pool whose natOutgoing rewrites this packet's source, None if it keeps it.

    Replies keep theirs: connection tracking translates only a connection's first direction.
    """
    if course.name == "return" or course.source.kind != "pod" or course.source.ip is None:
        return None
    pool = fabric.pool_of(course.source.ip)
    if pool is None or not pool.nat_outgoing or fabric.pool_of(course.packet.dst) is not None:
        return None
    return pool
