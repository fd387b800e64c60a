"""The script beside a real BIRD and a real packet filter, in namespaces with file systems of their own below /run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from calitui.facts.bird import Bird
from calitui.facts.node import NodeFacts
from calitui.nodes.parse.firewall import without_nat
from calitui.nodes.parse.packet_filter import parse_packet_filter
from calitui.nodes.script import SCRIPT
from tests.nodes.script.namespaces import read

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(shutil.which("bird") is None, reason="needs BIRD (apt-get install bird)"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft (apt-get install nftables)"),
]

SHELLS = [("dash",), ("busybox", "sh"), ("bash", "--posix")]
CONFIGURATION = """
router id 10.0.0.1;
protocol device { scan time 2; }
protocol static { route 10.65.1.0/26 blackhole; }
protocol bgp Mesh_10_0_0_12 { local 10.0.0.1 as 64512; neighbor 10.0.0.12 as 64513; multihop; passive; }
"""
PROGRAMS = ("ip", "cat", "grep", "sed", "sort", "ls", "sh")


class Machine:
    """A process in namespaces of its own, in which others can be run."""

    def __init__(self, holder: subprocess.Popen[bytes], directory: Path) -> None:
        self.holder = holder
        self.directory = directory
        self.children: list[subprocess.Popen[bytes]] = []

    def words(self, *words: str) -> list[str]:
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", *words]

    def run(self, *words: str) -> str:
        return subprocess.run(self.words(*words), capture_output=True, text=True, check=True, timeout=60).stdout

    def bird(self, name: str = "bird") -> subprocess.Popen[bytes]:
        """Start a BIRD, and wait for its socket."""
        configuration = self.directory / f"{name}.conf"
        configuration.write_text(CONFIGURATION)
        socket = f"/run/calico/{name}.ctl"
        child = subprocess.Popen(self.words("bird", "-f", "-c", str(configuration), "-s", socket))
        self.children.append(child)
        for _ in range(500):
            if subprocess.run(self.words("test", "-S", socket), check=False, timeout=60).returncode == 0:
                return child
            time.sleep(0.01)
        raise AssertionError("BIRD made no socket")

    def facts(self, sh: Sequence[str] = ("sh",), path: Path | None = None, user: int | None = None) -> NodeFacts:
        inside = list(sh)
        if path is not None:
            inside = ["env", "-i", f"PATH={path}", shutil.which(sh[0]) or sh[0], *sh[1:]]
        if user is not None:
            inside = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *inside]
        done = subprocess.run(
            self.words(*inside, "-s"), input=SCRIPT.encode(), capture_output=True, check=True, timeout=60
        )
        assert done.stderr == b""
        return read(done.stdout)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    tmp_path.chmod(0o755)
    prepare = "mount -t tmpfs -o mode=755 none /run && mkdir -p /run/calico && echo ready && exec sleep 300"
    words = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", prepare]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        made = Machine(holder, tmp_path)
        try:
            made.run("ip", "link", "set", "lo", "up")
            made.run("ip", "addr", "add", "10.0.0.1/32", "dev", "lo")
            yield made
        finally:
            for child in made.children:
                child.kill()
                child.wait()
            holder.kill()


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., Path]:
    """Makes a directory with these programs, and with scripts of the test."""

    def make(*programs: str, **scripts: str) -> Path:
        path = tmp_path / "bin"
        path.mkdir()
        for program in programs:
            (path / program).symlink_to(shutil.which(program) or f"/bin/{program}")
        for name, body in scripts.items():
            script = path / name.replace("_", "-")
            script.write_text(f"#!/bin/sh\n{body}\n")
            script.chmod(0o755)
        return path

    return make


def birds(facts: NodeFacts) -> tuple[Bird, ...]:
    assert facts.birds is not None
    return facts.birds


def reasons(facts: NodeFacts) -> dict[str, str]:
    return {one.what: one.reason for one in facts.missing}


@pytest.mark.parametrize("sh", SHELLS, ids=" ".join)
def test_bird_is_asked_in_every_shell(machine: Machine, sh: tuple[str, ...]) -> None:
    if shutil.which(sh[0]) is None:
        pytest.skip(f"{sh[0]} is not installed (apt-get install {sh[0]})")
    machine.bird()
    machine.bird("bird6")
    facts = machine.facts(sh)
    four, six = birds(facts)
    assert (four.family, four.socket, four.complete, four.error) == (4, "/var/run/calico/bird.ctl", True, "")
    assert (six.family, six.socket, six.complete) == (6, "/var/run/calico/bird6.ctl", True)
    assert " -r -s /var/run/calico/bird.ctl" in four.command
    assert four.answer is not None
    assert four.answer.router_id == "10.0.0.1"
    session = next(one for one in four.answer.protocols if one.kind == "BGP")
    assert (session.name, session.neighbour, session.neighbour_as) == ("Mesh_10_0_0_12", "10.0.0.12", 64513)
    assert [(route.prefix, route.kind) for route in four.answer.routes] == [("10.65.1.0/26", "blackhole")]
    assert facts.processes == ("bird",)
    assert facts.missing == ()


def test_no_bird(machine: Machine) -> None:
    facts = machine.facts()
    assert (facts.birds, facts.processes) == ((), ())
    assert facts.missing == ()


def test_a_bird_that_was_killed_leaves_a_socket_that_refuses(machine: Machine) -> None:
    child = machine.bird()
    child.kill()
    child.wait()
    facts = machine.facts()
    (one,) = birds(facts)
    assert one.answer is None
    assert "Connection refused" in one.error
    assert facts.processes == ()
    assert facts.missing == ()


def test_one_that_hangs_is_not_waited_for(machine: Machine, directory: Callable[..., Path]) -> None:
    timeout = shutil.which("timeout")
    assert timeout is not None
    child = machine.bird()
    child.send_signal(signal.SIGSTOP)
    path = directory(*PROGRAMS, "birdc", timeout=f'shift; exec {timeout} 0.2 "$@"')
    (one,) = birds(machine.facts(path=path))
    assert (one.answer, one.error) == (None, "it did not answer in time")


def test_without_root_bird_is_not_read(machine: Machine) -> None:
    machine.bird()
    facts = machine.facts(user=65534)
    assert facts.birds is None
    assert reasons(facts)["BIRD"].endswith("Permission denied (needs root: run with --sudo)")
    machine.run("chmod", "700", "/run/calico")
    facts = machine.facts(user=65534)
    assert facts.birds is None
    assert reasons(facts)["BIRD"] == "/var/run/calico can't be looked into (needs root: run with --sudo)"


def test_without_a_client_that_of_the_container_is_asked(machine: Machine, directory: Callable[..., Path]) -> None:
    machine.bird()
    facts = machine.facts(path=directory(*PROGRAMS))
    assert facts.birds is None
    assert reasons(facts)["BIRD"].startswith("neither birdcl nor birdc is on this node")


def test_the_container_is_entered_for_its_client(machine: Machine, directory: Callable[..., Path]) -> None:
    child = machine.bird()
    path = directory(*PROGRAMS, nsenter=f'[ $1 = --mount=/proc/{child.pid}/ns/mnt ] && shift 2 && exec birdc "$@"')
    (path / "nsenter").write_text((path / "nsenter").read_text().replace("birdc ", f"{shutil.which('birdc')} "))
    (one,) = birds(machine.facts(path=path))
    assert one.answer is not None
    assert one.complete
    assert one.command.startswith(f"nsenter --mount=/proc/{child.pid}/ns/mnt birdcl -r")


def test_the_packet_filter(machine: Machine) -> None:
    machine.run(
        "nft", "add table inet mine; add chain inet mine f { type filter hook forward priority 5; policy drop; }"
    )
    machine.run("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }")
    found = machine.facts().packet_filter
    assert found is not None
    assert [(one.family, one.table, one.hook, one.priority, one.policy) for one in found.chains] == [
        ("inet", "mine", "forward", 5, "drop")
    ]
    assert found.unparsed == ()


def test_calicoctls_way_to_list_rules_says_the_same(machine: Machine) -> None:
    machine.run("nft", "add table inet mine; add set inet mine s { type ipv4_addr; elements = { 10.0.0.1 }; }")
    machine.run("nft", "add chain inet mine f { type filter hook forward priority 5; policy drop; }")
    machine.run("nft", "add rule inet mine f ip saddr @s tcp dport 179 counter accept")
    machine.run("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }")
    ours = machine.facts().packet_filter
    assert ours is not None
    saved = without_nat(machine.run("nft", "-n", "-a", "list", "ruleset"))
    theirs = parse_packet_filter({"nft": saved})
    assert theirs.unparsed == ()
    assert theirs.sets == ours.sets
    assert [(one.hook, one.priority, one.policy, one.rules) for one in theirs.chains] == [
        (one.hook, one.priority, one.policy, one.rules) for one in ours.chains
    ]
    assert len(ours.chains[0].rules) == len(ours.sets) == 1


@pytest.mark.skipif(shutil.which("iptables-nft-save") is None, reason="needs iptables (apt-get install iptables)")
def test_rules_of_iptables_with_their_counters(machine: Machine) -> None:
    machine.run("iptables-nft", "-A", "FORWARD", "-p", "4", "-j", "DROP")
    machine.run("ip6tables-nft", "-P", "FORWARD", "DROP")
    machine.run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    found = machine.facts().packet_filter
    assert found is not None
    assert {(one.backend, one.family, one.table) for one in found.chains} == {
        ("iptables-nft", "ip", "filter"),
        ("iptables-nft", "ip6", "filter"),
    }
    (dropping,) = (rule for chain in found.chains for rule in chain.rules)
    assert dropping.packets == 0
    assert dropping.text.endswith("-j DROP")


def test_the_old_backend_is_left_alone_where_the_kernel_names_no_table_of_it(
    machine: Machine, directory: Callable[..., Path], tmp_path: Path
) -> None:
    ran = f"echo $0 >>{tmp_path}/ran"
    path = directory(*PROGRAMS, "nft", iptables_legacy_save=ran, ip6tables_legacy_save=ran, iptables_nft_save="")
    assert machine.facts(path=path).packet_filter is not None
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(shutil.which("iptables-legacy-save") is None, reason="needs iptables (apt-get install iptables)")
def test_both_backends(machine: Machine) -> None:
    try:
        machine.run("iptables-legacy", "-A", "FORWARD", "-j", "REJECT")
    except subprocess.CalledProcessError:
        pytest.skip("this kernel has only one backend")
    machine.run("iptables-nft", "-P", "FORWARD", "DROP")
    found = machine.facts().packet_filter
    assert found is not None
    assert found.read == ("iptables-nft", "ip6tables-nft", "iptables-legacy", "nft")
    assert {one.backend: one.policy for one in found.chains if one.hook == "forward"} == {
        "iptables-legacy": "accept",
        "iptables-nft": "drop",
    }


def test_what_the_host_says_of_devices(machine: Machine) -> None:
    machine.run("ip", "link", "add", "cali0123456789a", "index", "77", "type", "bridge")
    machine.run("mkdir", "-p", "/run/systemd/netif/links", "/run/NetworkManager/devices")
    machine.run("sh", "-c", "echo ADMIN_STATE=configured >/run/systemd/netif/links/77")
    machine.run("sh", "-c", "printf '[device]\\nmanaged=true\\n' >/run/NetworkManager/devices/77")
    machine.run("sh", "-c", "echo ADMIN_STATE=configured >/run/systemd/netif/links/1")
    machine.run("mkdir", "-p", "/run/systemd/networkd.conf.d")
    machine.run("sh", "-c", "echo ManageForeignRoutes = no >/run/systemd/networkd.conf.d/10-calico.conf")
    facts = machine.facts()
    assert facts.managed_devices is not None
    assert [(one.service, one.device) for one in facts.managed_devices] == [
        ("NetworkManager", "cali0123456789a"),
        ("systemd-networkd", "cali0123456789a"),
    ]
    assert facts.foreign_routes is not None
    assert "/run/systemd/networkd.conf.d/10-calico.conf:ManageForeignRoutes = no" in facts.foreign_routes
