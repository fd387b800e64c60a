"""How one gets into the nodes: keys, sshd and ssh configurations, and the accounts that a node knows.

Everything lies in the lab's state directory. The machine's own accounts are not touched: nodes see these files in the
place of /etc/passwd and its like.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab.needs import LabError, program
from tests.lab.spec import ClusterSpec

USERS = {"calitui": 60001, "viewer": 60002}
"""Unprivileged accounts and their ids. `calitui` may run everything through `sudo -n`, `viewer` nothing."""

_SUDOERS = """\
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
calitui ALL=(root) NOPASSWD: ALL
"""


def write(cluster: ClusterSpec, state: Path) -> None:
    """Write all of it below `state`; the nodes' directories exist."""
    ssh = state / "ssh"
    ssh.mkdir(mode=0o700)
    _key(ssh / "id_ed25519", "calitui lab")
    (ssh / "authorized_keys").write_bytes((ssh / "id_ed25519.pub").read_bytes())
    known, config = [], []
    for machine in cluster.machines:
        directory = state / "nodes" / machine.name
        host_key = directory / "ssh_host_ed25519_key"
        _key(host_key, machine.name)
        known.append(f"{machine.name},{machine.address} {(directory / 'ssh_host_ed25519_key.pub').read_text().strip()}")
        (directory / "sshd_config").write_text(_sshd(machine.address, host_key))
        config.append(_host(f"{machine.name} {machine.address}", machine.address))
    (ssh / "known_hosts").write_text("\n".join(known) + "\n")
    (ssh / "config").write_text("\n".join(config) + "\n" + _defaults(ssh))
    etc = state / "etc"
    etc.mkdir()
    _accounts(etc)
    (etc / "hosts").write_text(
        "127.0.0.1 localhost\n" + "".join(f"{machine.address} {machine.name}\n" for machine in cluster.machines)
    )
    (etc / "sudoers").write_text(_SUDOERS)
    (etc / "sudoers").chmod(0o440)


def _host(names: str, address: str) -> str:
    return f"Host {names}\n  HostName {address}"


def _defaults(ssh: Path) -> str:
    lines = {
        "User": "root",
        "IdentityFile": f'"{ssh / "id_ed25519"}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": f'"{ssh / "known_hosts"}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
    }
    return "Host *\n" + "".join(f"  {name} {value}\n" for name, value in lines.items())


def _sshd(address: str, host_key: Path) -> str:
    lines = {
        "ListenAddress": f"{address}:22",
        "HostKey": f'"{host_key}"',
        "PidFile": "/run/sshd.pid",
        "AuthorizedKeysFile": "/run/authorized_keys",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "UsePAM": "no",
        "UseDNS": "no",
        "PrintMotd": "no",
        "PrintLastLog": "no",
        "MaxStartups": "100",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def _accounts(etc: Path) -> None:
    """The machine's system accounts, the lab's users, and root with a home of its own: no shell start-up files."""
    homes = {name: f"/run/home/{name}" for name in USERS}
    kept = [
        line
        for line in Path("/etc/passwd").read_text().splitlines()
        if int(line.split(":")[2]) < 1000 and line.split(":")[0] not in ("root", *USERS)
    ]
    passwd = [
        "root:x:0:0:root:/run/home/root:/bin/bash",
        *kept,
        *(f"{name}:x:{number}:{number}::{homes[name]}:/bin/sh" for name, number in USERS.items()),
    ]
    (etc / "passwd").write_text("\n".join(passwd) + "\n")
    # A star is no password; an exclamation mark would lock the account for sshd.
    (etc / "shadow").write_text("".join(f"{line.split(':')[0]}:*:19000:0:99999:7:::\n" for line in passwd))
    (etc / "shadow").chmod(0o600)
    groups = Path("/etc/group").read_text() + "".join(f"{name}:x:{number}:\n" for name, number in USERS.items())
    (etc / "group").write_text(groups)


def _key(path: Path, comment: str) -> None:
    words = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        raise LabError(f"ssh-keygen failed: {made.stderr.strip()}")
