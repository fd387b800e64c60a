"""The one script that is run on a node, what may be asked of it, and what its output says.

The script's text goes to the standard input of `command(...)`: that works for an SSH exec, under `sudo -n` and for an
exec into a pod alike, needs no quoting, and half of it arriving runs nothing, as everything is called from its last
line. It ends by itself, so a transport that can't close standard input may leave it open. This module knows no
transport; whoever runs the script hands over the bytes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from importlib import resources

from calitui.facts.missing import Missing
from calitui.facts.node import Container, LookupAnswer, NetworkNamespace, NodeFacts, Question, RenderedPool
from calitui.nodes.parse import parse_answer, parse_pools
from calitui.nodes.parse.namespace import HOST_SECTIONS, Reading, container_sections, read_forwarding, read_namespace
from calitui.nodes.parse.sections import Output, Part, split_output
from calitui.nodes.parse.surroundings import read_surroundings
from calitui.nodes.parse.words import address, lines, verbatim

SCRIPT = resources.files("calitui.nodes").joinpath("script.sh").read_text(encoding="utf-8")
"""The script itself, as `calitui doctor --show-script` prints it."""

LARGEST_OUTPUT = 32 * 1024 * 1024
"""Bytes that are read of one output; a node with 100,000 routes prints a quarter of that."""

LARGEST_QUESTIONS = 64
"""How many questions, and how many containers, one run takes."""

_KERNEL_REFUSED = 2
"""iproute2's exit status when it was the kernel that said no."""


def arguments(questions: Sequence[Question], containers: Sequence[str]) -> list[str]:
    """The script's positional parameters: the questions' addresses in pairs, then `--` and the containers' addresses.

    Raises:
        ValueError: something is no IP address, a question mixes families, or there is more than one run may ask.
    """
    if len(questions) > LARGEST_QUESTIONS or len(containers) > LARGEST_QUESTIONS:
        raise ValueError(f"more than {LARGEST_QUESTIONS} questions or containers for one node")
    asked: list[str] = []
    for question in dict.fromkeys(questions):
        source, destination = _ip(question.source), _ip(question.destination)
        if source.version != destination.version:
            raise ValueError(f"{source} and {destination} are of two address families")
        asked += [str(source), str(destination)]
    held = list(dict.fromkeys(str(_ip(container)) for container in containers))
    return [*asked, "--", *held] if held else asked


def command(positional: Sequence[str], *, sudo: bool = False) -> list[str]:
    """The command that takes `SCRIPT` on its standard input; every word is safe in any shell without quoting."""
    return [*(("sudo", "-n") if sudo else ()), "sh", "-s", "--", *positional]


def parse_output(
    output: bytes,
    *,
    node: str,
    via: str,
    target: str,
    address_source: str,
    read_at: float,
    containers_asked: Sequence[str],
    truncated: bool = False,
) -> NodeFacts:
    """What the script's output says about `node`; never raises, whatever the bytes.

    What was asked for and is not there to its end becomes `missing` and is not in `complete`. `truncated` says that
    the reader stopped before the output did. Lines that no grammar covers are kept, and the section they stand in
    is not complete: one of them may be the route that seems to be absent.
    """
    truncated = truncated or len(output) > LARGEST_OUTPUT
    split = split_output(output[:LARGEST_OUTPUT])
    cut = _why_cut(split, truncated)
    sections = {part.name: part for part in split.parts if part.words[0] == "section"}
    reading = Reading(sections, cut, _is_iproute2(sections.get("version")))
    answers, missing = _answers(split, cut)
    host: NetworkNamespace | None = None
    if split.started:
        host, unread = read_namespace(reading, HOST_SECTIONS)
        host, unread_fdb = read_forwarding(reading, host)
        unread += unread_fdb
    else:
        unread = [Missing(what, cut) for what in HOST_SECTIONS.values()]
    pools, unread_pools = _rendered_pools(sections.get("pools"), cut)
    containers, absent = _containers(split, reading, containers_asked)
    identity = lines(sections["identity"].body) if "identity" in sections else []
    facts = NodeFacts(
        name=node,
        via=via,
        target=target,
        address_source=address_source,
        read_at=read_at,
        hostname=verbatim(identity[0]) if identity else "",
        kernel=verbatim(identity[1]) if len(identity) > 1 else "",
        host=host,
        containers=containers,
        answers=answers,
        rendered_pools=pools,
        missing=tuple(Missing(one.what, one.reason, node) for one in [*unread, *unread_pools, *missing, *absent]),
    )
    return read_surroundings(reading, host.links if host else ()).added_to(facts)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which no node but its own knows")
    return parsed


