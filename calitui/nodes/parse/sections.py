"""The output of the node script taken apart into its parts; what the parts mean is not known here.

The script's first line announces a nonce, and only lines that carry it are marks: a banner, a message of the day and
whatever else a login shell prints before that line are noise, and no text that a node holds can pass for a mark.
"""

from __future__ import annotations

import re

import msgspec

from calitui.nodes.parse.words import lines, verbatim

NEEDS_ROOT = "needs root: run with --sudo"
"""What is said of whatever the script could read as root; a way in that has no --sudo knows better what to try."""

_BANNER = re.compile(rb"^=== calitui 1 ([0-9a-f-]{1,40})\r?$", re.MULTILINE)


class Part(msgspec.Struct, frozen=True):
    """One part: `words` of the mark that opened it, what was printed, and how it ended.

    `status` is the command's exit status, None when the output ended before the part did; then the last line, which
    may be half of one, is not in `body`. `said` is the command's error stream.
    """

    words: tuple[str, ...]
    body: str = ""
    said: str = ""
    command: str = ""
    status: int | None = None

    @property
    def name(self) -> str:
        """The words behind `section`."""
        return " ".join(self.words[1:])


class Output(msgspec.Struct, frozen=True):
    """The parts in their order. `started` when the script's first line was seen, `ended` when its last was.

    `noise` is the last line that was printed before the script, or instead of it.
    """

    parts: tuple[Part, ...] = ()
    started: bool = False
    ended: bool = False
    noise: str = ""


def split_output(data: bytes) -> Output:
    """Take the script's output apart; any bytes are an output, if only one that never started."""
    banner = _BANNER.search(data)
    if banner is None:
        return Output(noise=_last_line(data))
    text = data[banner.end() :].decode("utf-8", "backslashreplace")
    text = text[: text.rfind("\n") + 1]
    mark = re.compile(rf"^=== {banner[1].decode()} (.*)$", re.MULTILINE)
    marks = list(mark.finditer(text))
    parts: list[Part] = []
    for number, found in enumerate(marks, 1):
        end = marks[number].start() if number < len(marks) else len(text)
        said = tuple(word for word in verbatim(found[1]).split(" ") if word)
        body = text[found.end() : end].strip("\r\n")
        last = parts[-1] if parts else None
        match said:
            case ("section" | "lookup", *_):
                parts.append(Part(said, body))
            case ("absent" | "container" | "refused", *_):
                parts.append(Part(said, status=0))
            case ("command", *rest) if last:
                parts[-1] = msgspec.structs.replace(last, command=" ".join(rest), body=body)
            case ("stderr",) if last:
                parts[-1] = msgspec.structs.replace(last, said=body)
            case ("status", code) if last and code.isdecimal() and len(code) < 5:
                parts[-1] = msgspec.structs.replace(last, status=int(code))
    ended = bool(marks) and verbatim(marks[-1][1]) == "end"
    return Output(tuple(parts), started=True, ended=ended, noise=_last_line(data[: banner.start()]))


def _last_line(data: bytes) -> str:
    printed = lines(data[-4096:].decode("utf-8", "backslashreplace"))
    return verbatim(printed[-1])[:200] if printed else ""
