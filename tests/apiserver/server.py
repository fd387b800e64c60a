"""Start, fill, restart and stop a kube-apiserver with its etcd."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.apiserver import calico
from tests.apiserver.etcd import Etcd
from tests.apiserver.http import Http, HttpError
from tests.apiserver.processes import Child, free_port, wait_for

Object = dict[str, Any]

USERS = {"admin": "system:masters", "viewer": "viewers", "stranger": "strangers"}
"""Users and the group of each; a user's token is `token-of-NAME`. Without a role bound only `admin` may do things."""

COPY_NAME, COPY_IP = "00000", "10.111.111.111"
"""What a pod that is to be copied has as the end of its name and as its address: same length in every copy."""

PLURALS = {"NetworkPolicy": "networkpolicies", "GlobalNetworkPolicy": "globalnetworkpolicies"} | {
    kind: plural for plural, kind in calico.KINDS.items()
}
NAMESPACED = {"Pod", "ConfigMap", "NetworkPolicy", "Role", "RoleBinding", "ServiceAccount", "Secret"}


class Assets(NamedTuple):
    """Where the programs are; `kubectl` is None where the directory has none."""

    kube_apiserver: Path
    etcd: Path
    kubectl: Path | None


def assets() -> Assets | None:
    """The programs in `KUBEBUILDER_ASSETS`, or None: `why_not` has the reason."""
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    if not directory:
        return None
    found = Assets(Path(directory, "kube-apiserver"), Path(directory, "etcd"), Path(directory, "kubectl"))
    if not (os.access(found.kube_apiserver, os.X_OK) and os.access(found.etcd, os.X_OK)):
        return None
    return found if os.access(Path(directory, "kubectl"), os.X_OK) else found._replace(kubectl=None)


def why_not() -> str:
    """Why `assets` found nothing, for the skip message."""
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    if not directory:
        return "KUBEBUILDER_ASSETS is not set: run .ci/build-kube-apiserver DIR and set it to DIR"
    return f"no kube-apiserver and etcd in KUBEBUILDER_ASSETS={directory}: run .ci/build-kube-apiserver {directory}"


def path_of(thing: Object, named: bool = True) -> str:
    """The URL path of an object, or of its collection."""
    api_version, kind, metadata = thing["apiVersion"], thing["kind"], thing["metadata"]
    base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    if kind in NAMESPACED:
        base += f"/namespaces/{metadata.get('namespace', 'default')}"
    base += "/" + PLURALS.get(kind, kind.lower() + "s")
    return f"{base}/{quote(metadata['name'])}" if named else base