def _why_cut(split: Output, truncated: bool) -> str:
    """The reason for everything that is not there."""
    refused = next((part.name for part in split.parts if part.words[0] == "refused"), "")
    if refused:
        return f"the script refused its arguments: {refused}"
    if not split.started:
        return f"the script did not run: {split.noise}" if split.noise else "the script did not run and said nothing"
    if truncated:
        return f"the output is larger than {LARGEST_OUTPUT // 2**20} MiB and was not read further"
    return "the output was cut off" if not split.ended else "the script did not print it"


def _is_iproute2(version: Part | None) -> bool:
    """BusyBox's `ip` knows no `-V`; a version that was not read is taken for the usual one."""
    return version is None or version.status is None or "iproute2" in version.body + version.said


def _rendered_pools(part: Part | None, cut: str) -> tuple[tuple[RenderedPool, ...] | None, list[Missing]]:
    """The pools that confd wrote down. Where there are no such files, as outside calico-node, nothing is missing."""
    if part is None:
        return None, []
    if part.status is None:
        return None, [Missing("rendered pools", cut)]
    pools = parse_pools(part.body)
    if part.status == 0 and pools is not None:
        return pools, []
    said = next(iter(lines(part.said)), "the files of confd are in a form that is not known")
    return None, [Missing("rendered pools", verbatim(said)[:200])]


def _answers(split: Output, cut: str) -> tuple[tuple[LookupAnswer, ...], list[Missing]]:
    answers: list[LookupAnswer] = []
    missing: list[Missing] = []
    asked = [part for part in split.parts if part.words[0] == "lookup" and len(part.words) == 4]
    for part in asked:
        _, destination, source, device = part.words
        if address(destination) is None:
            continue
        refused = part.status == _KERNEL_REFUSED or (part.status != 0 and "answers:" in part.body)
        if part.status is None or (part.status != 0 and not refused):
            first = next(iter(lines(part.body)), f"it ended with status {part.status}")
            missing.append(Missing(f"lookup of {destination}", cut if part.status is None else verbatim(first)))
            continue
        answers.append(
            parse_answer(
                "" if refused else part.body,
                destination=destination,
                source=None if source == "-" else source,
                input_device=None if device == "-" else device,
                command=part.command,
                error=part.body if refused else "",
            )
        )
    if not split.started or not (split.ended or any(part.name == "links" for part in split.parts)):
        missing.append(Missing("lookups", cut))
    return tuple(answers), missing


def _containers(
    split: Output, reading: Reading, containers_asked: Sequence[str]
) -> tuple[tuple[Container, ...], list[Missing]]:
    marks = {part.words[1]: part for part in split.parts if part.words[0] in ("absent", "container") and part.words[1:]}
    containers: list[Container] = []
    missing: list[Missing] = []
    for asked in dict.fromkeys(containers_asked):
        ip = address(asked) or asked
        mark = marks.get(ip)
        if mark is None:
            missing.append(Missing(f"container {ip}", reading.cut))
        elif mark.words[0] == "absent":
            missing.append(Missing(f"container {ip}", " ".join(mark.words[2:])))
        else:
            namespace, unread = read_namespace(reading, container_sections(ip))
            containers.append(Container(ip, namespace, _found_by(mark.words[2:])))
            missing += unread
    return tuple(containers), missing


def _found_by(inside: tuple[str, ...]) -> str:
    """The netns path in `nsenter --net=PATH ip` or behind `ip -n NAME`."""
    for word in inside:
        if word.startswith("--net="):
            return word.removeprefix("--net=")
    return f"/run/netns/{inside[-1]}" if inside else ""
