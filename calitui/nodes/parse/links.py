"""Network devices and their addresses as `ip link` and `ip addr` print them.

Takes both commands, with and without `-o` and `-d`, in any mixture: what belongs to one index and name becomes one
link, so the output of `ip -d -o link` followed by that of `ip -o addr` reads as one list.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from calitui.facts.node import Address, Link
from calitui.facts.text import clean
from calitui.nodes.parse.words import Parsed, address, lines, number, verbatim, words

_HEADER = re.compile(r"(\d{1,10}): ([^ ]+): <([^>]*)>(.*)")
_ADDRESS_OF = re.compile(r"(\d{1,10}): ([^ ]+)[ \t]+(inet6?|link/[^ ]+)[ \t](.*)")
_CONTINUATION = re.compile(r"\\ {2,}|\\\t")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,14}")
# What else may begin a continuation line where the kind of the device stands.
_NOT_A_KIND = frozenset(
    {"inet", "inet6", "alias", "altname", "valid_lft", "vf", "addrgenmode", "promiscuity", "nsid", "numtxqueues"}
    | {"minmtu", "parentbus", "qdisc", "protodown", "prog", "xdp"}
)
# Lines that a person sees under a link and that hold nothing for us: counters and lifetimes.
_PASSED_OVER = re.compile(r"(valid_lft|RX|TX|altname|alias|vf|\d+)\b|prog/|\[")


class _Draft(msgspec.Struct):
    """One link while its lines are read; `at` is the name behind `@` where it is no `ifN`."""

    index: int
    name: str
    flags: tuple[str, ...] = ()
    mtu: int | None = None
    state: str = "UNKNOWN"
    mac: str | None = None
    kind: str = ""
    at: str | None = None
    peer_index: int | None = None
    peer_namespace: str | None = None
    master: str | None = None
    parent: str | None = None
    tunnel_local: str | None = None
    tunnel_remote: str | None = None
    vni: int | None = None
    port: int | None = None
    addresses: dict[Address, None] = {}
    text: list[str] = []
    named: bool = False


def parse_links(text: str) -> Parsed[Link]:
    """Read the output of `ip [-o] [-d] link` and `ip [-o] [-d] addr`, or of both one after the other.

    An address of a link that was not printed itself makes a link of which only index and name are known.
    """
    drafts: dict[tuple[int, str], _Draft] = {}
    unparsed: list[str] = []
    current: _Draft | None = None
    for line in lines(text):
        first, *rest = _CONTINUATION.split(line)
        header = _HEADER.match(first.lstrip(" \t"))
        owned = None if header else _ADDRESS_OF.match(first)
        if header:
            current = _header(drafts, header)
        elif owned:
            current = _owner(drafts, int(owned[1]), owned[2])
            rest = [f"{owned[3]} {owned[4]}", *rest]
        elif current is not None and line.startswith((" ", "\t")):
            rest = [first, *rest]
        else:
            unparsed.append(verbatim(line))
            continue
        unparsed.extend(verbatim(segment) for segment in rest if not _segment(current, segment))
    return Parsed(_finished(drafts), tuple(unparsed))


def _owner(drafts: dict[tuple[int, str], _Draft], index: int, name: str) -> _Draft:
    name = clean(name.partition("@")[0])
    return drafts.setdefault((index, name), _Draft(index, name))


def _header(drafts: dict[tuple[int, str], _Draft], header: re.Match[str]) -> _Draft:
    name, _, at = header[2].partition("@")
    draft = _owner(drafts, int(header[1]), name)
    draft.text = [verbatim(header[0])]
    draft.flags = tuple(clean(flag) for flag in header[3].split(",") if flag)
    if re.fullmatch(r"if\d{1,10}", at):
        draft.peer_index = int(at[2:])
    elif at and at not in ("NONE", name):
        draft.at = clean(at)
    rest = iter(words(header[4]))
    for word in rest:
        if word == "mtu":
            draft.mtu = number(next(rest, ""))
        elif word == "state":
            draft.state = next(rest, draft.state)
        elif word == "master":
            draft.master = next(rest, None)
    return draft


def _segment(draft: _Draft, segment: str) -> bool:
    """Read what stands in one line under the header; False when it is in no form that is known."""
    said = words(segment)
    if not said:
        return not segment.strip(" \t")
    if said[0] in ("inet", "inet6"):
        found = _address(said)
        if found is not None:
            draft.addresses[found] = None
        return found is not None
    if said[0].startswith("link/"):
        _hardware(draft, said)
    elif said[0] == "alias":
        # An alias is free text and the last thing printed: what looks like a kind after it is none.
        draft.named = True
    elif _PASSED_OVER.match(said[0]):
        return True
    elif not draft.named and not draft.kind and _is_kind(said[0]):
        _details(draft, said)
    draft.text.append(verbatim(segment))
    return True


def _is_kind(word: str) -> bool:
    return bool(_KIND.fullmatch(word)) and word not in _NOT_A_KIND and not word.endswith("_slave")


def _address(said: list[str]) -> Address | None:
    ip, _, length = said[1].partition("/") if len(said) > 1 else ("", "", "")
    peer = None
    scope = "global"
    rest = iter(said[2:])
    for word in rest:
        if word == "peer":
            peer, _, length = next(rest, "").partition("/")
        elif word == "scope":
            scope = next(rest, scope)
    shown = address(ip)
    far = None if peer is None else address(peer)
    bits = number(length) if length else 128 if said[0] == "inet6" else 32
    if shown is None or bits is None or bits > 128 or (peer is not None and far is None):
        return None
    return Address(shown, bits, scope, far)


def _hardware(draft: _Draft, said: list[str]) -> None:
    """`link/ether MAC brd MAC link-netnsid 0 ...`, and `link/ipip LOCAL peer REMOTE` of a tunnel."""
    if said[0] == "link/ether" and len(said) > 1:
        draft.mac = said[1]
    elif len(said) > 1 and ":" not in said[1]:
        draft.tunnel_local = _endpoint(said[1])
    rest = iter(said[2:])
    for word in rest:
        if word in ("link-netnsid", "link-netns"):
            draft.peer_namespace = next(rest, None)
        elif word == "peer":
            draft.tunnel_remote = _endpoint(next(rest, ""))


def _details(draft: _Draft, said: list[str]) -> None:
    draft.kind = said[0]
    external = "external" in said
    rest = iter(said[1:])
    for word in rest:
        if word == "remote":
            draft.tunnel_remote = _endpoint(next(rest, ""))
        elif word == "local":
            draft.tunnel_local = _endpoint(next(rest, ""))
        elif word == "dev":
            draft.parent = next(rest, None)
        elif word == "id" and draft.kind == "vxlan" and not external:
            draft.vni = number(next(rest, ""))
        elif word == "dstport":
            draft.port = number(next(rest, ""))


def _endpoint(word: str) -> str | None:
    """The outer address of a tunnel; `any` and the unspecified address are none."""
    shown = address(word)
    return None if shown is None or ipaddress.ip_address(shown).is_unspecified else shown


def _finished(drafts: dict[tuple[int, str], _Draft]) -> tuple[Link, ...]:
    """The links, with a name behind `@` resolved: the other end of a veth pair, or the device that carries this one."""
    by_name = {draft.name: draft for draft in drafts.values()}
    for draft in drafts.values():
        other = by_name.get(draft.at) if draft.at else None
        if other is not None and (draft.kind == "veth" or other.at == draft.name):
            draft.peer_index = other.index
        elif draft.at is not None and draft.kind != "veth" and draft.parent is None:
            draft.parent = draft.at
    return tuple(
        Link(
            index=draft.index,
            name=draft.name,
            flags=draft.flags,
            mtu=draft.mtu,
            state=draft.state,
            mac=draft.mac,
            kind=draft.kind,
            peer_index=draft.peer_index,
            peer_namespace=draft.peer_namespace,
            master=draft.master,
            parent=draft.parent,
            tunnel_local=draft.tunnel_local,
            tunnel_remote=draft.tunnel_remote,
            vni=draft.vni,
            port=draft.port,
            addresses=tuple(draft.addresses),
            text=clean(" ".join(draft.text)),
        )
        for draft in drafts.values()
    )
