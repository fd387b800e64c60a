"""What netlink does not tell of this machine: the node script is run here for BIRD, the packet filter and so on.

The script is the one that runs on every other node, without questions; only those parts of what it says are taken that
nothing else in this package reads, so that they can't differ from what another way in brings.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import NetworkNamespace, NodeFacts
from calitui.nodes.deadline import Deadline, StepTimeoutError, in_background
from calitui.nodes.local.containers import NEEDS_ROOT
from calitui.nodes.parse.sections import NEEDS_ROOT as NEEDS_SUDO
from calitui.nodes.script import SCRIPT, command, parse_output

SECONDS = 60.0
"""How long the script may run here, as elsewhere."""

_FIELDS = ("birds", "packet_filter", "processes", "pod_mtu", "managed_devices", "foreign_routes", "offloads")
_MISSING = ("BIRD", "BIRD for IPv6", "packet filter", "processes", "counters")


def with_script_parts(facts: NodeFacts, stop: threading.Event) -> NodeFacts:
    """The facts of this machine with what the script says, or why it said nothing.

    It runs in the network namespace that the calling thread is in.

    Raises:
        Cancelled: `stop` was set.
    """
    try:
        output = _run(Deadline(SECONDS, stop, f"the node script was still running after {SECONDS:.0f} s"))
    except (OSError, StepTimeoutError) as error:
        why = f"the node script could not be run: {error.strerror}" if isinstance(error, OSError) else str(error)
        missing = tuple(Missing(what, why, facts.name) for what in _MISSING if what != "BIRD for IPv6")
        return msgspec.structs.replace(facts, missing=facts.missing + missing)
    said = parse_output(
        output,
        node=facts.name,
        via=facts.via,
        target=facts.target,
        address_source=facts.address_source,
        read_at=facts.read_at,
        containers_asked=(),
    )
    missing = tuple(
        msgspec.structs.replace(one, reason=one.reason.replace(NEEDS_SUDO, NEEDS_ROOT))
        for one in said.missing
        if one.what in _MISSING
    )
    return msgspec.structs.replace(
        facts,
        host=_with_counters(facts.host, said.host),
        missing=facts.missing + missing,
        **{name: getattr(said, name) for name in _FIELDS},
    )


def _with_counters(host: NetworkNamespace | None, said: NetworkNamespace | None) -> NetworkNamespace | None:
    if host is None or said is None:
        return host
    complete = host.complete | (said.complete & {"counters"})
    return msgspec.structs.replace(host, counters=said.counters, complete=complete)


def _run(deadline: Deadline) -> bytes:
    """What the script prints here.

    Raises:
        OSError: there is no shell, or no process can be made.
        StepTimeoutError: it did not end in time.
        Cancelled: the user stopped it.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(()), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True
    ) as child:
        ended = False
        try:
            output = in_background(lambda: child.communicate(SCRIPT.encode())[0], deadline)
            ended = True
        finally:
            if not ended:
                # The session is the script's own: whatever it waits for ends with it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
    return output
