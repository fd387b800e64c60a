"""`calitui pods`: the pods and where they are, as kubectl would print them.

Ten thousand rows are common here: nothing is done per row that is not needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import click
import msgspec

from calitui.cli import output, running, sessions
from calitui.cli.columns import columns
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import UsageError
from calitui.facts.cluster import Cluster, Pod
from calitui.facts.text import clean
from calitui.report.words import moment, unread_line
from calitui.tui.home.filter import FilterError
from calitui.tui.home.filter import selector as parsed

SCHEMA = "calitui.pods/1"
NOTHING = "<none>"
MOST_COMPLAINTS = 5
"""Things not read that are named before the rest is counted."""

TITLES = ("NAMESPACE", "NAME", "IP", "NODE", "STATUS", "AGE")
WIDE_TITLES = (*TITLES, "NETWORK", "ALL IPS", "LABELS")


@click.command("pods", cls=Command)
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces, whatever -n says; the default without -n.")
@click.option("-l", "--selector", metavar="SELECTOR", help="Only pods with these labels: k=v, k!=v, k, !k, k in (a,b).")
@click.option("-o", "--output", "form", type=click.Choice(["text", "wide", "json"]), default="text", help="The form.")
@shared
def command(flags: Flags, all_namespaces: bool, selector: str | None, form: str) -> None:
    """List pods with their addresses and nodes."""
    wanted = _selection(None if all_namespaces else flags.namespace, selector)
    with sessions.opened(flags) as session:
        cluster = running.run(lambda _progress, _stop: session.cluster(), bool(flags.verbose))
    chosen = sorted(filter(wanted, cluster.pods), key=lambda pod: (pod.namespace, pod.name))
    if form == "json":
        output.data(as_json(cluster, chosen))
    elif chosen:
        output.data(table(chosen, time.time() if not session.recorded else cluster.read_at, wide=form == "wide"))
    if not chosen and form != "json":
        where = f" in namespace {flags.namespace}" if flags.namespace and not all_namespaces else ""
        output.note(f"No such pods{where}" if selector or where else "No pods")
    complain(cluster)


def table(chosen: Sequence[Pod], now: float, *, wide: bool) -> str:
    """The pods as aligned columns; `now` (seconds since the epoch) is what ages count from."""
    rows: list[tuple[str, ...]] = [WIDE_TITLES if wide else TITLES]
    for pod in chosen:
        row = (
            clean(pod.namespace),
            clean(pod.name),
            clean(pod.ips[0]) if pod.ips else NOTHING,
            clean(pod.node) or NOTHING,
            clean(pod.status or pod.phase) or NOTHING,
            age(pod.created, now),
        )
        rows.append((*row, *_wide(pod)) if wide else row)
    return columns(rows)


def age(created: float | None, now: float) -> str:
    """How long ago in kubectl's short form (`45s`, `3m10s`, `5h2m`, `4d7h`, `2y11d`), `<unknown>` where not known."""
    if created is None or now <= 0:
        return "<unknown>"
    seconds = now - created
    if not -2 <= seconds < 1e11:
        return "<invalid>" if seconds < 0 else "<unknown>"
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def as_json(cluster: Cluster, chosen: Sequence[Pod]) -> bytes:
    """The pods for scripts: every key always there, null where unknown, times in RFC 3339."""
    listed = [
        {
            "namespace": clean(pod.namespace),
            "name": clean(pod.name),
            "ip": clean(pod.ips[0]) if pod.ips else None,
            "ips": [clean(ip) for ip in pod.ips],
            "node": clean(pod.node) or None,
            "status": clean(pod.status) or None,
            "phase": clean(pod.phase) or None,
            "host_network": pod.host_network,
            "created": moment(pod.created) if pod.created is not None else None,
            "labels": {clean(key): clean(value) for key, value in pod.labels.items()},
        }
        for pod in chosen
    ]
    whole = {
        "schema": SCHEMA,
        "read_at": moment(cluster.read_at),
        "pods": listed,
        "unread": [
            {"node": missing.node, "what": clean(missing.what), "reason": clean(missing.reason)}
            for missing in cluster.missing
        ],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def complain(cluster: Cluster) -> None:
    """Tell on stderr what of the cluster could not be read."""
    for missing in cluster.missing[:MOST_COMPLAINTS]:
        output.note(f"not read: {unread_line(missing.node, missing.what, missing.reason)}")
    if len(cluster.missing) > MOST_COMPLAINTS:
        output.note(f"not read: {len(cluster.missing) - MOST_COMPLAINTS} more, see calitui doctor")


def _selection(namespace: str | None, selector: str | None) -> Callable[[Pod], bool]:
    try:
        tests = tuple(parsed(selector)) if selector else ()
    except FilterError as error:
        raise UsageError(f"-l {selector}: {error}") from None
    return lambda pod: (namespace is None or pod.namespace == namespace) and all(test(pod, "") for test in tests)


def _wide(pod: Pod) -> tuple[str, str, str]:
    labels = ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items()))
    return ("host" if pod.host_network else "pod", clean(",".join(pod.ips)) or NOTHING, clean(labels) or NOTHING)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
