"""What a user can ask of a session: where the facts come from and how nodes are reached."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Flags and config together; None and empty mean "as the kubeconfig, the ssh config or the default says".

    `from_` is a snapshot file, a folder or tarball of
    `calicoctl cluster diags`, or `demo:NAME`; nothing is read from a cluster then. `request_timeout` is in seconds.
    `ssh_address` is which address of a node is dialled: `auto`, `InternalIP`, `ExternalIP`, `Hostname` or `name`.
    `node_targets` maps a node's name to what ssh would be given.
    """

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    request_timeout: float | None = None
    from_: str | None = None
    via: str = "auto"
    ssh_user: str | None = None
    ssh_config: str | None = None
    ssh_address: str = "auto"
    sudo: bool = False
    accept_new_host_keys: bool = False
    node_targets: dict[str, str] = {}
