"""What the chains of Calico's packet filter are called, and from their names whose they are.

Felix names a policy's chains `cali-pi-` (to the pod) and `cali-po-` (from it) and the policy's identifier, a workload's
`cali-tw-` and `cali-fw-` and its interface; what is too long becomes `_` and the start of the SHA-256 of it
(felix/rules/policy.go PolicyChainName, libcalico-go/lib/hash GetLengthLimitedID). In nftables the name of the table it
would be in is put before (`filter-cali-tw-...`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from calitui.facts.cluster import Cluster, PolicyRef
from calitui.trace.veth import interface_prefixes, veth_name

IPTABLES_LONGEST, NFTABLES_LONGEST = 28, 256
_CALICO = re.compile(r"(?:(?:filter|mangle|raw|nat)-)?cali-(?P<kind>pri|pro|pi|po|tw|fw|gi|go)-(?P<name>.+)")
_KINDS = {"NetworkPolicy": "knp", "CalicoNetworkPolicy": "np", "GlobalNetworkPolicy": "gnp"}
_COMMENT = re.compile(
    r'(?:Policy|NetworkPolicy|GlobalNetworkPolicy|KubernetesNetworkPolicy) (?P<name>[^ "]+) (?:in|e)gress'
)


def limited(prefix: str, name: str, longest: int) -> str:
    """The name of a chain: with the hash of `name` where it would be longer than `longest`, or look like a hash."""
    whole = len(prefix) + len(name)
    if whole < longest or (whole == longest and not name.startswith("_")):
        return prefix + name
    digest = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")
    return f"{prefix}_{digest[: longest - 1 - len(prefix)]}"


def owner(chain: str, cluster: Cluster, rules: Iterable[str] = ()) -> str:
    """Whose chain it is, for a sentence: `policy huang2/deny-all`, `pod huang2/hhh`; "" where that can't be told.

    `rules` are the chain's own lines: Felix writes the policy's name in the comment of the first.
    """
    found = _CALICO.fullmatch(chain)
    if found is None:
        return ""
    kind, name = found["kind"], found["name"]
    if kind in ("pi", "po"):
        return _policy(kind, name, cluster, rules)
    if kind in ("tw", "fw"):
        pod = _pods(cluster).get(name)
        return f"pod {pod}" if pod is not None else f"interface {name}"
    if kind in ("pri", "pro"):
        return f"profile {name}"
    return "a group of policies"


def _policy(kind: str, name: str, cluster: Cluster, rules: Iterable[str]) -> str:
    for line in rules:
        said = _COMMENT.search(line)
        if said is not None:
            return f"policy {_plain(said['name'])}"
    prefix = f"cali-{kind}-"
    for ref in cluster.policies or ():
        for identifier in _identifiers(ref):
            if f"{prefix}{name}" in _names(prefix, identifier):
                return f"policy {ref.namespace}/{ref.name}" if ref.namespace else f"policy {ref.name}"
    return "" if name.startswith("_") else f"policy {_plain(name)}"


def _identifiers(ref: PolicyRef) -> Iterator[str]:
    """The identifiers that Felix of different versions gives a policy."""
    place = f"{ref.namespace}/" if ref.namespace else ""
    tier = ref.name.partition(".")[0] if "." in ref.name else "default"
    stored = (f"knp.default.{ref.name}",) if ref.kind == "NetworkPolicy" else (ref.name, f"default.{ref.name}")
    yield f"{_KINDS.get(ref.kind, ref.kind)}/{place}{ref.name}"
    for name in stored:
        yield f"{place}{name}"
        for one in dict.fromkeys((tier, "default")):
            yield f"{one}/{place}{name}"


def _names(prefix: str, identifier: str) -> tuple[str, str]:
    return limited(prefix, identifier, IPTABLES_LONGEST), limited(prefix, identifier, NFTABLES_LONGEST)


def _plain(identifier: str) -> str:
    """Namespace and name out of a policy's identifier."""
    parts = identifier.split("/")
    if len(parts) > 1 and parts[0] in (*_KINDS.values(), "default"):
        parts = parts[1:]
    parts[-1] = parts[-1].removeprefix("knp.").removeprefix("default.")
    return "/".join(parts)


@lru_cache(maxsize=4)
def _pods_of(pods: tuple[tuple[str, str], ...], prefixes: tuple[str, ...]) -> Mapping[str, str]:
    return {veth_name(ns, name, prefix): f"{ns}/{name}" for prefix in prefixes for ns, name in pods}


def _pods(cluster: Cluster) -> Mapping[str, str]:
    """Pods by the name of their host veth."""
    pods = tuple((pod.namespace, pod.name) for pod in cluster.pods if not pod.host_network)
    return _pods_of(pods, interface_prefixes(cluster.felix))
