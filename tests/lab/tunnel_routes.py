"""Runs on a node of an IPIP cluster: puts the block routes that BIRD learned onto tunl0.

It stands in for Calico's patch to BIRD (`krt_tunnel`). BIRD's table is the only source: a route comes when a session
brings it and goes when the session goes. While BIRD itself is down nothing is changed, as `persist` would have it.
With CrossSubnet, routes to nodes of the same subnet are left to BIRD.
It runs on the guest's bare interpreter, so it uses the standard library alone.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

_ROUTE = re.compile(r"^(?:1007-|\s)(\d+\.\d+\.\d+\.\d+/\d+)\s+(via|\w+)")
_NEXT_HOP = re.compile(r"^(?:1012-|\s)\s*BGP\.next_hop: (\d+\.\d+\.\d+\.\d+)")


def ask(path: str, command: str) -> list[str]:
    """BIRD's answer on its control socket, line by line, with the reply codes."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(10)
        control.connect(path)
        with control.makefile("rw", encoding="utf-8", newline="\n") as stream:
            stream.readline()
            stream.write(command + "\n")
            stream.flush()
            lines: list[str] = []
            for line in stream:
                if re.match(r"\d{4}(?: |$)", line):
                    return lines
                lines.append(line.rstrip("\n"))
    raise OSError("BIRD closed the connection")


def learned(lines: list[str], near: str = "") -> dict[str, str]:
    """Prefix and BGP next hop of each route in the answer to `show route all`, if BIRD can reach it.

    Those with a next hop in the subnet `near` are left out.
    """
    found: dict[str, str] = {}
    prefix = ""
    for line in lines:
        if match := _ROUTE.match(line):
            prefix = match[1] if match[2] == "via" else ""
        elif prefix and (match := _NEXT_HOP.match(line)):
            if not near or ipaddress.ip_address(match[1]) not in ipaddress.ip_network(near):
                found[prefix] = match[1]
            prefix = ""
    return found


def programmed(table: str, device: str) -> dict[str, str]:
    """Prefix and next hop of each route through `device` in /proc/net/route."""
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[0] == device and int(fields[2], 16):
            # The kernel prints the numbers in the machine's byte order.
            prefix, gateway = (socket.inet_ntoa(struct.pack("=I", int(fields[n], 16))) for n in (1, 2))
            found[f"{prefix}/{int(fields[7], 16).bit_count()}"] = gateway
    return found


def main(control: str, device: str, near: str = "") -> None:
    """Follow BIRD until the node ends."""
    route = ["/usr/sbin/ip", "route"]
    while True:
        try:
            wanted = learned(ask(control, "show route primary all where source = RTS_BGP"), near)
            present = programmed(Path("/proc/net/route").read_text(), device)
            for prefix, gateway in wanted.items():
                if present.get(prefix) != gateway:
                    onto = [prefix, "via", gateway, "dev", device, "onlink", "proto", "bird"]
                    subprocess.run([*route, "replace", *onto], check=False)
            for prefix in present.keys() - wanted.keys():
                subprocess.run([*route, "del", prefix, "dev", device, "proto", "bird"], check=False)
        except OSError:
            pass  # BIRD is down or coming up
        time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
