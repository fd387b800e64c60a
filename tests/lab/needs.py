"""What a lab needs of the machine, checked before anything is built, so that a missing part is one clear sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.lab.spec import ClusterSpec

UML = "linux.uml"
PACKAGES = {
    "ip": "iproute2",
    "bird": "bird",
    "birdc": "bird",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ping": "iputils-ping",
    "bird6": "bird",
    "bridge": "iproute2",
    "nft": "nftables",
    "tcpdump": "tcpdump",
    "iptables-legacy": "iptables",
}
"""Programs and the Debian packages that bring them."""
_SOMETIMES = ("bird6", "bridge", "nft", "tcpdump", "iptables-legacy")
"""Those that only some clusters or tests need."""


class LabError(Exception):
    """A lab could not be built, found or taken down: one sentence that says what and where to look."""


class LabUnavailableError(LabError):
    """This machine lacks something that the lab needs; tests skip with its text."""


def program(name: str) -> str:
    """The absolute path of a program, looked for in the system's directories too.

    Raises:
        LabUnavailableError: it is not installed.
    """
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise LabUnavailableError(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")
    return path


def check() -> None:
    """Whether any lab can be built here.

    Raises:
        LabUnavailableError: not root, no network namespaces, or a program is missing.
    """
    if os.geteuid() != 0:
        raise LabUnavailableError("the lab needs root: it makes network namespaces")
    for name in PACKAGES:
        if name not in _SOMETIMES:
            program(name)
    if _in_scratch_namespace("true").returncode:
        raise LabUnavailableError("this machine does not let root make network and mount namespaces")
    for kind in ("bridge", "veth"):
        if _in_scratch_namespace(f"ip link add probe type {kind}").returncode:
            raise LabUnavailableError(f"this kernel has no {kind} devices")


def check_for(cluster: ClusterSpec) -> None:
    """Whether this machine has what one cluster needs beyond what all need.

    Raises:
        LabUnavailableError: a program is missing, or its kernel has no VXLAN or NAT.
    """
    if cluster.dual_stack:
        program("bird6")
    if cluster.vxlan:
        program("bridge")
        if _in_scratch_namespace("ip link add probe type vxlan id 1 dstport 4789").returncode:
            raise LabUnavailableError("this kernel has no vxlan devices")
    if cluster.masquerade:
        probe = (
            "add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; add rule ip t c masquerade"
        )
        if _in_scratch_namespace(f"{program('nft')} '{probe}'").returncode:
            raise LabUnavailableError("this kernel's nftables can't masquerade")


def host_has_ipip() -> bool:
    """Whether this kernel makes IPIP devices (loading its module if there is one)."""
    return _in_scratch_namespace("ip link add probe type ipip remote 127.0.0.1 local 127.0.0.1").returncode == 0


def check_uml() -> str:
    """The directory of user-mode-linux's modules.

    Raises:
        LabUnavailableError: it is not installed, or the host has no tap devices to connect it with.
    """
    if shutil.which(UML) is None:
        raise LabUnavailableError(
            "this kernel has no ipip module and there is no user-mode-linux to boot instead: "
            "apt-get install user-mode-linux"
        )
    if not Path("/dev/net/tun").exists():
        raise LabUnavailableError("user-mode-linux needs /dev/net/tun, which this machine does not have")
    modules = sorted(Path("/usr/lib/uml/modules").glob("*/kernel"))
    if not modules:
        raise LabUnavailableError("user-mode-linux is installed without its modules (/usr/lib/uml/modules)")
    return str(modules[-1])


def _in_scratch_namespace(command: str) -> subprocess.CompletedProcess[str]:
    words = [program("unshare"), "--net", "--mount", "sh", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
