"""Recorded netlink messages become the facts that iproute2's text of the same moment becomes: no root, no kernel."""

from __future__ import annotations

import re
import sys
from typing import Any

import msgspec
import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is for Linux only")

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from calitui.facts.node import Route
from calitui.nodes.local.links import decode_address, decode_device, make_links
from calitui.nodes.local.messages import UNDECODABLE, Devices
from calitui.nodes.local.names import Names, read_names
from calitui.nodes.local.neighbours import decode_neighbour
from calitui.nodes.local.routes import decode_route
from calitui.nodes.local.rules import decode_rule
from calitui.nodes.parse import parse_links, parse_neighbours, parse_routes, parse_rules
from tests.nodes.local.record import RECORDED

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the recorded messages are little-endian")


def _messages(name: str) -> list[Any]:
    return list(MarshalRtnl().parse(RECORDED.joinpath(f"{name}.netlink").read_bytes()))


def _text(name: str) -> str:
    return RECORDED.joinpath(f"{name}.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    empty = tmp_path_factory.mktemp("iproute2")
    return read_names(empty, [empty])


@pytest.fixture(scope="module")
def devices() -> Devices:
    return Devices({link.index: link.name for link in parse_links(_text("links")).items})


def _alike(route: Route) -> Route:
    text = re.sub(r"encap ip id .* tos \d+", "encap ip", " ".join(route.text.split()))
    return msgspec.structs.replace(route, text=re.sub(r"expires \d+sec", "expires soon", text))


@pytest.mark.parametrize(("name", "family"), [("routes", 4), ("routes6", 6)])
def test_routes(name: str, family: int, devices: Devices, names: Names) -> None:
    decoded = [decode_route(message, devices, names).route for message in _messages(name)]
    expected = parse_routes(_text(name), family)
    assert expected.unparsed == ()
    assert [_alike(route) for route in decoded if route] == [_alike(route) for route in expected.items]
    assert None not in decoded


@pytest.mark.parametrize(("name", "family"), [("rules", 4), ("rules6", 6)])
def test_rules(name: str, family: int, names: Names) -> None:
    assert tuple(decode_rule(message, names) for message in _messages(name)) == parse_rules(_text(name), family).items


def test_links_and_addresses() -> None:
    links = make_links(
        map(decode_device, _messages("links")),
        map(decode_address, _messages("addresses")),
        {0: "node-peer", 1: "node-pod"},
    )
    expected = parse_links(_text("links") + _text("addresses")).items
    for mine, theirs in zip(links, expected, strict=True):
        shown = msgspec.structs.replace(mine, text=mine.text.partition(" promiscuity ")[0])
        assert shown == msgspec.structs.replace(theirs, text=theirs.text.partition(" promiscuity ")[0])


def test_neighbours(devices: Devices, names: Names) -> None:
    decoded = [decode_neighbour(message, devices, names) for message in _messages("neighbours")]
    assert tuple(entry for entry in decoded if entry) == parse_neighbours(_text("neighbours")).items
    assert None in decoded  # those that need no ARP, which `ip neigh` does not show


def test_a_device_that_nobody_knows_is_shown_by_its_number(names: Names) -> None:
    message = next(one for one in _messages("routes") if one.get_attr("RTA_OIF"))
    decoded = decode_route(message, _Numbers({}), names)
    assert decoded.route is not None
    assert decoded.route.device == f"if{message.get_attr('RTA_OIF')}"


class _Numbers(Devices):
    """Indexes that are no device's on this machine either."""

    def name(self, index: int) -> str:
        return super().name(index + 1_000_000).replace(str(index + 1_000_000), str(index))


@pytest.mark.parametrize("name", ["links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours"])
def test_a_message_without_its_attributes_is_refused_not_guessed(name: str, devices: Devices, names: Names) -> None:
    for message in _messages(name):
        cut = {key: value for key, value in message.items() if key != "attrs"}
        for decode in (
            decode_device,
            decode_address,
            lambda one: decode_route(one, devices, names),
            lambda one: decode_rule(one, names),
            lambda one: decode_neighbour(one, devices, names),
        ):
            with pytest.raises(UNDECODABLE):
                decode(cut)
