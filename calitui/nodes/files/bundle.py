"""The files of a folder or tarball that are wanted, in memory, as text; what they mean is not known here.

A tarball may come from anybody: its members are read, never extracted; names that lead out of it, links, devices and
what is larger than any real file are not read, and the amount that is unpacked at all is limited.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol, cast

import msgspec

from calitui.errors import SnapshotError
from calitui.facts.missing import Missing
from calitui.facts.text import clean

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes of one file that is read: 20,000 pods as YAML."""
LARGEST_TOTAL = 1024 * 1024 * 1024
"""Bytes of all files that are read."""
LARGEST_UNPACKED = 8 * 1024 * 1024 * 1024
"""Bytes of a tarball with all its logs."""
MOST_FILES = 200_000
DEEPEST = 8
"""Folders below the one that was given; calicoctl nests four."""

Wanted = Callable[[str], bool]
"""Whether a file is to be read, by its path in the bundle with `/` between folders."""

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd"}
_HINT = "Give the folder or .tar.gz that `calicoctl cluster diags` wrote"


class File(msgspec.Struct, frozen=True):
    """A file's text, and when it was written in seconds since the epoch."""

    text: str
    modified: float


class Bundle(msgspec.Struct, frozen=True):
    """The files that were wanted and could be read, by path; `missing` are those that could not, and why."""

    name: str
    files: dict[str, File]
    missing: tuple[Missing, ...] = ()


class _Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def is_archive(data: bytes) -> bool:
    """Whether a file that begins with `data` (512 bytes of it) is packed or a tarball."""
    return data[257:262] == b"ustar" or any(data.startswith(magic) for magic in _MAGIC)


def open_bundle(path: Path, wanted: Wanted) -> Bundle:
    """Read the files of a folder, or of a `.tar`, `.tar.gz` or `.tgz`.

    Raises:
        SnapshotError: it is neither, it can't be read, or it is far larger than any real one.
    """
    taken = _Taken(wanted)
    try:
        if path.is_dir():
            _from_folder(path, taken)
        else:
            _from_archive(path, taken)
    except OSError as error:
        raise SnapshotError(f"{path} can't be read: {error.strerror or error}") from None
    return Bundle(clean(path.name), taken.files, tuple(taken.missing))


class _Taken:
    """What was read so far, within the limits."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.files: dict[str, File] = {}
        self.missing: list[Missing] = []
        self._total = 0

    def add(self, name: str, size: int, modified: float, file: _Reader) -> None:
        """Read one file that is wanted."""
        if name in self.files:
            self.leave_out(name, "it is there twice, and the first was read")
            return
        if size > LARGEST_FILE:
            self.leave_out(name, f"it is larger than {LARGEST_FILE // 2**20} MiB")
            return
        self._total += size
        if self._total > LARGEST_TOTAL:
            raise SnapshotError(f"Its files are larger than {LARGEST_TOTAL // 2**30} GiB together", _HINT)
        self.files[name] = File(_text(file.read(size)), modified)

    def leave_out(self, name: str, reason: str) -> None:
        self.missing.append(Missing(f"file {clean(name)}", reason))


def _text(data: bytes) -> str:
    """UTF-8, or what PowerShell writes; bytes that are neither become visible escapes."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")


def _from_folder(path: Path, taken: _Taken) -> None:
    for number, (name, entry) in enumerate(_walk(str(path), "", DEEPEST)):
        if number > MOST_FILES:
            raise SnapshotError(f"{path} holds more than {MOST_FILES} files", _HINT)
        if not taken.wanted(name):
            continue
        try:
            # A FIFO would block, and a link may lead anywhere.
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if stat.S_ISREG(about.st_mode):
                    taken.add(name, about.st_size, about.st_mtime, file)
                else:
                    taken.leave_out(name, "it is no ordinary file")
        except OSError as error:
            link = entry.is_symlink()
            taken.leave_out(name, "it is a link, and links are not followed" if link else error.strerror or str(error))


def _walk(folder: str, prefix: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = prefix + entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield name, entry
        elif depth:
            yield from _walk(entry.path, name + "/", depth - 1)


def _from_archive(path: Path, taken: _Taken) -> None:
    with path.open("rb") as raw:
        kind = next((kind for magic, kind in _MAGIC.items() if raw.peek(8).startswith(magic)), "tar")
        if kind in ("zip", "zstd"):
            raise SnapshotError(f"{path} is a {kind} file, which is not read here", "Unpack it and give the folder")
        unpacked = _unpacked(raw, kind)
        try:
            limited = _Limited(unpacked)
            with tarfile.open(fileobj=cast("IO[bytes]", limited), mode="r:") as archive:
                _from_members(path, archive, taken)
            if limited.last.strip(b"\0") or not limited.last:
                raise EOFError("it ends without an end")
        except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError, OSError) as error:
            if not taken.files:
                raise SnapshotError(f"{path} is no snapshot and no tarball ({error})", _HINT) from None
            taken.missing.append(Missing("the rest of the tarball", f"it is cut off or damaged: {clean(str(error))}"))


def _unpacked(raw: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if kind == "bzip2":
        return cast("IO[bytes]", bz2.BZ2File(raw))
    return cast("IO[bytes]", lzma.LZMAFile(raw)) if kind == "xz" else raw


class _Limited:
    """A file in which nothing larger than `LARGEST_FILE` is read at once, nor anything beyond `LARGEST_UNPACKED`.

    tarfile reads the headers of long names as a whole, whatever size they say they have.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = b""
        """What was read last: zeros where a tarball ends, while one that is cut between two files just stops."""

    def read(self, size: int = -1) -> bytes:
        """As a file's; a size that no real tarball has is refused.

        Raises:
            ValueError: so much is never read.
        """
        if not 0 <= size <= LARGEST_FILE or self.tell() + size > LARGEST_UNPACKED:
            raise ValueError("a part of it is larger than any real one")
        self.last = self._file.read(size)
        return self.last

    def seek(self, position: int, whence: int = 0) -> int:
        """As a file's.

        Raises:
            ValueError: the position is beyond what is unpacked.
        """
        if whence or not 0 <= position <= LARGEST_UNPACKED:
            raise ValueError("it says to be larger than any real one")
        return self._file.seek(position)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()


def _from_members(path: Path, archive: tarfile.TarFile, taken: _Taken) -> None:
    for number, member in enumerate(archive):
        if number > MOST_FILES:
            raise SnapshotError(f"{path} holds more than {MOST_FILES} files", _HINT)
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if not taken.wanted(name):
            continue
        if member.name.startswith("/") or ".." in parts:
            taken.leave_out(member.name, "its name leads out of the tarball")
        elif member.issym() or member.islnk():
            taken.leave_out(name, "it is a link, and links are not followed")
        elif not member.isreg() or member.issparse():
            taken.leave_out(name, "it is no ordinary file")
        else:
            content = archive.extractfile(member)
            if content is not None:
                taken.add(name, member.size, float(member.mtime), content)
