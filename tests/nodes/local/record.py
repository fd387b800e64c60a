"""Writes `recorded/`: netlink dumps of a dressed namespace as bytes, and what `ip` prints of it at that moment.

Run as root: `python -m tests.nodes.local.record`. The tests decode the bytes on any machine and compare.
"""

from __future__ import annotations

import socket
import struct
from functools import partial
from pathlib import Path

from calitui.nodes.local.entering import inside
from tests.nodes.local.wardrobe import dress
from tests.nodes.script.namespaces import node

RECORDED = Path(__file__).with_name("recorded")

# linux/rtnetlink.h: the message that asks for each dump, and the family.
DUMPS = {
    "links": (18, 0, "-d -o link"),
    "addresses": (22, 0, "-o addr"),
    "routes": (26, 2, "-4 route show table all"),
    "routes6": (26, 10, "-6 route show table all"),
    "rules": (34, 2, "-4 rule"),
    "rules6": (34, 10, "-6 rule"),
    "neighbours": (30, 0, "neigh"),
}
_REQUEST_DUMP = 0x301
_DONE = 3


def dump(message: int, family: int) -> bytes:
    """All messages of one dump, as the kernel sends them."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(struct.pack("=IHHII", 32, message, _REQUEST_DUMP, 1, 0) + struct.pack("=B15x", family))
        kernel.settimeout(10)
        received = b""
        while True:
            part = kernel.recv(1 << 20)
            at = 0
            while at < len(part):
                length, kind = struct.unpack_from("=IH", part, at)
                if kind == _DONE:
                    return received
                received += part[at : at + length]
                at += length + -length % 4


def main() -> None:
    """Record everything anew."""
    RECORDED.mkdir(exist_ok=True)
    with node() as made:
        dress(made)
        for name, (message, family, words) in DUMPS.items():
            data = inside(f"/run/netns/{made.name}", partial(dump, message, family))
            RECORDED.joinpath(f"{name}.netlink").write_bytes(data)
            RECORDED.joinpath(f"{name}.txt").write_text(made.ip(*words.split()).replace(made.name, "node"))


if __name__ == "__main__":
    main()
