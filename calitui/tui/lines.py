"""One-line widgets: a bar with a left and a right side, and the bar of keys at the bottom.

Text is `Content` built from parts, never parsed as markup.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget

from calitui.tui.actions import Action
from calitui.tui.text import width_of


def joined(parts: Iterable[Content], between: str = " · ") -> Content:
    """Parts in one line with a dim separator."""
    return Content.styled(between, "$dim").join(list(parts))


def fitted(parts: list[Content], width: int, between: str = " · ") -> Content:
    """As many leading parts as fit into `width` cells; whatever is left out leaves an ellipsis."""
    whole = joined(parts, between)
    kept = len(parts)
    while whole.cell_length > width and kept > 1:
        kept -= 1
        whole = Content.assemble(joined(parts[:kept], between), (" …", "$dim"))
    return whole if whole.cell_length <= width else whole.truncate(max(width, 1), ellipsis=True)


class Line(Widget):
    """A line whose left side gives way, part by part, to its right side."""

    DEFAULT_CSS = """
    Line { height: 1; width: 1fr; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id, classes=classes)
        self._left: list[Content] = []
        self._right = Content("")
        self._between = " · "

    def show(self, left: list[Content], right: Content | None = None, between: str = " · ") -> None:
        """Draw `left` parts, the least important last, and `right` at the right edge."""
        self._left, self._right, self._between = left, right or Content(""), between
        self.refresh()

    def render(self) -> Content:
        """The line at the present width."""
        width = self.content_size.width
        right = self._right.truncate(max(width, 1), ellipsis=True) if self._right.cell_length > width else self._right
        room = width - right.cell_length - (2 if right.cell_length else 0)
        left = fitted(self._left, room, self._between) if self._left and room > 3 else Content("")
        blanks = " " * max(0, width - left.cell_length - right.cell_length)
        return Content.assemble(left, blanks, right)


class KeyBar(Widget):
    """The keys that work here, the most useful first; a message takes their place until the next key."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; width: 1fr; padding: 0 1; background: $bar-ground; color: $foreground;
        link-style: none; link-color: $foreground; link-background: $bar-ground;
        link-style-hover: underline; link-color-hover: $link; link-background-hover: $bar-ground;
    }
    """

    def __init__(self, *groups: Iterable[Action]) -> None:
        """Keys of `groups` that have a label."""
        super().__init__()
        self.items: list[tuple[str, str, str]] = [
            (action.shown.split(" ", maxsplit=1)[0], action.label, action.name)
            for group in groups
            for action in group
            if action.label
        ]
        self._labels: dict[str, str] = {}
        self._message: Content | None = None

    def rename(self, labels: dict[str, str]) -> None:
        """Other words for some actions; an empty word leaves one out."""
        self._labels = labels
        self.refresh()

    def say(self, message: Content | None) -> None:
        """Show a message instead of the keys; None shows the keys again."""
        if message is not None or self._message is not None:
            self._message = message
            self.refresh()

    @property
    def message(self) -> str:
        """The message that is shown, or nothing."""
        return "" if self._message is None else self._message.plain

    def render(self) -> Content:
        """As many keys as fit; help and quit always do."""
        width = self.content_size.width
        if self._message is not None:
            return self._message.truncate(max(width, 1), ellipsis=True)
        items = [
            (key, self._labels.get(name, label), name)
            for key, label, name in self.items
            if self._labels.get(name, label)
        ]
        fixed = [item for item in items if item[2].startswith("app.")]
        others = [item for item in items if not item[2].startswith("app.")]
        while others and _cells(others + fixed) > width:
            others.pop()
        parts = []
        for key, label, name in others + fixed:
            action = name if name.startswith("app.") else f"screen.{name}"
            parts.append(Content.assemble((key, "bold $link"), " ", (label, f"@click={action}()")))
        return Content("  ").join(parts)


def _cells(items: list[tuple[str, str, str]]) -> int:
    return sum(width_of(key) + width_of(label) + 3 for key, label, _ in items)
