"""What differs when a person sits there: colour, progress, secrets."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import ENTRY, ROOT, environment_of
from tests.trace import seed

ARGUMENTS = ("trace", seed.IPIP_SOURCE, seed.IPIP_DESTINATION)


def on_a_terminal(
    code: str,
    *arguments: str,
    home: Path,
    typed: bytes = b"",
    prompt: bytes = b": ",
    more: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Exit code and everything that a terminal showed, stderr included."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=ROOT,
        env=environment_of(home, **(more or {})),
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if typed and prompt in shown:
            os.write(controller, typed)
            typed = b""
    os.close(controller)
    return process.wait(timeout=60), shown.decode()


def trace(ipip: str, home: Path, **environment: str) -> str:
    code, shown = on_a_terminal(ENTRY.format(name="calitui"), *ARGUMENTS, "--from", ipip, home=home, more=environment)
    assert code == 0
    return shown


def test_colour_and_progress(ipip: str, home: Path) -> None:
    shown = trace(ipip, home, TERM="xterm-256color")
    assert "\x1b[1;32mdelivered both ways" in shown
    assert "from ipip.json" in shown


def test_no_colour_where_it_is_not_wanted(ipip: str, home: Path) -> None:
    assert "\x1b[" not in trace(ipip, home, TERM="dumb")
    assert "\x1b[" not in trace(ipip, home, TERM="xterm", NO_COLOR="1")


ASK = """
from calitui.cli.asking import Terminal
from calitui.nodes.ssh.prompts import HostKeyQuestion, SecretField, SecretQuestion
who = Terminal(accept_new_host_keys={accept})
print(who.secret(SecretQuestion("passphrase", "n1", "/k", (SecretField("Pass\\x1bphrase"),), attempt=2)))
key = HostKeyQuestion("n1", "n1", "10.0.0.1", "ssh-ed25519", "SHA256:x", "/known")
print(who.confirm_host_key(key))
"""


def test_a_secret_is_asked_for_and_not_echoed(home: Path) -> None:
    code, shown = on_a_terminal(ASK.format(accept=False), home=home, typed=b"hunter2\n", prompt=b"phrase: ")
    assert code == 0, shown
    assert "passphrase for /k (node n1), once more" in shown
    assert shown.count("hunter2") == shown.count("('hunter2',)") == 1
    assert "\x1b" not in shown
    assert shown.rstrip().endswith("False")


def test_nobody_there_refuses(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(accept=True)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment_of(home),
    )
    assert done.stdout.decode().split() == ["None", "True"]
    assert done.stderr == b""


def test_a_host_with_other_keys_is_never_new() -> None:
    from calitui.cli.asking import Terminal
    from calitui.nodes.ssh.prompts import HostKeyQuestion

    question = HostKeyQuestion("n1", "n1", "10.0.0.1", "ssh-ed25519", "SHA256:x", "/known", ("ssh-rsa",))
    assert not Terminal(accept_new_host_keys=True).confirm_host_key(question)


@pytest.mark.parametrize("typed", [b"q", b"\x03"])
def test_the_screens_open_and_leave(ipip: str, home: Path, typed: bytes) -> None:
    code, shown = on_a_terminal(
        ENTRY.format(name="calitui"),
        "--from",
        ipip,
        home=home,
        typed=typed,
        prompt=b"huangtest",
        more={"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "36"},
    )
    assert code == 0, shown[-2000:]
    assert "Traceback" not in shown


def test_new_host_keys_can_be_accepted_for_the_screens_too() -> None:
    """Nobody is attached, so a question that is asked is refused."""
    from calitui.cli.screens import AcceptingPrompts
    from calitui.nodes.ssh.prompts import HostKeyQuestion

    def question(*known: str) -> HostKeyQuestion:
        return HostKeyQuestion("n1", "n1", "10.0.0.1", "ssh-ed25519", "SHA256:x", "/known", known)

    assert AcceptingPrompts().confirm_host_key(question())
    assert not AcceptingPrompts().confirm_host_key(question("ssh-rsa"))


def test_a_theme_that_there_is_not(ipip: str, home: Path) -> None:
    config = home / "config" / "calitui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("theme = 'no-such-theme'\n")
    code, shown = on_a_terminal(
        ENTRY.format(name="calitui"), "--from", ipip, home=home, more={"TERM": "xterm-256color"}
    )
    assert code == 2
    assert "No theme 'no-such-theme'" in shown
