"""The few sysctls that decide whether a node forwards, answers ARP for others, and checks where packets come from, and
how many connections it tracks.
"""

from __future__ import annotations

import errno
from pathlib import Path

from calitui.facts.text import clean

ROOT = Path("/proc/sys/net")

_TRACKING = ("netfilter/nf_conntrack_count", "netfilter/nf_conntrack_max")
_OF_DEVICES = {"ipv4": ("forwarding", "rp_filter", "proxy_arp"), "ipv6": ("forwarding",)}
_GONE = (errno.ENOENT, errno.ENODEV)


def read_sysctls(root: Path = ROOT) -> tuple[dict[str, str], str]:
    """Values by their names below `net.` in slash form, and why they are not all ("" when they are).

    They are those of the network namespace that the calling thread is in. A device that goes away meanwhile has none.
    """
    values: dict[str, str] = {}
    why = ""
    paths = [root / "ipv4" / "ip_forward"]
    for family, names in _OF_DEVICES.items():
        directory = root / family / "conf"
        try:
            devices = sorted(directory.iterdir())
        except OSError as error:
            if family == "ipv4":
                why = f"{directory}: {error.strerror}"
            continue  # a kernel without IPv6 has no such directory
        paths += [device / name for device in devices for name in names]
    paths += [root / name for name in _TRACKING]  # not there where connections are not tracked
    for path in paths:
        try:
            value = path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            if error.errno not in _GONE or path == paths[0]:
                why = why or f"{path}: {error.strerror}"
        else:
            values[clean(str(path.relative_to(root)))] = clean(value)
    return values, why
