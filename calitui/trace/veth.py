"""The host end of a pod's veth, as Calico names it.

Source: libcalico-go `VethNameForWorkload` (lib/backend/k8s/conversion/workload_endpoint_default.go): the prefix and the
first eleven hex digits of SHA-1 over `namespace.pod`.
"""

from __future__ import annotations

import hashlib

from calitui.facts.cluster import FelixConfiguration

DEFAULT_PREFIX = "cali"


def veth_name(namespace: str, pod: str, prefix: str = DEFAULT_PREFIX) -> str:
    """The name Calico's CNI plugin gives the host end; 15 characters with the default prefix."""
    digest = hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return prefix + digest[:11]


def interface_prefixes(felix: tuple[FelixConfiguration, ...]) -> tuple[str, ...]:
    """The prefixes Felix takes workload interfaces by (`interfacePrefix`, comma separated), the CNI plugin's first."""
    for configuration in felix:
        if configuration.name == "default" and configuration.spec.get("interfacePrefix"):
            return tuple(part.strip() for part in configuration.spec["interfacePrefix"].split(",") if part.strip())
    return (DEFAULT_PREFIX,)
