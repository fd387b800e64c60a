"""One routing decision, from two witnesses: the dumped tables and the kernel's own answer.

The tables are always looked up. Where the kernel was asked the same question its answer wins, and a difference between
the two is kept for a person to see.
"""

from __future__ import annotations

import shlex

import msgspec

from calitui.facts.node import LookupAnswer, Route
from calitui.trace.fabric import Place
from calitui.trace.path import Disposition, Evidence, NextHopChoice

# What iproute2 prints for the errno of a refused lookup (net/ipv4/fib_semantics.c fib_props, route.c), and which
# outcome of our own lookup says the same.
_REFUSALS: tuple[tuple[str, str, frozenset[str]], ...] = (
    # A rule's `unreachable` is ENETUNREACH too (fib4_rule_action), unlike a route's.
    ("Network is unreachable", "no-route", frozenset({"no-route", "rule-unreachable"})),
    ("No route to host", "unreachable", frozenset({"unreachable", "not-forwarded"})),
    ("Permission denied", "prohibit", frozenset({"prohibit"})),
    ("Invalid cross-device link", "spoofed", frozenset({"spoofed"})),
    ("Invalid argument", "blackhole", frozenset({"blackhole"})),
)

_SPOOFED = "the kernel refuses the source address on this device: the reverse path filter, or an address that can't be"

