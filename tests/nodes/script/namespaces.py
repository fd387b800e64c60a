"""A node and its pods in network namespaces of their own: real routes, rules, links and neighbours to read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from calitui.facts.node import NodeFacts, Question
from calitui.nodes.script import SCRIPT, arguments, command, parse_output

POD = "192.168.97.1"
POD6 = "fd97::1"
NAMELESS_POD = "192.168.97.2"
REMOTE_POD = "192.168.210.129"
NODE_IP = "10.173.32.23"

_SET_UP = """
-n {node} link set lo up
-n {node} link add eth0 type veth peer name up0 netns {peer}
-n {peer} link set up0 up
-n {node} link set eth0 up
-n {node} addr add 10.173.32.23/24 dev eth0
-n {node} addr add 10.9.9.1 peer 10.9.9.2/32 dev eth0
-n {node} -6 addr add fd32::23/64 dev eth0 nodad
-n {node} route add default via 10.173.32.1 dev eth0 proto static
-n {node} link add br0 type bridge
-n {node} link add vxlan.calico type vxlan id 4096 local 10.173.32.23 dev eth0 dstport 4789 nolearning
-n {node} link set vxlan.calico up
-n {node} addr add 192.168.97.0/32 dev vxlan.calico
-n {node} link add cali3683f65394b address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns {pod}
-n {node} link set cali3683f65394b up
-n {node} route add 192.168.97.1 dev cali3683f65394b scope link
-n {node} -6 route add fd97::1 dev cali3683f65394b
-n {node} route add blackhole 192.168.97.0/26 proto bird
-n {node} -6 route add blackhole fd97::/122 proto bird
-n {node} route add 192.168.210.128/26 via 10.173.32.26 dev eth0 proto bird
-n {node} route add 192.168.210.64/26 proto bird nexthop via 10.173.32.25 dev eth0 nexthop via 10.173.32.24 weight 3
-n {node} route add 192.168.211.0/26 via 192.168.211.0 dev vxlan.calico onlink mtu 1450
-n {node} route add 192.168.212.0/26 via 10.173.32.26 dev eth0 proto 80 metric 1024 src 10.173.32.23
-n {node} route add unreachable 192.168.213.0/26 proto bird
-n {node} route add 192.168.214.0/26 via inet6 fd32::26 dev eth0
-n {node} route add 192.168.215.0/26 encap ip id 7 dst 10.173.32.26 dev eth0
-n {node} route add throw 192.168.216.0/26 table 1
-n {node} route add 192.168.217.0/26 dev vxlan.calico table 1
-n {node} -6 route add fd98::/64 via fd32::26 dev eth0 proto bird
-n {node} -6 route add fd99::/64 nexthop via fd32::26 dev eth0 weight 2 nexthop via fd32::27 dev eth0
-n {node} rule add not from all fwmark 0x200000/0x200000 lookup 1 pref 99
-n {node} rule add iif br0 to 10.5.0.0/16 blackhole pref 100
-n {node} rule add from 10.6.0.0/16 oif eth0 lookup main suppress_prefixlength 0 pref 101
-n {node} neigh add 10.173.32.26 lladdr 02:00:00:00:00:26 dev eth0 nud permanent
-n {node} neigh add 192.168.211.0 lladdr 66:35:31:bd:3e:3a dev vxlan.calico nud permanent
-n {node} -6 neigh add fd32::26 lladdr 02:00:00:00:00:26 dev eth0 nud permanent
-n {pod} link set lo up
-n {pod} link set eth0 up
-n {pod} addr add 192.168.97.1/32 dev eth0
-n {pod} -6 addr add fd97::1/128 dev eth0 nodad
-n {pod} route add 169.254.1.1 dev eth0 scope link
-n {pod} route add default via 169.254.1.1 dev eth0
"""

_FORWARDING = """
-n {node} fdb add 66:35:31:bd:3e:3a dev vxlan.calico dst 10.173.32.26 self permanent
-n {node} fdb add 66:35:31:bd:3e:3b dev vxlan.calico dst 10.173.32.25 vni 4097 port 4790 self
"""


class Node:
    """The namespaces of one test; `holder` is a process in a namespace that has no name."""

    def __init__(self, name: str, holder: subprocess.Popen[bytes]) -> None:
        self.name, self.pod, self.peer = name, f"{name}-pod", f"{name}-peer"
        self.holder = holder

    def ip(self, *words: str) -> str:
        """What `ip` prints in the node's namespace."""
        return _run("ip", "-n", self.name, *words)

    def json(self, *words: str) -> list[dict[str, Any]]:
        """The same as iproute2's own JSON."""
        found: list[dict[str, Any]] = json.loads(self.ip("-d", "-j", *words) or "[]")
        return [one for one in found if one]

    def output(
        self,
        questions: Sequence[Question],
        containers: Sequence[str] = (),
        *,
        sh: Sequence[str] = ("sh",),
        path: Path | None = None,
        user: int | None = None,
    ) -> bytes:
        """The script's output in the node's namespace; `path` is a directory with all commands there are."""
        words = [*sh, *command(arguments(questions, containers))[1:]]
        inside = ["ip", "netns", "exec", self.name]
        if user is not None:
            inside += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        if path is not None:
            inside += ["env", "-i", f"PATH={path}"]
            words[0] = shutil.which(words[0]) or words[0]
        done = subprocess.run([*inside, *words], input=SCRIPT.encode(), capture_output=True, check=False, timeout=60)
        assert done.stderr == b""
        assert done.returncode == 0
        return done.stdout

    def facts(self, questions: Sequence[Question] = (), containers: Sequence[str] = (), **how: Any) -> NodeFacts:
        return read(self.output(questions, containers, **how), containers)


