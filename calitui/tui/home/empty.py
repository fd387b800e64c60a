"""Why the list is empty, in words: an empty list must never look like an empty cluster.

This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.errors import CalituiError
from calitui.facts.cluster import Freshness, Inventory
from calitui.facts.text import clean
from calitui.tui.home.filter import GRAMMAR


def reason(
    inventory: Inventory | None, error: CalituiError | None, filter_text: str, namespace: str | None, origin: str
) -> Content:
    """The explanation in the place of the list."""
    if error is not None and (inventory is None or not inventory.cluster.pods):
        return _lines(("✖ " + error.what, "bold $bad"), (error.hint, ""), ("r tries again · q quits", "$dim"))
    if inventory is None:
        return _lines((f"◌ Connecting to {origin}", "$warn"), ("The list appears with the first page of pods.", "$dim"))
    pods = len(inventory.cluster.pods)
    if pods and (filter_text or namespace is not None):
        scope = f" in namespace {namespace}" if namespace is not None else ""
        what = f"the filter {filter_text!r}" if filter_text else "anything"
        return _lines(
            (f"None of {pods:,} pods{scope} matches {what}", "bold"),
            ("Esc clears the filter" + (", then 0 shows all namespaces" if scope else ""), "$dim"),
            *((f"  {example:<12}{words}", "$dim") for example, words in GRAMMAR),
        )
    unread = next((item for item in inventory.cluster.missing if item.what.lower() == "pods"), None)
    if unread is not None:
        return _lines(("▲ Pods could not be read", "bold $warn"), (unread.reason, ""), ("r tries again", "$dim"))
    if inventory.freshness is Freshness.LOADING:
        return _lines(("◌ Loading pods", "$warn"), ("Nothing has arrived yet.", "$dim"))
    return _lines(
        ("There are no pods here", "bold"), (f"{origin} was read and has none that this account may see.", "$dim")
    )


def _lines(*lines: tuple[str, str]) -> Content:
    return Content("\n").join([Content.styled(clean(text), style) for text, style in lines if text])
