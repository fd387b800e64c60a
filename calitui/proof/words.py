"""The sentences of a plan: what will be done, in words."""

from __future__ import annotations

_KINDS = {"icmp": "ICMP echo request", "tcp": "TCP connection", "udp": "UDP datagram"}

UNWATCHED = "Nothing is watched: only whether answers come is seen."
COUNTING = "Before and after, each node's packet filter and the counters of its devices are read."
LEAVES = "Nothing is changed and nothing stays: all of it ends by itself, or at once when calitui does."


def sending(count: int, protocol: str, port: int | None, source: str, destination: str) -> str:
    """What is sent."""
    what = _KINDS[protocol] if count == 1 else f"{_KINDS[protocol]}s"
    to = f"{destination} port {port}" if port is not None else destination
    return f"Send {count} {what} from {source} to {to}:"


def watching(count: int, seconds: int) -> str:
    """What is captured."""
    return f"Meanwhile watch for these packets, {count} of them and {seconds} s at the most in each place:"


def sizing(most: int, sends: int) -> str:
    """What is sent to find the largest packet that passes."""
    return (
        f"Then send up to {most} more echo requests from the same place, of up to {sends} bytes and not to be "
        "fragmented, to find the largest packet that passes."
    )