_DISPOSITIONS = {
    "no-route": Disposition.NO_ROUTE,
    "blackhole": Disposition.BLACKHOLE,
    "unreachable": Disposition.UNREACHABLE,
    "rule-unreachable": Disposition.UNREACHABLE,
    "prohibit": Disposition.PROHIBITED,
    "not-read": Disposition.UNKNOWN,
}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel does with one packet.

    `kind` is a route's type word, or `no-route`, `not-forwarded` (forwarding is off on the input device), `spoofed`
    (the reverse path filter refuses the source), `refused` (the kernel's words are in `reason`), or `not-read`.
    `choices` are the next hops of the route; the kernel's is marked. `prefix` is None where only the kernel was asked.
    """

    kind: str
    evidence: Evidence
    route: str | None = None
    prefix: str | None = None
    gateway: str | None = None
    device: str | None = None
    source: str | None = None
    protocol: str = ""
    mtu: int | None = None
    choices: tuple[NextHopChoice, ...] = ()
    reason: str | None = None
    disagreement: str | None = None
    lines: tuple[str, ...] = ()
    check: str | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the packet leaves through a device or is taken in here."""
        return self.kind in ("unicast", "local")

    @property
    def disposition(self) -> Disposition:
        """How a direction ends that meets this decision; only for one that does not go on."""
        return _DISPOSITIONS.get(self.kind, Disposition.DROPPED)


def decide(
    place: Place, destination: str, source: str | None = None, input_device: str | None = None, *, mark: int = 0
) -> Decision:
    """The decision in `place` for a packet that came in on `input_device`, or is made there when that is None.

    `mark` is the firewall mark on it; the kernel was asked about unmarked packets only.
    """
    family = "6" if ":" in destination else ""
    question = _question(destination, source, input_device)
    check = command(place, question)
    answer = place.answer(destination, source, input_device) if not mark else None
    from_tables = None
    if place.read("routes6" if family else "routes"):
        from_tables = _from_tables(place, destination, source, input_device, mark)
        if not place.read("rules6" if family else "rules"):
            from_tables = _doubted(
                from_tables,
                f"the policy rules of {place.label} were not read: the kernel's own three are taken for all there are",
            )
        elif passed_by := place.fib.unjudged(destination, source, input_device, mark=mark):
            rules = ", ".join(f"“{rule.text}”" for rule in passed_by)
            from_tables = _doubted(from_tables, f"whether {rules} matches depends on more than the addresses")
    if answer is None:
        if from_tables is None:
            reason = f"the routes of {place.label} were not read"
            return Decision(kind="not-read", evidence=Evidence.NOT_READ, reason=reason, check=check)
        return msgspec.structs.replace(from_tables, check=check)
    from_kernel = _from_kernel(place, answer)
    if from_kernel.kind == "blackhole" and input_device and (from_tables is None or from_tables.kind != "blackhole"):
        # EINVAL is the answer to a blackhole and, with an input device, to a martian or spoofed source as well.
        from_kernel = msgspec.structs.replace(from_kernel, kind="spoofed", reason=_SPOOFED)
    lines = (*from_kernel.lines, *(from_tables.lines if from_tables else ()))
    if from_tables is None:
        return msgspec.structs.replace(from_kernel, check=check)
    if _agree(from_kernel, from_tables):
        kernel_choice = from_kernel if from_kernel.kind == "unicast" else from_tables
        return msgspec.structs.replace(
            from_tables,
            gateway=kernel_choice.gateway,
            device=kernel_choice.device,
            source=from_kernel.source or from_tables.source,
            mtu=from_kernel.mtu or from_tables.mtu,
            choices=tuple(
                msgspec.structs.replace(choice, chosen=_same(kernel_choice, choice)) for choice in from_tables.choices
            ),
            reason=None if from_kernel.kind == "unicast" else from_tables.reason,
            evidence=Evidence.KERNEL,
            lines=lines,
            check=check,
        )
    disagreement = (
        f"the kernel says {_outcome(from_kernel)}, the lookup in the tables says {_outcome(from_tables)}: "
        "the kernel's answer is followed"
    )
    return msgspec.structs.replace(from_kernel, disagreement=disagreement, lines=lines, check=check)


def _doubted(decision: Decision, doubt: str) -> Decision:
    """The same decision with a doubt that the tables can't settle."""
    reason = f"{decision.reason}; {doubt}" if decision.reason else doubt
    return msgspec.structs.replace(decision, evidence=Evidence.INFERRED, reason=reason)


def command(place: Place, words: str) -> str:
    """What a person would type on her own machine to see it."""
    return f"ssh {shlex.quote(place.node)} {words}"


def _question(destination: str, source: str | None, input_device: str | None) -> str:
    words = ["ip", "-6"] if ":" in destination else ["ip"]
    words += ["route", "get", destination]
    if source:
        words += ["from", source]
    if input_device:
        words += ["iif", input_device]
    return shlex.join(words)


def _from_tables(place: Place, destination: str, source: str | None, input_device: str | None, mark: int) -> Decision:
    match = place.fib.lookup(destination, source, input_device, mark=mark)
    if match is None:
        return Decision(
            kind="no-route", evidence=Evidence.TABLE, reason=f"no table of {place.label} has a route for {destination}"
        )
    route = match.route
    if route is None:
        line = f"{place.label}: {match.rule.text}"
        kind = "rule-unreachable" if match.kind == "unreachable" else match.kind
        return Decision(kind=kind, evidence=Evidence.TABLE, reason="a rule refuses the packet", lines=(line,))
    choices = tuple(NextHopChoice(gateway=hop.gateway, device=hop.device, weight=hop.weight) for hop in match.next_hops)
    choices = choices or (NextHopChoice(gateway=route.gateway, device=route.device),)
    gateway, device = choices[0].gateway, choices[0].device
    kind, reason = route.kind, None
    forwarding = f"ipv{6 if ':' in destination else 4}/conf/{input_device}/forwarding"
    lines = [f"{place.label}: {route.text}"]
    if kind == "unicast" and input_device and place.sysctl(forwarding) == "0":
        kind, reason = "not-forwarded", f"forwarding is off on {input_device}: {place.node} does not route for others"
        lines.append(f"{place.label}: /proc/sys/net/{forwarding} = 0")
    elif len(choices) > 1:
        lines += [f"{place.label}: {other.text}" for other in match.alternatives]
        reason = f"one of {len(choices)} equal next hops: the kernel picks by the flow"
    return Decision(
        kind=kind,
        evidence=Evidence.TABLE,
        route=route.text,
        prefix=route.prefix,
        gateway=gateway,
        device=device,
        source=route.source or _primary_address(place, route, gateway or destination),
        protocol=route.protocol,
        mtu=route.mtu,
        choices=choices,
        reason=reason,
        lines=tuple(lines),
    )


def _primary_address(place: Place, route: Route, towards: str) -> str | None:
    """The source the kernel prefers on a device: the first global address of the family (inet_select_addr)."""
    link = place.link(route.device)
    if link is None:
        return None
    wanted = ":" in towards
    return next((a.ip for a in link.addresses if a.scope == "global" and (":" in a.ip) is wanted), None)


def _from_kernel(place: Place, answer: LookupAnswer) -> Decision:
    said = answer.text or answer.error
    lines = (f"{place.label}$ {answer.command}", f"  {said}")
    route = answer.route
    if route is not None:
        return Decision(
            kind=route.kind,
            evidence=Evidence.KERNEL,
            route=route.text,
            gateway=route.gateway,
            device=route.device,
            source=route.source,
            mtu=route.mtu,
            lines=lines,
        )
    for words, kind, _ in _REFUSALS:
        if words in answer.error:
            reason = _SPOOFED if kind == "spoofed" else None
            return Decision(kind=kind, evidence=Evidence.KERNEL, reason=reason, lines=lines)
    return Decision(kind="refused", evidence=Evidence.KERNEL, reason=f"the kernel says: {answer.error}", lines=lines)


def _agree(kernel: Decision, tables: Decision) -> bool:
    if kernel.evidence is Evidence.KERNEL and not kernel.goes_on:
        return any(tables.kind in same for _, kind, same in _REFUSALS if kind == kernel.kind)
    if kernel.kind != tables.kind:
        return False
    return kernel.kind == "local" or any(_same(kernel, choice) for choice in tables.choices)


def _same(decision: Decision, choice: NextHopChoice) -> bool:
    return (decision.gateway, decision.device) == (choice.gateway, choice.device)


def _outcome(decision: Decision) -> str:
    if decision.kind != "unicast":
        return f"“{decision.route or decision.kind}”"
    via = f"via {decision.gateway} " if decision.gateway else ""
    return f"“{via}dev {decision.device}”"
