"""iproute2's text read into facts: pure, total (no text raises), and the same for every way the text came in."""

from calitui.nodes.parse.links import parse_links
from calitui.nodes.parse.neighbours import parse_fdb, parse_neighbours, parse_sysctls
from calitui.nodes.parse.packet_filter import parse_packet_filter
from calitui.nodes.parse.pools import parse_pools
from calitui.nodes.parse.render import render_route
from calitui.nodes.parse.routes import parse_answer, parse_routes
from calitui.nodes.parse.rules import parse_rules
from calitui.nodes.parse.words import Parsed

__all__ = [
    "Parsed",
    "parse_answer",
    "parse_fdb",
    "parse_links",
    "parse_neighbours",
    "parse_packet_filter",
    "parse_pools",
    "parse_routes",
    "parse_rules",
    "parse_sysctls",
    "render_route",
]
