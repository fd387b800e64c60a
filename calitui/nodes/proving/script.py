"""The script of a live proof, what may be asked of it, and what its output says. Knows no transport.

The script's text goes to the standard input of `command(...)`, which then stays open: its end is what ends a capture.
Every word of a command is made of letters, digits and `- . / : = _ , + @`, which mean nothing to any shell.
"""

from __future__ import annotations

import ipaddress
import re
from importlib import resources

import msgspec

from calitui.facts.text import clean

SCRIPT = resources.files("calitui.nodes.proving").joinpath("prove.sh").read_text(encoding="utf-8")
"""The script itself, as `calitui doctor --show-proof-script` prints it."""

STARTED = b"=== calitui-proof 1\n"
"""What the script prints first: where it is missing, the script did not run."""

MOST_SECONDS = 60
MOST_PACKETS = 10_000
MOST_PROBES = 20
LARGEST_PAYLOAD = 65_507

HERE = "-"
"""The network namespace that the script itself runs in."""

_CAPTURE = b"=== capture\n"
_REFUSED = b"=== refused "
_MOST_HEADER = 256 * 1024
_NETNS = re.compile(r"/proc/[0-9]{1,7}/ns/net|/run/netns/[A-Za-z0-9._-]{1,200}")
_DEVICE = re.compile(r"(?!-)(?![0-9]+$)[A-Za-z0-9._@-]{1,15}")
_FILTER = re.compile(r"[a-z0-9.:=()\[\] ]{1,4000}")
_PATTERN = re.compile(r"(?:[0-9a-f]{2}){1,16}")
_WIRE = str.maketrans("()[]", "+-_,")
_TRANSMITTED = re.compile(r"^(\d+) packets transmitted, (\d+) (?:packets )?received", re.MULTILINE)
_TRY = re.compile(r"^=== try \d+\n(.*?)\n=== status (\d+)$", re.MULTILINE | re.DOTALL)
_NO_ANSWER = 124


class Where(msgspec.Struct, frozen=True):
    """A place on a node: in the namespace `netns`, in which the address `holds` must be found if it is not empty."""

    netns: str = HERE
    holds: str = ""


class Tools(msgspec.Struct, frozen=True):
    """What a node has. `refused` says why it could not be asked.

    `devices` is whether tcpdump can tell on which device of all a packet was; `fragmentation` whether ping can forbid
    it, `identifier` whether its identifier can be chosen.
    """

    root: bool = False
    programs: frozenset[str] = frozenset()
    devices: bool = False
    fragmentation: bool = False
    identifier: bool = False
    refused: str = ""


class Captured(msgspec.Struct, frozen=True):
    """What a capture has printed so far: `links` are the devices by index, `pcap` is what `tcpdump -w -` wrote.

    `refused` is why the script did not begin.
    """

    links: dict[int, str] = {}
    pcap: bytes = b""
    refused: str = ""


class Answers(msgspec.Struct, frozen=True):
    """What probes brought: how many were sent and answered, each line that was said, `refused` why none was sent."""

    sent: int = 0
    answered: int = 0
    lines: tuple[str, ...] = ()
    refused: str = ""


TOOLS = ("tools",)
"""The words that ask which programs there are."""

COUNTS = ("counts",)
"""The words that ask what the kernel counted."""


def watch(place: Where, filter_text: str, *, seconds: int, count: int, snaplen: int, device: str = "any") -> list[str]:
    """The words for a capture of `count` packets of `snaplen` bytes each, for `seconds` at most.

    Raises:
        ValueError: something is not what it should be.
    """
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"{device!r} is not a device that can be named in a command")
    if not _FILTER.fullmatch(filter_text) or not filter_text.strip():
        raise ValueError("the filter has characters that are not let through")
    limits = [_number(seconds, MOST_SECONDS), _number(count, MOST_PACKETS), _number(snaplen, 65_535)]
    return ["watch", *_place(place), device, *limits, *filter_text.translate(_WIRE).split()]


def ping(
    place: Where,
    destination: str,
    *,
    count: int,
    payload: int,
    pattern: str,
    dont_fragment: bool = False,
    identifier: int | None = None,
) -> list[str]:
    """The words for `count` echo requests with `payload` bytes of the repeated `pattern`, which is in hex.

    Raises:
        ValueError: something is not what it should be.
    """
    words = ["ping", *_place(place), _address(destination), _number(count, MOST_PROBES)]
    words += [_number(payload, LARGEST_PAYLOAD), "do" if dont_fragment else "dont"]
    return [*words, "-" if identifier is None else _number(identifier, 65_535), _pattern(pattern)]


def tcp(place: Where, destination: str, port: int, *, count: int) -> list[str]:
    """The words for `count` connections to a port.

    Raises:
        ValueError: something is not what it should be.
    """
    return ["tcp", *_place(place), _address(destination), _number(port, 65_535), _number(count, MOST_PROBES)]


