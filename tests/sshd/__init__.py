"""Real OpenSSH servers on loopback ports, and the user's side of them: keys, ssh config, known_hosts.

Everything is in a directory of the test; no file of the person who runs the tests is read or written.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else "")
USER = getpass.getuser()


def why_not() -> str:
    """Why no sshd can be started here, or ""."""
    if not SSHD or not shutil.which("ssh-keygen") or not shutil.which("ssh"):
        return "OpenSSH's server and client are not installed (openssh-server, openssh-client)"
    if os.getuid() == 0:
        # Privilege separation, which only root's sshd does, wants this empty directory.
        try:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            return f"/run/sshd can't be made: {error}"
    return ""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new key pair; returns the private one."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def public(path: Path) -> str:
    """The public half, `TYPE BASE64`."""
    return " ".join(Path(f"{path}.pub").read_text().split()[:2])


def _descendants(pid: int) -> list[int]:
    """All processes below one, which for an unprivileged sshd hold a connection two levels down."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [process for child in children for process in (*_descendants(child), child)]


class Sshd:
    """One server. `log` is everything it wrote; `logins` how often somebody got in."""

    def __init__(self, directory: Path, *, options: str = "", host_keys: tuple[str, ...] = ("ed25519",)) -> None:
        """`options` are lines for its sshd_config, which win over ours."""
        directory.mkdir(parents=True)
        self.directory = directory
        self.options = options
        self.port = free_port()
        self.host_keys = [make_key(directory / f"host_{kind}", kind=kind) for kind in host_keys]
        self.authorized = directory / "authorized_keys"
        self.authorized.touch()
        self._log = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def logins(self) -> int:
        return len(re.findall(r"Accepted \S+ for ", self.log))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def authorize(self, key: Path) -> None:
        with self.authorized.open("a") as file:
            file.write(public(key) + "\n")

    def known_hosts_line(self, key: int = 0, name: str = "") -> str:
        return f"{name or f'[127.0.0.1]:{self.port}'} {public(self.host_keys[key])}\n"

    def start(self) -> Sshd:
        keys = "".join(f"HostKey {key}\n" for key in self.host_keys)
        config = self.directory / "sshd_config"
        config.write_text(
            f"{self.options}\nListenAddress 127.0.0.1:{self.port}\n{keys}PidFile none\nUsePAM no\nStrictModes no\n"
            f"PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
            f"AuthorizedKeysFile {self.authorized}\nUseDNS no\nMaxStartups 100\n"
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        for _ in range(500):
            if self._process.poll() is not None:
                raise RuntimeError(f"sshd did not start: {self.log}")
            if "Server listening" in self.log:
                return self
            time.sleep(0.01)
        raise RuntimeError(f"sshd does not listen: {self.log}")

    def stop(self) -> None:
        """End the listener and its children, which are the sessions."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(10)
        self._process = None

    def hang_up(self) -> None:
        """Cut every session, as a reboot of the node does; the server goes on listening."""
        for process in _descendants(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def __enter__(self) -> Sshd:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


class Client:
    """The user's side: a home directory with keys, an ssh config and known_hosts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ssh = home / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700)
        self.config = self.ssh / "config"
        self.config.touch()
        self.known_hosts = self.ssh / "known_hosts"
        self.known_hosts.touch()
        self.key = make_key(self.ssh / "id_ed25519")

    def alias(self, name: str, server: Sshd, *lines: str, known: bool = True) -> None:
        """Add `Host NAME` for `server` to the ssh config, and its key to known_hosts."""
        body = "".join(f"  {line}\n" for line in lines)
        with self.config.open("a") as file:
            file.write(f"Host {name}\n{body}  HostName 127.0.0.1\n  Port {server.port}\n  User {USER}\n")
        if known:
            with self.known_hosts.open("a") as file:
                file.write(server.known_hosts_line())
