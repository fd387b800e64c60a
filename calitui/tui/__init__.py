"""The screens. They meet the rest of the program only through `calitui.session` and `calitui.report`."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from calitui.errors import Exit
from calitui.session import Session
from calitui.walkthrough.wording import Language

if TYPE_CHECKING:
    from calitui.tui.prompts import TuiPrompts


def run(
    session: Session,
    *,
    theme: str | None = None,
    source: str | None = None,
    destination: str | None = None,
    namespace: str | None = None,
    prompts: TuiPrompts | None = None,
    language: Language = Language.EN,
    walking: bool = False,
) -> int:
    """Show `session` until the user leaves; returns the exit code. The session stays open.

    `source` marks a pod, with `destination` the trace opens at once; both as `Session.trace` takes them.
    `namespace` is the only one listed until the user says otherwise. `prompts` is
    what the session was given to ask with. `language` is the walkthrough's; `walking` begins with it, as soon as the
    trace is there. Textual is imported only here, as it costs a quarter of a second.

    Raises:
        UsageError: there is no such theme.
    """
    from calitui.tui.app import CalituiApp

    app = CalituiApp(
        session,
        theme=theme,
        source=source,
        destination=destination,
        namespace=namespace,
        prompts=prompts,
        language=language,
        walking=walking,
    )
    gc.freeze()  # what was imported stays: walking it again and again would cost frames
    result = app.run()
    return int(Exit.DELIVERED) if result is None else int(result)