def udp(place: Where, destination: str, port: int, *, count: int, pattern: str) -> list[str]:
    """The words for `count` datagrams that hold `pattern`, which is in hex.

    Raises:
        ValueError: something is not what it should be.
    """
    words = ["udp", *_place(place), _address(destination), _number(port, 65_535), _number(count, MOST_PROBES)]
    return [*words, _pattern(pattern)]


def refusal(output: bytes) -> str:
    """Why the script did nothing, "" if it did not say so."""
    _, started, rest = output.partition(STARTED)
    if not started:
        return "the script did not run"
    if not rest.startswith(_REFUSED):
        return ""
    return clean(rest.removeprefix(_REFUSED)[:500].decode("utf-8", "replace").partition("\n")[0].strip())


def parse_tools(output: bytes) -> Tools:
    """What `tools` printed."""
    lines = output[:_MOST_HEADER].decode("utf-8", "replace").splitlines()
    refused = refusal(output) or ("" if "=== end" in lines else "the output was cut off")
    return Tools(
        root="root" in lines,
        programs=frozenset(line.removeprefix("tool ") for line in lines if line.startswith("tool ")),
        devices="tcpdump devices" in lines,
        fragmentation="ping fragmentation" in lines,
        identifier="ping identifier" in lines,
        refused=refused,
    )


def parse_counts(output: bytes) -> dict[str, int]:
    """The kernel's counters by name, of `counts`: pairs of lines, names and numbers (`/proc/net/netstat`, proc(5))."""
    found: dict[str, int] = {}
    lines = [
        line.split() for line in output.partition(STARTED)[2][:_MOST_HEADER].decode("utf-8", "replace").splitlines()
    ]
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        if names[:1] == numbers[:1]:
            pairs = zip(names[1:], numbers[1:], strict=False)
            found |= {
                name: int(number)
                for name, number in pairs
                if number.isascii() and number.isdecimal() and len(number) < 20
            }
    return found


def parse_watch(output: bytes) -> Captured:
    """What a capture printed so far; never raises, whatever the bytes."""
    refused = refusal(output)
    if refused:
        return Captured(refused=refused)
    head, begun, pcap = output.partition(STARTED)[2].partition(_CAPTURE)
    if not begun:
        return Captured(refused="the capture did not begin")
    links: dict[int, str] = {}
    for line in head[:_MOST_HEADER].decode("utf-8", "replace").splitlines():
        number, _, name = line.partition(" ")
        if number.isascii() and number.isdecimal() and len(number) < 11 and name:
            links[int(number)] = clean(name)
    return Captured(links, pcap)


def parse_ping(output: bytes) -> Answers:
    """What ping printed."""
    refused, lines, text = refusal(output), _lines(output), output.decode("utf-8", "replace")
    counted = _TRANSMITTED.search(text)
    sent, answered = (int(counted[1][:6]), int(counted[2][:6])) if counted else (0, 0)
    return Answers(sent, min(sent, answered), lines, refused)


def parse_tries(output: bytes) -> Answers:
    """What TCP or UDP probes printed: being refused is an answer too."""
    tries = _TRY.findall(output.decode("utf-8", "replace"))
    answered = [status == "0" or "refused" in said.lower() for said, status in tries]
    kept: list[str] = []
    for number, (said, status) in enumerate(tries, 1):
        words = "answered" if status == "0" else "no answer" if int(status[:6]) == _NO_ANSWER else _last(said)
        kept.append(f"{number}: {words or 'failed'}")
    return Answers(len(tries), sum(answered), tuple(kept), refusal(output))


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return clean(lines[-1])[:200] if lines else ""


def _lines(output: bytes) -> tuple[str, ...]:
    text = output.partition(STARTED)[2][:_MOST_HEADER].decode("utf-8", "replace")
    return tuple(clean(line)[:300] for line in text.splitlines() if line.strip() and not line.startswith("=== "))


def _place(place: Where) -> list[str]:
    if place.netns != HERE and (not _NETNS.fullmatch(place.netns) or place.netns.rpartition("/")[2] in (".", "..")):
        raise ValueError(f"{place.netns!r} is not a network namespace that can be named in a command")
    return [place.netns, _address(place.holds) if place.holds else HERE]


def _address(text: str) -> str:
    if "%" in text:
        raise ValueError(f"{text!r} has a zone, which no node but its own knows")
    return str(ipaddress.ip_address(text))


def _number(value: int, largest: int) -> str:
    if not 0 <= value <= largest:
        raise ValueError(f"{value} is not between 0 and {largest}")
    return str(value)


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a pattern of 1 to 16 bytes in hex")
    return text
