"""How commands open their session: the same way for a live cluster, a snapshot and a demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from calitui.cli.asking import Terminal
from calitui.cli.flags import Flags
from calitui.session import Session, open_session


@contextmanager
def opened(flags: Flags) -> Iterator[Session]:
    """A session for `flags`, closed at the end.

    Raises:
        CalituiError: config file, kubeconfig, snapshot or demo can't be used.
    """
    options = flags.options()
    session = open_session(options, Terminal(accept_new_host_keys=options.accept_new_host_keys))
    try:
        yield session
    finally:
        session.close()
