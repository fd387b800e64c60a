"""A lab as a test or a person holds it: bring it up, run things in it and on its nodes, take it down."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec

from tests.apiserver.http import Http
from tests.lab import api, build, needs, state
from tests.lab.clusters import CLUSTERS
from tests.lab.needs import LabError
from tests.lab.node import Completed, Machine, Node, Pod
from tests.lab.processes import Process, end, remember
from tests.lab.spec import ClusterSpec


class Lab:
    """A cluster that is up. As a context manager it takes itself down at the end."""

    def __init__(self, saved: state.State) -> None:
        self.saved = saved
        self.spec: ClusterSpec = CLUSTERS[saved.cluster]
        self.directory: Path = state.directory(saved.name)

    @classmethod
    def up(cls, cluster: str, name: str | None = None, *, kernel: str = "auto", with_api: bool | None = None) -> Self:
        """Build one of `CLUSTERS` and wait until its routes are there.

        `name` tells labs apart, several can be up at once. `kernel` is `host`, `uml`, or `auto`: this machine's where
        it can do what the cluster needs, else user-mode-linux. `with_api` asks for the API server or forbids it; unset,
        it is there if the machine has one, and `Lab.without_api` says why not.

        Raises:
            LabUnavailableError: this machine lacks something.
            LabError: a lab of that name is up, or building failed; then nothing of it is left.
        """
        needs.check()
        spec = CLUSTERS.get(cluster)
        if spec is None:
            raise LabError(f"there is no cluster {cluster!r} to build (there are {', '.join(CLUSTERS)})")
        name = name or cluster
        if kernel == "auto":
            kernel = "uml" if spec.ipip and not needs.host_has_ipip() else "host"
        if kernel == "uml":
            needs.check_uml()
        needs.check_for(spec)
        without_api = "it was not asked for" if with_api is False else api.missing()
        if with_api and without_api:
            raise needs.LabUnavailableError(without_api)
        directory = state.directory(name)
        if (directory / "state.json").exists():
            raise LabError(f"a lab called {name} is there already: python -m tests.lab down {name}")
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o711)
        namespaces = tuple(build.netns(name, part) for part in build.parts(spec, kernel))
        if taken := [each for each in namespaces if (Path("/run/netns") / each).exists()]:
            raise LabError(f"{taken[0]} is there and belongs to no lab known here: ip netns delete {taken[0]}")
        maker = remember(os.getpid(), "maker")
        lab = cls(state.State(name, cluster, kernel, maker, namespaces, without_api=without_api))
        state.write(lab.saved)
        try:
            lab._build()
        except Exception as error:
            lab.down(keep_logs=True)
            raise LabError(f"{error}; its logs are kept in {state.kept_logs(name)}") from error
        except BaseException:
            lab.down()
            raise
        return lab

    @classmethod
    def find(cls, name: str) -> Self:
        """A lab that another process brought up.

        Raises:
            LabError: there is none, or it is not complete.
        """
        saved = state.read(name)
        if not saved.complete:
            raise LabError(f"the lab {name} is not complete: python -m tests.lab down {name} removes what is there")
        return cls(saved)

    def _build(self) -> None:
        paths = build.prepare(self.spec, self.directory)
        build.connect(self.name, self.spec, self.saved.kernel)
        serving: tuple[Process, ...] = ()
        if not self.without_api:
            (self.directory / "api").mkdir()
            command = api.command(self.spec.name, self.directory / "api", self.client)
            log = self.directory / "api" / "api.log"
            serving = build.start_noted(command, "API server", log, self._note, api.environment())
        build.boot(self.name, self.spec, self.saved.kernel, paths, self._note)
        build.wait_for_routes(self.spec, self.saved.kernel, paths, self.saved.processes)
        if serving:
            api.wait(self.directory / "api", serving)
        self._save(complete=True)

    def _note(self, processes: tuple[Process, ...]) -> None:
        self._save(processes=(*self.saved.processes, *processes))

    def _save(self, **changes: object) -> None:
        self.saved = msgspec.structs.replace(self.saved, **changes)
        state.write(self.saved)

    def down(self, *, keep_logs: bool = False) -> None:
        """End every process and remove every namespace and file of the lab; twice does no harm.

        With `keep_logs` its files move to `state.kept_logs`, but for the keys.

        Raises:
            LabError: a process would not end.
        """
        if left := end(self.saved.processes):
            raise LabError(f"{left[0].what} (process {left[0].pid}) does not end; the lab {self.name} stays on file")
        build.remove_namespaces(self.saved.namespaces)
        if keep_logs:
            kept = state.kept_logs(self.name)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.rmtree(self.directory / "ssh", ignore_errors=True)
            (self.directory / "state.json").unlink(missing_ok=True)
            self.directory.rename(kept)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.down()

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.saved.name

    @property
    def client(self) -> str:
        """The network namespace in which calitui, the API server and ssh run."""
        return build.netns(self.name, "client")

    @property
    def ssh_config(self) -> Path:
        """An ssh configuration that knows every node by name and address, with the lab's key and its host keys."""
        return self.directory / "ssh" / "config"

    @property
    def ssh_key(self) -> Path:
        """The private key that root, `calitui` and `viewer` accept on every node."""
        return self.directory / "ssh" / "id_ed25519"

    @property
    def without_api(self) -> str:
        """Why there is no API server; empty when there is one."""
        return self.saved.without_api

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig.

        Raises:
            LabUnavailableError: the lab has no API server.
        """
        return self.kubeconfig_for("admin")

    def kubeconfig_for(self, user: str) -> Path:
        """The kubeconfig of one of `tests.apiserver.USERS`; only `admin` has any rights from the start."""
        return Path(self._api.kubeconfigs[user])

    def http(self) -> Http:
        """A client that talks to the API server as its administrator; the caller closes it."""
        return Http(self._api.url, "token-of-admin", Path(self._api.ca), self.client)

    @property
    def _api(self) -> api.Access:
        if self.without_api:
            raise needs.LabUnavailableError(f"the lab has no API server: {self.without_api}")
        return api.access(self.directory / "api")

    @property
    def environment(self) -> dict[str, str]:
        """The environment for commands in the lab: this process's, with KUBECONFIG set and no proxy."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        return kept if self.without_api else kept | {"KUBECONFIG": str(self.kubeconfig)}

    def command(self, words: Sequence[str]) -> list[str]:
        """`words` prefixed so that they run in the client's network namespace."""
        return ["nsenter", f"--net=/run/netns/{self.client}", *words]

    def run(
        self,
        words: Sequence[str],
        *,
        timeout: float = 300,
        check: bool = False,
        environment: Mapping[str, str] = {},
        text: str = "",
    ) -> Completed:
        """Run a program in the client's network namespace with KUBECONFIG set and `text` as its input."""
        return subprocess.run(
            self.command(words),
            capture_output=True,
            text=True,
            check=check,
            timeout=timeout,
            env=self.environment | dict(environment),
            input=text,
        )

    def kubectl(self, *words: str, text: str = "") -> str:
        """What kubectl prints, as the administrator: `lab.kubectl("apply", "-f", "-", text=json)`.

        Raises:
            LabError: it failed; with what it said.
        """
        done = self.run([str(api.kubectl()), *words], text=text)
        if done.returncode:
            raise LabError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Move the calling thread into the client's network namespace, and threads it starts meanwhile with it."""
        from pyroute2 import netns  # there is none outside Linux, where tests import this module to be skipped

        with Path("/proc/thread-self/ns/net").open() as home:
            netns.setns(self.client, flags=0)
            try:
                yield
            finally:
                netns.setns(home.fileno())

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes."""
        return tuple(Node(self, spec) for spec in self.spec.nodes)

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All nodes and the routers between them."""
        return (*self.nodes, *(Machine(self, spec) for spec in self.spec.routers))

    def node(self, name: str) -> Node:
        """A node by its name."""
        return Node(self, self.spec.node(name))

    def pod(self, key: str) -> Pod:
        """A pod with an interface of its own, as `namespace/name`."""
        node, pod = self.spec.find(key)
        return Pod(Node(self, node), pod)
