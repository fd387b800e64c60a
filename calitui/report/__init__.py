"""A trace or an audit as text, Markdown and JSON: the same statements that the screens show.

Pure: a `Trace` or an `Audit` in, text out. Nothing here may read a cluster, a file or a terminal.
"""

from calitui.report.audit_contract import audit_json, audit_schema
from calitui.report.audit_markdown import audit_markdown
from calitui.report.audit_text import audit_text
from calitui.report.audit_words import AuditVerdict
from calitui.report.audit_words import headline as audit_headline
from calitui.report.audit_words import verdict as audit_verdict
from calitui.report.contract import as_json, json_schema
from calitui.report.markdown import as_markdown
from calitui.report.proved import proof_line
from calitui.report.since import Since
from calitui.report.terminal import as_text
from calitui.report.words import direction_line, verdict_line

__all__ = [
    "AuditVerdict",
    "Since",
    "as_json",
    "as_markdown",
    "as_text",
    "audit_headline",
    "audit_json",
    "audit_markdown",
    "audit_schema",
    "audit_text",
    "audit_verdict",
    "direction_line",
    "json_schema",
    "proof_line",
    "verdict_line",
]