def read(output: bytes, containers: Sequence[str] = (), *, truncated: bool = False) -> NodeFacts:
    """`parse_output` with what does not matter here filled in; the facts fit into a snapshot."""
    facts = parse_output(
        output,
        node="k8s-calico2",
        via="ssh",
        target="root@10.173.32.23:22",
        address_source="InternalIP",
        read_at=0.0,
        containers_asked=containers,
        truncated=truncated,
    )
    assert msgspec.json.decode(msgspec.json.encode(facts), type=NodeFacts) == facts
    return facts


@contextmanager
def node() -> Iterator[Node]:
    """Build the node, and take everything of it away again."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "300"], stdin=subprocess.DEVNULL)
    made = Node(f"ct-{os.getpid()}", holder)
    names = {"node": made.name, "pod": made.pod, "peer": made.peer}
    try:
        for name in names.values():
            _run("ip", "netns", "add", name)
        _run("ip", "netns", "exec", made.name, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        _run("ip", "netns", "exec", made.name, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        for line in _SET_UP.strip().splitlines():
            _run("ip", *line.format(**names).split())
        for line in _FORWARDING.strip().splitlines():
            _run("bridge", *line.format(**names).split())
        _nameless_pod(made)
        _quiet(made)
        yield made
    finally:
        holder.kill()
        holder.wait()
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextmanager
def elsewhere(ip: str, like: Node | None = None) -> Iterator[int]:
    """A namespace of another node on this machine that has `ip` too; `like` makes the numbers of its veth the same."""
    with subprocess.Popen(["unshare", "--net", "sleep", "300"], stdin=subprocess.DEVNULL) as holder:
        try:
            enter = ["nsenter", f"--net=/proc/{_settled(holder)}/ns/net", "ip"]
            if like is not None:
                outer = next(one for one in like.json("link") if one["ifname"] == "cali0000000000b")
                far = f"peer name twin index {outer['ifindex']} netns {like.peer}"
                _run(*enter, *f"link add eth0 index {outer['link_index']} type veth {far}".split())
            _run(*enter, "addr", "add", f"{ip}/32", "dev", "eth0" if like else "lo")
            yield holder.pid
        finally:
            holder.kill()


def _quiet(made: Node) -> None:
    """Wait until the kernel has found all carriers and no duplicates, so that two readings in a row are the same."""
    for _ in range(1000):
        found = {one["ifname"]: one for one in made.json("addr")}
        ready = [
            found[name]["operstate"] == "UP"
            and any(a["scope"] == "link" and not a.get("tentative") for a in found[name]["addr_info"])
            for name in ("eth0", "cali3683f65394b", "cali0000000000b")
        ]
        if all(ready) and "tentative" not in made.ip("addr"):
            return
        subprocess.run(["sleep", "0.01"], check=True)
    raise AssertionError(f"the links of {made.name} did not come up")


def _settled(holder: subprocess.Popen[bytes]) -> str:
    """The pid of a process that `unshare` started, once it is in its own namespace."""
    own = Path("/proc/self/ns/net").readlink()
    for _ in range(500):
        if Path(f"/proc/{holder.pid}/ns/net").readlink() != own:
            break
        subprocess.run(["sleep", "0.01"], check=True)
    return str(holder.pid)


def _nameless_pod(made: Node) -> None:
    """A pod whose namespace only its process knows, as where the runtime mounts it elsewhere."""
    pid = _settled(made.holder)
    made.ip("link", "add", "cali0000000000b", "type", "veth", "peer", "name", "eth0", "netns", pid)
    made.ip("link", "set", "cali0000000000b", "up")
    made.ip("route", "add", f"{NAMELESS_POD}/32", "dev", "cali0000000000b", "scope", "link")
    for words in (f"addr add {NAMELESS_POD}/32 dev eth0", "link set eth0 up"):
        _run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words.split())


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout
