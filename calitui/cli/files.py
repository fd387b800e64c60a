"""Files that commands write: whole or not at all, readable by their owner only, never over another one unasked."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from calitui.errors import CalituiError, UsageError

MODE = 0o600


def check(path: Path, *, force: bool) -> None:
    """Say early what would fail late, after every node was read.

    Raises:
        UsageError: the file may not be written there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"No directory {path.parent} to write {path.name} into") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from None
    else:
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path} is not a regular file", "For a pipe write to stdout with `-o -`")
        if not force:
            raise UsageError(f"{path} exists", "Replace it with --force")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path} can't be written: no permission in {path.parent}")


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write `data` to `path` at once, mode 0600.

    Raises:
        UsageError: somebody else made the file meanwhile.
        CalituiError: the disk refuses.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if force:
            Path(temporary).replace(path)
            temporary = None
        else:
            os.link(temporary, path)  # unlike a rename it fails where the name is taken
    except FileExistsError:
        raise UsageError(f"{path} exists", "Replace it with --force") from None
    except OSError as error:
        raise CalituiError(f"{path} can't be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
