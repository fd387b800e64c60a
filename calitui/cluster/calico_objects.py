"""Calico's objects as facts: what is common to all, and Felix, ClusterInformation and policies.

Pure decoding, the same for both API groups. Their fields are Calico's (`libcalico-go/lib/apis/v1` and `v3`,
`api/pkg/apis/projectcalico/v3`). Those of IPAM and of BGP have modules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from calitui.facts.cluster import FelixConfiguration, PolicyRef
from calitui.facts.text import clean


class Named(msgspec.Struct):
    """Metadata of any object."""

    name: str = ""
    namespace: str = ""


class RawFelix(msgspec.Struct):
    """A FelixConfiguration."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: dict[str, Any] | None = None


class InformationSpec(msgspec.Struct, rename="camel"):
    """`clusterinformations`."""

    calico_version: str | None = None
    cluster_type: str | None = None
    datastore_ready: bool | None = None


class RawInformation(msgspec.Struct):
    """The ClusterInformation `default`."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: InformationSpec = msgspec.field(default_factory=InformationSpec)


class RawPolicy(msgspec.Struct):
    """Any policy: only that it is there."""

    metadata: Named = msgspec.field(default_factory=Named)


def felix(raw: RawFelix) -> FelixConfiguration:
    """Felix's settings as text: `true`, `1440`, and JSON where a setting is a list or an object."""
    spec: Mapping[str, Any] = raw.spec or {}
    return FelixConfiguration(
        name=clean(raw.metadata.name),
        spec={clean(key): _as_text(value) for key, value in spec.items() if value is not None},
    )


def _as_text(value: object) -> str:
    return clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def policy(kind: str, raw: RawPolicy) -> PolicyRef:
    """A reference to a policy of `kind`, as `calitui.facts.cluster.PolicyRef` names kinds."""
    return PolicyRef(kind, clean(raw.metadata.name), clean(raw.metadata.namespace))
