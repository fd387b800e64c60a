"""Which server to talk to, and as whom: a kubeconfig read by the kubernetes package, or the pod we run in.

Only settings are made here, nothing is asked of the server. `KUBECONFIG` is read when a cluster is opened; the package
itself reads it once, when it is imported. Failures become one line that names the file.
"""

from __future__ import annotations

import base64
import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import urllib3
import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader

from calitui.cluster import plugin
from calitui.errors import ClusterError, UsageError
from calitui.facts.text import clean

DEFAULT = "~/.kube/config"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER = "in-cluster"
"""The name shown as context when the pod's own service account is used."""
CONNECTIONS = 16
"""Connections kept to one server: lists of Calico's kinds run beside each other and beside two watches."""

# What reading a file that is no kubeconfig makes the package raise.
_NONSENSE = (ConfigException, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError)


class Target(msgspec.Struct, frozen=True):
    """A server and how to log in. `configuration` is the kubernetes package's; its credentials are in place."""

    context: str
    server: str
    namespace: str
    configuration: Any


def load(kubeconfig: str | None = None, context: str | None = None, *, interactive: bool = False) -> Target:
    """Read the kubeconfig (`kubeconfig`, else `KUBECONFIG`, else ~/.kube/config) and get credentials for `context`.

    Without any kubeconfig, and inside a pod, the pod's service account is used, as kubectl does. With `interactive` an
    exec plugin may talk to the person at the terminal: not to be used once a screen owns it.

    Raises:
        UsageError: no such context, or none is chosen.
        ClusterError: no kubeconfig, an unreadable one, or no credentials to be had.
    """
    paths = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT
    files = [Path(part).expanduser() for part in ([kubeconfig] if kubeconfig else paths.split(os.pathsep)) if part]
    if not any(file.exists() for file in files):
        if kubeconfig is None and context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return _in_cluster()
        raise _no_kubeconfig(kubeconfig, files)
    shown = clean(", ".join(str(file) for file in files))
    try:
        merged = kube_config.KubeConfigMerger(os.pathsep.join(str(file) for file in files))
        contexts = {str(entry.value["name"]): entry.value for entry in merged.config.value["contexts"]}
        current = merged.config.value.get("current-context")
    except OSError as error:
        raise ClusterError(f"The kubeconfig {shown} can't be read: {clean(error.strerror or '')}") from None
    except _NONSENSE as error:
        raise _unreadable(shown, error) from None
    name = context or str(current or "")
    if name not in contexts:
        raise _no_context(name, sorted(contexts), shown)
    try:
        return _target(merged, name, contexts[name], interactive)
    except OSError as error:
        raise ClusterError(f"A file that the kubeconfig {shown} names can't be read: {clean(str(error))}") from None
    except _NONSENSE as error:
        raise _unreadable(shown, error) from None


def _target(merged: Any, name: str, entry: Mapping[str, Any], interactive: bool) -> Target:
    context = entry.get("context") or {}
    users = {item.value["name"]: item for item in merged.config.value["users"]}
    clusters = {item.value["name"]: item for item in merged.config.value["clusters"]}
    cluster = clusters.get(context.get("cluster"))
    settings = (cluster.value.get("cluster") if cluster else None) or {}
    if not settings.get("server"):
        raise ClusterError(f"The kubeconfig names no server for the context {clean(name)}")
    _check_address(str(settings["server"]), name)
    config, persist = merged.config, merged.save_changes
    user = users.get(context.get("user"))
    login = (user.value.get("user") if user else None) or {}
    if user and login.get("exec") and not any(login.get(key) for key in ("token", "tokenFile", "auth-provider")):
        directory = Path(user.path).absolute().parent
        credential = plugin.run(login["exec"], settings, directory, interactive)
        # What the plugin said goes into a copy, which is never written back.
        config, persist = copy.deepcopy(config), None
        for item in config.value["users"]:
            if item.value["name"] == context["user"]:
                item.value["user"] = _logged_in(login, credential)
    configuration = Configuration()
    loader = kube_config.KubeConfigLoader(config, active_context=name, config_base_path=None, config_persister=persist)
    loader.load_and_set(configuration)
    namespace = clean(str(context.get("namespace") or "default"))
    return Target(clean(name), clean(str(settings["server"])), namespace, _settled(configuration))


def _check_address(server: str, context: str) -> None:
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ClusterError(
            f"{clean(server)} is no address of a server (context {clean(context)})",
            "The kubeconfig's server should look like https://api.example.org:6443",
        )


def _logged_in(login: Mapping[str, Any], credential: plugin.Credential) -> dict[str, Any]:
    user = {key: value for key, value in login.items() if key != "exec"}
    if credential.token:
        user["token"] = credential.token
    if credential.client_certificate_data:
        for key, pem in (
            ("client-certificate-data", credential.client_certificate_data),
            ("client-key-data", credential.client_key_data),
        ):
            user[key] = base64.b64encode(pem.encode()).decode()
    return user


def _in_cluster() -> Target:
    configuration = Configuration()
    try:
        InClusterConfigLoader(str(SERVICE_ACCOUNT / "token"), str(SERVICE_ACCOUNT / "ca.crt")).load_and_set(
            configuration
        )
        namespace = (SERVICE_ACCOUNT / "namespace").read_text() if (SERVICE_ACCOUNT / "namespace").exists() else ""
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(
            f"There is no kubeconfig and this pod's service account can't be used: {clean(str(error))}",
            "Pass --kubeconfig FILE or mount a service account token",
        ) from None
    return Target(IN_CLUSTER, clean(configuration.host), clean(namespace.strip() or "default"), _settled(configuration))


def _settled(configuration: Any) -> Any:
    """Our own settings on top: credentials are renewed by loading again, and every failure is told at once."""
    configuration.refresh_api_key_hook = None
    configuration.api_key = {key: " ".join(value.split()) for key, value in configuration.api_key.items() if value}
    configuration.retries = False
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = CONNECTIONS
    if not configuration.verify_ssl:
        # The kubeconfig says insecure-skip-tls-verify; a warning per request would land on the screen.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return configuration


def _no_kubeconfig(asked: str | None, files: list[Path]) -> ClusterError:
    shown = clean(", ".join(str(file) for file in files))
    hint = "Pass --kubeconfig FILE or set KUBECONFIG; `calitui demo` needs no cluster"
    if asked or os.environ.get("KUBECONFIG"):
        origin = "" if asked else " (from KUBECONFIG)"
        return ClusterError(f"The kubeconfig {shown}{origin} does not exist", hint)
    return ClusterError(f"There is no kubeconfig: {shown} does not exist and KUBECONFIG is not set", hint)


def _no_context(name: str, there: list[str], shown: str) -> UsageError:
    listed = ", ".join(clean(context) for context in there[:20]) + (" ..." if len(there) > 20 else "")
    hint = f"Contexts in {shown}: {listed}" if there else f"There are no contexts in {shown}"
    if not name:
        return UsageError("The kubeconfig chooses no current context", f"Pass --context NAME. {hint}")
    return UsageError(f"There is no context {clean(name)}", hint)


def _unreadable(shown: str, error: Exception) -> ClusterError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        why = f"{mark.name}, line {mark.line + 1}: {error.problem}"
        return ClusterError(f"The kubeconfig is not valid YAML: {clean(why)}", "Compare with `kubectl config view`")
    words = clean(str(error)) if isinstance(error, ConfigException) else f"unexpected content ({type(error).__name__})"
    return ClusterError(f"The kubeconfig {shown} can't be used: {words}", "Compare with `kubectl config view`")