class ApiServer:
    """A running kube-apiserver and etcd. `start` is the way to get one; every method talks as admin."""

    def __init__(self, directory: Path, bind_address: str, netns: str | None, arguments: tuple[str, ...]) -> None:
        found = assets()
        if found is None:
            raise RuntimeError(why_not())
        self.assets = found
        self.directory = directory
        self.netns = netns
        self.arguments = arguments
        self.bind_address = bind_address
        self._kube: Child | None = None
        self._etcd: Child | None = None
        # A namespace of its own has every port free, and its addresses can't be bound from here.
        ports = (6443, 2379, 2380) if netns else tuple(free_port("127.0.0.1") for _ in range(3))
        self.port, self._etcd_port, self._peer_port = ports
        host = f"[{bind_address}]" if ":" in bind_address else bind_address
        self.url = f"https://{host}:{self.port}"
        self._etcd_url = f"http://127.0.0.1:{self._etcd_port}"
        self._closing = contextlib.ExitStack()
        etcd_http = Http(self._etcd_url, netns=netns)
        self._closing.callback(etcd_http.close)
        self.etcd = Etcd(etcd_http)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, directory: Path, bind_address: str = "127.0.0.1", netns: str | None = None, arguments: tuple[str, ...] = ()
    ) -> Iterator[ApiServer]:
        """Run etcd and kube-apiserver with their data below `directory` until the block ends.

        `netns` is a network namespace of `ip netns` to run both in; then `bind_address` must be one of its addresses,
        its loopback must be up, and the ports are 6443, 2379 and 2380. `arguments` go to kube-apiserver.
        """
        directory.mkdir(parents=True, exist_ok=True)
        server = cls(directory, bind_address, netns, arguments)
        try:
            server._start_etcd()
            server._write_credentials()
            server.up()
            yield server
        finally:
            server.down()
            if server._etcd is not None:
                server._etcd.stop()
            server._closing.close()

    def _start_etcd(self) -> None:
        peer = f"http://127.0.0.1:{self._peer_port}"
        self._etcd = Child(
            [
                str(self.assets.etcd),
                f"--data-dir={self.directory / 'etcd'}",
                f"--listen-client-urls={self._etcd_url}",
                f"--advertise-client-urls={self._etcd_url}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
            ],
            self.directory / "etcd.log",
            self.netns,
        )
        wait_for("etcd's start", self.etcd.healthy, self._etcd, 60)

    def _write_credentials(self) -> None:
        key = self.directory / "service-account.key"
        if not key.exists():
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key.write_bytes(
                private.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.TraditionalOpenSSL,
                    serialization.NoEncryption(),
                )
            )
        lines = [f'token-of-{user},{user},uid-{user},"{group}"' for user, group in USERS.items()]
        (self.directory / "tokens.csv").write_text("\n".join(lines) + "\n")

    def up(self) -> None:
        """Start kube-apiserver (again) and wait until it is ready."""
        certificates = self.directory / "certificates"
        self._kube = Child(
            [
                str(self.assets.kube_apiserver),
                f"--etcd-servers={self._etcd_url}",
                f"--bind-address={self.bind_address}",
                f"--advertise-address={self.bind_address}",
                f"--secure-port={self.port}",
                f"--cert-dir={certificates}",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self.directory / 'service-account.key'}",
                f"--service-account-signing-key-file={self.directory / 'service-account.key'}",
                f"--token-auth-file={self.directory / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount",
                "--endpoint-reconciler-type=none",
                *self.arguments,
            ],
            self.directory / "kube-apiserver.log",
            self.netns,
        )
        self.ca = certificates / "apiserver.crt"
        wait_for("the certificate of kube-apiserver", self.ca.exists, self._kube)
        self.http = Http(self.url, "token-of-admin", self.ca, self.netns)
        self._closing.callback(self.http.close)
        wait_for("the start of kube-apiserver", self._ready, self._kube)
        self.kubeconfig = self.kubeconfig_for("admin")

    def _ready(self) -> bool:
        try:
            return self.http.bytes("GET", "/readyz") == b"ok" and bool(self.get("/api/v1/namespaces/default"))
        except (HttpError, OSError):
            return False

    def down(self) -> None:
        """Stop kube-apiserver; etcd and its data stay."""
        if self._kube is not None:
            self._kube.stop()
            self._kube = None

    def restart(self) -> None:
        """Stop kube-apiserver and start it again on the same port."""
        self.down()
        self.up()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hang: connections are accepted by the kernel, nothing answers, until the block ends."""
        assert self._kube is not None
        self._kube.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._kube.signal(signal.SIGCONT)

    def kubeconfig_for(self, user: str, namespace: str = "default", token: str | None = None) -> Path:
        """A kubeconfig with the context `USER@test` for one of `USERS`, or for any `token`."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": f"{user}@test",
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}},
            ],
            "users": [{"name": user, "user": {"token": token or f"token-of-{user}"}}],
            "contexts": [
                {"name": f"{user}@test", "context": {"cluster": "test", "user": user, "namespace": namespace}}
            ],
        }
        path = self.directory / f"kubeconfig-{user}"
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path

    def get(self, path: str) -> Any:
        """GET a path as JSON."""
        return self.http.json("GET", path)

    def apply(self, thing: Object) -> None:
        """Create an object, or replace it; a pod's or node's `status` is written through its own endpoint.

        A namespace that is not there yet is created.
        """
        metadata = thing["metadata"]
        if thing["kind"] in NAMESPACED and metadata.setdefault("namespace", "default") != "default":
            self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": metadata["namespace"]}})
        if not self._create(thing):
            merge = {"Content-Type": "application/merge-patch+json"}
            self.http.json("PATCH", path_of(thing), thing, merge)
        if thing["kind"] in ("Pod", "Node") and "status" in thing:
            merge = {"Content-Type": "application/merge-patch+json"}
            self.http.json("PATCH", path_of(thing) + "/status", {"status": thing["status"]}, merge)

    def _create(self, thing: Object) -> bool:
        try:
            self.http.json("POST", path_of(thing, named=False), thing)
        except HttpError as error:
            if error.status != 409:
                raise
            return False
        return True

    def apply_all(self, things: list[Object]) -> None:
        """Create or replace many objects, one after the other."""
        for thing in things:
            self.apply(thing)

    def delete(self, thing: Object) -> None:
        """Delete an object at once."""
        self.http.json("DELETE", path_of(thing), {"gracePeriodSeconds": 0, "kind": "DeleteOptions", "apiVersion": "v1"})

    def copy_pod(self, pod: Object, count: int) -> None:
        """Apply `pod`, then make it `count` pods: name `...00000` to `...NNNNN`, addresses 10.1xx.1xx.1xx.

        The API server would take a minute for 10,000 creations. Copies of what it stored (protobuf, so of the same
        length) are put straight into etcd in two seconds, and are what it would have stored.
        """
        metadata = pod["metadata"]
        assert metadata["name"].endswith(COPY_NAME)
        assert count <= 100_000
        self.apply(pod)
        stem = metadata["name"].removesuffix(COPY_NAME)
        uid = self.get(path_of(pod))["metadata"]["uid"].encode()
        key = f"/registry/pods/{metadata['namespace']}/"
        original = self.etcd.get(key + metadata["name"])

        def copies() -> Iterator[tuple[str, bytes]]:
            for number in range(count):
                name = f"{stem}{number:05d}"
                ip = f"10.1{number // 10000:02d}.1{number // 100 % 100:02d}.1{number % 100:02d}"
                copy = original.replace(metadata["name"].encode(), name.encode()).replace(COPY_IP.encode(), ip.encode())
                yield key + name, copy.replace(uid, uid[:-12] + f"{number:012d}".encode())

        self.etcd.put_all(copies())

    def install_calico_crds(self, group: str = calico.CRD_GROUP) -> None:
        """Make the API server know Calico's kinds in `group`, one of the two in `tests.apiserver.calico`."""
        wanted = calico.definitions(group)
        for definition in wanted:
            self.apply(definition)
        names = {definition["spec"]["names"]["plural"] for definition in wanted}
        path = f"/apis/{group}/{calico.version(group)}"

        def served() -> bool:
            try:
                if names - {resource["name"] for resource in self.get(path)["resources"]}:
                    return False
                return all(self.get(f"{path}/{name}") for name in names)
            except HttpError:
                return False

        wait_for(f"discovery of {group}", served)

    def remove_calico_crds(self, group: str = calico.CRD_GROUP) -> None:
        """Undo `install_calico_crds`, objects included."""
        for definition in calico.definitions(group):
            with contextlib.suppress(HttpError):
                self.delete(definition)

        def gone() -> bool:
            try:
                return not self.get(f"/apis/{group}/{calico.version(group)}")["resources"]
            except HttpError as error:
                return error.status == 404

        wait_for(f"the end of {group}", gone)
