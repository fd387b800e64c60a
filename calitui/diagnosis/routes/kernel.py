"""Findings where BIRD and the kernel of one node say different things about a block."""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.expectation import Claim, Expectation
from calitui.diagnosis.routes import entries
from calitui.diagnosis.routes.routing import exact_routes
from calitui.diagnosis.scene import Scene
from calitui.facts.bird import BirdRoute
from calitui.trace.finding import Finding, Unchecked

_LEARNED = ("Mesh_", "Global_", "Node_")
MOST_LINES = 6


def not_in_kernel(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Blocks of other nodes that BIRD has selected, and that the kernel has no route to."""
    claims = {claim.cidr: claim for claim in scene.of(Expectation).claims}
    for node in scene.nodes:
        facts, place = scene.facts.get(node), scene.place(node)
        if facts is None or place is None or facts.birds is None:
            continue
        for bird in facts.birds:
            if bird.answer is None or not place.read("routes6" if bird.family == 6 else "routes"):
                continue
            table = exact_routes(place, bird.family)
            lost = [
                (route, claims[route.prefix])
                for route in bird.answer.routes
                if route.prefix in claims and route.prefix not in table and _is_wanted(route)
            ]
            if lost:
                yield _finding(scene, node, lost)


def _is_wanted(route: BirdRoute) -> bool:
    """Whether BIRD means to have it in the kernel: selected (`*`), or refused by the kernel (`!`), and from a peer."""
    return route.mark in ("*", "!") and route.protocol.startswith(_LEARNED) and route.kind != "unreachable"


def _finding(scene: Scene, node: str, lost: list[tuple[BirdRoute, Claim]]) -> Finding:
    owners = sorted({claim.node for _, claim in lost})
    first = lost[0][0].prefix
    blocks = first if len(lost) == 1 else f"{first} and {len(lost) - 1} more blocks"
    refused = any(route.mark == "!" for route, _ in lost)
    how = "the kernel refused it" if refused else "it was taken out of the kernel after BIRD wrote it"
    summary = (
        f"BIRD on {node} knows the way to {blocks}, but the kernel has no such route: {how}, so packets go elsewhere."
    )
    evidence = [
        line
        for route, _ in lost[:MOST_LINES]
        for line in (
            scene.line(node, "birdcl show route", route.text),
            scene.line(node, "ip route", f"no line for {route.prefix}"),
        )
    ]
    subject = first if len(lost) == 1 else f"{len(lost)} blocks"
    return entries.NOT_IN_KERNEL.found(
        node, summary, evidence=evidence, fix=restart(scene, node), subject=subject, affected=owners
    )
