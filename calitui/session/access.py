"""Who the API server takes the user for and what she may read there: what `doctor` shows beside what was read."""

from __future__ import annotations

import msgspec

from calitui.cluster.api import Api
from calitui.cluster.rights import CRD_GROUP, Identity, Right, rights, whoami
from calitui.session.options import Options


class Access(msgspec.Struct, frozen=True):
    """`identity.user` is "" where the server can't tell; one `Right` for each verb on each resource that is read."""

    identity: Identity
    rights: tuple[Right, ...]


def access(options: Options, calico_group: str) -> Access:
    """Ask the live cluster of `options`; `calico_group` is where Calico's objects are, "" if not known.

    Raises:
        UsageError: no such context.
        ClusterError: the server can't be reached, or the credentials are not accepted.
    """
    with Api(options.kubeconfig, options.context, options.request_timeout) as api:
        return Access(whoami(api), rights(api, calico_group or CRD_GROUP))
