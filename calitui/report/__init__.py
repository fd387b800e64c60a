"""A trace as text, Markdown and JSON: the same statements that the screens show.

Pure: a `Trace` in, text out. Nothing here may read a cluster, a file or a terminal.
"""

from calitui.report.contract import as_json, json_schema
from calitui.report.markdown import as_markdown
from calitui.report.terminal import as_text
from calitui.report.words import direction_line, verdict_line

__all__ = ["as_json", "as_markdown", "as_text", "direction_line", "json_schema", "verdict_line"]
