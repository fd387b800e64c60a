"""The words of a route as iproute2 prints it, taken apart as far as a walkthrough explains them."""

from __future__ import annotations

import msgspec

_KINDS = ("blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "multicast", "unicast")


class RouteWords(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is `unicast` where no type word is printed. Of several next hops `gateway` and `device` are None."""

    kind: str = "unicast"
    prefix: str = ""
    gateway: str | None = None
    device: str | None = None
    protocol: str | None = None
    onlink: bool = False
    scope: str | None = None
    next_hops: int = 1

    @property
    def is_host(self) -> bool:
        """One address, not a network."""
        return ("/" not in self.prefix and self.is_address) or self.prefix.endswith(("/32", "/128"))

    @property
    def is_default(self) -> bool:
        """Everything that nothing else matches."""
        return self.prefix in ("default", "0.0.0.0/0", "::/0")

    @property
    def is_address(self) -> bool:
        """Whether the prefix names addresses at all."""
        return bool(self.prefix) and self.prefix != "default"


def read_route(text: str | None) -> RouteWords | None:
    """Take a printed route apart; None where there is none."""
    words = (text or "").split()
    if not words:
        return None
    kind = words.pop(0) if words[0] in _KINDS else "unicast"
    prefix = words[0] if words else ""
    several = words.count("nexthop")
    return RouteWords(
        kind=kind,
        prefix=prefix,
        gateway=None if several else _after(words, "via"),
        device=None if several else _after(words, "dev"),
        protocol=_after(words, "proto"),
        onlink="onlink" in words,
        scope=_after(words, "scope"),
        next_hops=max(1, several),
    )


def _after(words: list[str], name: str) -> str | None:
    if name not in words:
        return None
    place = words.index(name) + 1
    if place < len(words) and words[place] == "inet6":  # `via inet6 fe80::1`
        place += 1
    return words[place] if place < len(words) else None
