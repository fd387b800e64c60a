"""A network namespace with nothing in it, and the questions that can be put to its kernel through iproute2.

It lives as long as the process that made it: a child holds it open and ends when its standard input is closed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

TABLE_NAMES = {255: "local", 254: "main", 253: "default", 100: "blue", 4000: "red"}
"""What iproute2's `rt_tables` holds inside: routes and rules of 100 and 4000 are printed with a name."""

# The files are laid over the machine's own in a mount namespace that ends with the child.
_PREPARE = """
set -e
mount --make-rprivate /
for folder in /etc/iproute2 /usr/share/iproute2 /usr/lib/iproute2; do
  [ -d "$folder" ] || continue
  mount -t tmpfs none "$folder"
  printf '%s\\n' "$1" > "$folder/rt_tables"
done
ip link set lo up
echo ready
exec cat
"""
_FAILED = re.compile(r"Command failed .*:(\d+)")


def why_impossible() -> str:
    """Why no such namespace can be made here, or ""."""
    if os.geteuid() != 0:
        return "needs root: it makes network namespaces"
    for name in ("ip", "unshare", "nsenter"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    kinds = ("type veth", "type bridge", "type vxlan id 1 dstport 4789")
    for tried in ("true", *(f"ip link add probe {kind}" for kind in kinds)):
        words = ["unshare", "--net", "--mount", "sh", "-c", tried]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"this kernel refuses `{tried}` in a new namespace: {done.stderr.strip()}"
    return ""


class Kernel:
    """A context manager around the namespace."""

    def __enter__(self) -> Self:
        names = "\n".join(f"{number} {name}" for number, name in TABLE_NAMES.items())
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", _PREPARE, "sh", names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.communicate()

    def show(self, *words: str) -> str:
        """What `ip WORDS` prints."""
        return self._run(["ip", *words], "").stdout

    def sysctls(self, values: dict[str, str]) -> None:
        """Set values below `/proc/sys/net/`."""
        script = "".join(f"echo {value} > /proc/sys/net/{name}\n" for name, value in values.items())
        done = self._run(["sh", "-e"], script)
        assert done.returncode == 0, done.stderr

    def change(self, commands: Sequence[str], family: int | None = None) -> list[tuple[str, str]]:
        """Run `ip` commands, for one family or both; those that the kernel refused come back with its reason."""
        done = self._run(
            ["ip", *([f"-{family}"] if family else []), "-force", "-batch", "-"], "\n".join(commands) + "\n"
        )
        return [(commands[number], why) for number, why in _failures(done.stderr).items()]

    def ask(self, questions: Sequence[str], family: int) -> list[tuple[str, str]]:
        """The answer and the error to each `ip route get` question, one of the two empty."""
        batch = "".join(f"route get {question}\n" for question in questions)
        done = self._run(["ip", f"-{family}", "-o", "-force", "-batch", "-"], batch)
        failed = _failures(done.stderr)
        printed = iter(done.stdout.splitlines())
        answers = [
            ("", failed[number]) if number in failed else (next(printed), "") for number in range(len(questions))
        ]
        assert next(printed, None) is None, "more answers than questions"
        return answers

    def _run(self, words: Iterable[str], text: str) -> subprocess.CompletedProcess[str]:
        pid = str(self._holder.pid)
        return subprocess.run(
            ["nsenter", "--target", pid, "--net", "--mount", *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def _failures(stderr: str) -> dict[int, str]:
    """The error of each command of a batch that failed, by its number from 0."""
    failed: dict[int, str] = {}
    said: list[str] = []
    for line in stderr.splitlines():
        found = _FAILED.fullmatch(line)
        if found:
            failed[int(found[1]) - 1] = "\n".join(said)
            said = []
        else:
            said.append(line)
    return failed
