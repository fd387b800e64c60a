"""A scenario put into a kernel, read back by the project's parser, and questions that both have to answer alike.

There is no list of exceptions: what a lookup in the tables can't decide by its own contract is not asked (addresses
that are not unicast, a source that no packet of this machine can have), everything asked has to agree.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from random import Random

import msgspec

from calitui.facts.node import LookupAnswer, NetworkNamespace, Route
from calitui.nodes.parse import parse_answer, parse_links, parse_routes, parse_rules
from calitui.trace.fib import Fib, Match, table_name
from tests.oracle import generate
from tests.oracle.kernel import Kernel

_REFUSALS = {
    "blackhole": "RTNETLINK answers: Invalid argument",
    "unreachable": "RTNETLINK answers: No route to host",
    "prohibit": "RTNETLINK answers: Permission denied",
}
_NO_ROUTE = "RTNETLINK answers: Network is unreachable"


class Question(msgspec.Struct, frozen=True):
    """What `ip route get` is asked. `whole` asks for the route as the table holds it (`fibmatch`)."""

    destination: str
    source: str | None = None
    input_device: str | None = None
    output_device: str | None = None
    mark: int = 0
    tos: int = 0
    whole: bool = False

    @property
    def words(self) -> str:
        """The question behind `ip route get`."""
        said = ["fibmatch"] if self.whole else []
        said.append(self.destination)
        for keyword, value in (("from", self.source), ("iif", self.input_device), ("oif", self.output_device)):
            said += [keyword, value] if value else []
        said += ["mark", f"{self.mark:#x}"] if self.mark else []
        said += ["tos", f"{self.tos:#x}"] if self.tos else []
        return " ".join(said)


class Outcome(msgspec.Struct):
    """What came of a scenario: differences as text, how often each outcome was agreed on, what the kernel held."""

    differences: list[str] = []
    agreed: Counter[str] = msgspec.field(default_factory=Counter)
    routes: int = 0
    rules: int = 0

    @property
    def lookups(self) -> int:
        """Questions that were compared."""
        return self.agreed.total() + len(self.differences)


def run(seed: int, family: int, shape: generate.Shape, lookups: int) -> Outcome:
    """Build one scenario, ask, compare."""
    plan = generate.plan(seed, family, shape)
    with Kernel() as kernel:
        failed = kernel.change(plan.devices)
        assert not failed, failed
        kernel.sysctls(plan.sysctls)
        kernel.change([*plan.routes, *plan.rules], family)
        assert not kernel.change(plan.afterwards)
        namespace = read(kernel, family)
        fib = Fib(namespace)
        questions = ask_about(namespace, plan, generate.seeded("questions", seed, family, shape), family, lookups)
        answers = kernel.ask([question.words for question in questions], family)
    outcome = Outcome(routes=len(namespace.routes), rules=len(namespace.rules))
    for question, (printed, error) in zip(questions, answers, strict=True):
        answer = parse_answer(printed, destination=question.destination, error=error)
        match = fib.lookup(
            question.destination,
            question.source,
            question.input_device,
            mark=question.mark,
            output_device=question.output_device,
            tos=question.tos,
        )
        wrong = difference(question, answer, match, shape)
        if wrong:
            found = match and (match.route.text if match.route else match.rule.text)
            outcome.differences.append(
                f"{question.words}\n  kernel: {answer.text}\n  lookup: {found}\n"
                f"  rule:   {match and match.rule.text}\n  why:    {wrong}"
            )
        else:
            outcome.agreed[match.kind if match else "no route"] += 1
    return outcome


def read(kernel: Kernel, family: int) -> NetworkNamespace:
    """The namespace as the project's parser understands what `ip` prints; every line has to be understood.

    What `ip -d -o` prints of the same routes has to give the same facts.
    """
    routes = parse_routes(kernel.show(f"-{family}", "route", "show", "table", "all"), family)
    detailed = parse_routes(kernel.show("-o", "-d", f"-{family}", "route", "show", "table", "all"), family)
    rules = parse_rules(kernel.show(f"-{family}", "rule"), family)
    links = parse_links(f"{kernel.show('-o', '-d', 'link')}\n{kernel.show('-o', 'addr')}")
    unparsed = (*routes.unparsed, *detailed.unparsed, *rules.unparsed, *links.unparsed)
    assert not unparsed, unparsed[:5]
    assert [_bare(route) for route in routes.items] == [_bare(route) for route in detailed.items]
    return NetworkNamespace(links=links.items, routes=routes.items, rules=rules.items)


def ask_about(
    namespace: NetworkNamespace, plan: generate.Plan, random: Random, family: int, count: int
) -> list[Question]:
    """`count` questions: the edges of prefixes and what lies inside and beside them, and addresses anywhere."""
    draw = generate.Draw(random, family)
    draw.stems = plan.stems
    sources = [
        address.ip for link in namespace.links for address in link.addresses if (":" in address.ip) == (family == 6)
    ]
    broadcasts = {route.prefix.partition("/")[0] for route in namespace.routes if route.kind == "broadcast"}
    questions: list[Question] = []
    while len(questions) < count:
        value = _destination(namespace, draw)
        if not _is_unicast(value, family):
            continue
        asked = {"destination": draw.shown(value)}
        foreign = draw.shown(draw.near())
        form = random.random()
        if form < 0.5:
            # A forwarded packet; a source that is this machine's own is let in by accept_local.
            if not _is_unicast(int(ipaddress.ip_address(foreign)), family) or foreign in broadcasts:
                continue
            asked |= {"source": foreign, "input_device": random.choice(("v0", "v1", "v2", "b0", "b1", "x0", "d0"))}
        elif form < 0.65:
            asked |= {"source": random.choice(sources) if family == 4 or random.random() < 0.5 else foreign}
        elif family == 6 and form < 0.7:
            asked |= {"input_device": random.choice(generate.DEVICES)}
        if plan.bound and "input_device" not in asked and random.random() < 0.2:
            asked |= {"output_device": random.choice(("v0", "v1", "b0", "x0"))}
        questions.append(
            Question(
                **asked,
                mark=random.choice((0, 0, 0, *generate.MARKS)),
                tos=random.choice((0, 0, 0, 0, 0x04, 0x08, 0x10)) if family == 4 else 0,
                whole=random.random() < 0.2,
            )
        )
    return questions


def difference(question: Question, answer: LookupAnswer, match: Match | None, shape: generate.Shape) -> str | None:
    """Where the lookup disagrees with the kernel, or None.

    Raises:
        AssertionError: the kernel's answer could not be read.
    """
    refusal = _refusal(match)
    if refusal is not None and question.output_device and ":" not in question.destination:
        # A sender bound to a device: without a route an IPv4 kernel takes the destination to be on that link.
        if question.whole:
            return None if answer.error else "there is no route in the tables to show"
        route = answer.route
        assert route is not None, answer
        same = route.kind == "unicast" and route.gateway is None and route.device == question.output_device
        return None if same else "bound to a device"
    if refusal is not None or match is None or match.route is None:
        return None if answer.error == refusal else f"expected {refusal}"
    if answer.route is None:
        return "the kernel has none or refuses"
    if answer.route.kind != match.kind:
        return "another type"
    if question.whole:
        return _another_route(question, answer, match, shape)
    if not _is_merged(question, shape) and table_name(answer.route.table) != table_name(match.route.table):
        return "another table"
    if match.kind != "unicast":
        return None
    if (answer.route.gateway, answer.route.device) not in {(hop.gateway, hop.device) for hop in match.next_hops}:
        return "another next hop"
    return None


def _refusal(match: Match | None) -> str | None:
    """What `ip` says where the lookup ends without a way on, or None where it has one."""
    if match is None:
        return _NO_ROUTE
    if match.route is None and match.kind == "unreachable":
        return _NO_ROUTE  # fib4_rule_action: a rule's unreachable is ENETUNREACH, a route's EHOSTUNREACH
    return _REFUSALS.get(match.kind)


def _is_merged(question: Question, shape: generate.Shape) -> bool:
    """Whether local and main are one table in the kernel: its answer does not say which of them a route is in."""
    return shape.rules is None and ":" not in question.destination


def _another_route(question: Question, answer: LookupAnswer, match: Match, shape: generate.Shape) -> str | None:
    assert match.route is not None
    # The text begins with the prefix that was found; parse_answer takes it for the one that was asked for.
    found = parse_routes(answer.text, 6 if ":" in answer.destination else 4)
    assert len(found.items) == 1, answer
    theirs = _comparable(found.items[0], question, shape)
    # Of another default route a kernel prints the type of service of the one it found first.
    others = (msgspec.structs.replace(route, tos=match.route.tos) for route in match.alternatives)
    ours = [_comparable(route, question, shape) for route in (match.route, *others)]
    return None if theirs in ours else "another route"


def _comparable(route: Route, question: Question, shape: generate.Shape) -> Route:
    """What `fibmatch` and the dump have in common of a route: IPv6 begins with the next hop it chose, in all."""
    if ":" in route.prefix and route.next_hops:
        route = msgspec.structs.replace(route, protocol="")
    hops = sorted(route.next_hops, key=lambda hop: (hop.gateway or "", hop.device or "", hop.weight))
    table = "main" if _is_merged(question, shape) else table_name(route.table)
    return msgspec.structs.replace(_bare(route), next_hops=tuple(hops), table=table)


def _bare(route: Route) -> Route:
    """Without its text, and without a mark that comes a moment after the carrier of a device went or came."""
    hops = (msgspec.structs.replace(hop, flags=_lasting(hop.flags)) for hop in route.next_hops)
    return msgspec.structs.replace(route, text="", flags=_lasting(route.flags), next_hops=tuple(hops))


def _lasting(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(flag for flag in flags if flag != "linkdown")


def _destination(namespace: NetworkNamespace, draw: generate.Draw) -> int:
    random = draw.random
    if random.random() < 0.15 or not namespace.routes:
        return draw.near()
    route = random.choice(namespace.routes)
    if random.random() < 0.1 and route.gateway and (":" in route.gateway) == (draw.family == 6):
        return int(ipaddress.ip_address(route.gateway))
    network = ipaddress.ip_network(route.prefix)
    first, last = int(network.network_address), int(network.broadcast_address)
    edge = random.choice((first, first + 1, first - 1, last, last + 1, last - 1, random.randint(first, last)))
    return edge % (1 << draw.width)


def _is_unicast(value: int, family: int) -> bool:
    if family == 6:
        return value > 0 and value >> 120 != 0xFF
    return 1 <= value >> 24 < 224 or 240 << 24 <= value < 0xFFFFFFFF
