"""Lines of known_hosts, as OpenSSH understands them."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from calitui.nodes.ssh.known_hosts import State, entries_for, fingerprint, remember

BLOB = base64.b64encode(b"key one").decode()
OTHER = base64.b64encode(b"key two").decode()


def judge(tmp_path: Path, text: str, name: str, key_type: str = "ssh-ed25519") -> State:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return entries_for([str(file)], name).judge(key_type, b"key one")[0]


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        ("node1", "node1", True),
        ("NODE1", "node1", True),
        ("node1,10.0.0.1", "10.0.0.1", True),
        ("node*", "node12", True),
        ("node?", "node12", False),
        ("*.lan,!bad.lan", "good.lan", True),
        ("*.lan,!bad.lan", "bad.lan", False),
        ("!bad.lan", "good.lan", False),
        ("[node1]:2222", "[node1]:2222", True),
        ("[node1]:2222", "node1", False),
        ("[*]:2222", "[node1]:2222", True),
        ("node[12]", "node1", False),
        ("node1", "[node1]:2222", True),
        ("*", "[node1]:2222", True),
    ],
)
def test_patterns(tmp_path: Path, patterns: str, name: str, found: bool) -> None:
    state = judge(tmp_path, f"{patterns} ssh-ed25519 {BLOB} comment\n", name)
    assert state is (State.KNOWN if found else State.UNKNOWN)


def test_name_without_the_port_can_only_confirm(tmp_path: Path) -> None:
    assert judge(tmp_path, f"node1 ssh-ed25519 {OTHER}\n", "[node1]:2222") is State.UNKNOWN
    assert (
        judge(tmp_path, f"[node1]:2222 ssh-ed25519 {OTHER}\nnode1 ssh-ed25519 {BLOB}\n", "[node1]:2222")
        is State.CHANGED
    )


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen here")
@pytest.mark.parametrize("name", ["node1", "[node1]:2222", "10.0.0.1"])
def test_hashed_by_openssh(tmp_path: Path, name: str) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, blob = Path(f"{key}.pub").read_text().split()[:2]
    file = tmp_path / "known_hosts"
    file.write_text(f"{name} {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")
    assert entries_for([str(file)], name).judge(kind, base64.b64decode(blob))[0] is State.KNOWN
    assert entries_for([str(file)], "node9").entries == ()


def test_changed_means_another_key_of_the_same_type(tmp_path: Path) -> None:
    text = f"node1 ssh-ed25519 {OTHER}\n"
    assert judge(tmp_path, text, "node1") is State.CHANGED
    assert judge(tmp_path, text, "node1", "ssh-rsa") is State.UNKNOWN
    assert judge(tmp_path, text + f"node1 ssh-ed25519 {BLOB}\n", "node1") is State.KNOWN


def test_revoked_beats_known(tmp_path: Path) -> None:
    text = f"node1 ssh-ed25519 {BLOB}\n@revoked * ssh-ed25519 {BLOB}\n"
    assert judge(tmp_path, text, "node1") is State.REVOKED
    assert judge(tmp_path, text, "[node1]:2222") is State.REVOKED


def test_authority_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@cert-authority *.lan ssh-ed25519 {BLOB}\n")
    entries = entries_for([str(file)], "a.lan")
    assert (entries.judge("ssh-ed25519", b"key one")[0], entries.has_authority) == (State.UNKNOWN, True)
    assert entries.keys == ()


def test_broken_lines_cost_only_themselves(tmp_path: Path) -> None:
    text = f"# comment\n\nnode1\nnode1 ssh-ed25519 !!!\n@strange node1 ssh-ed25519 {BLOB}\n|1|x node ssh-rsa\n\xff\n"
    assert judge(tmp_path, text, "node1") is State.UNKNOWN
    assert judge(tmp_path, text + f"node1 ssh-ed25519 {BLOB}\n", "node1") is State.KNOWN


def test_several_files_and_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(f"\nnode1 ssh-ed25519 {BLOB}\n")
    (entry,) = entries_for([str(tmp_path / "a"), str(tmp_path / "b")], "node1").entries
    assert entry.where == f"{tmp_path / 'b'}:2"


def test_remember_makes_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    remember(str(file), "node1", "ssh-ed25519", b"key one", hashed=False)
    remember(str(file), "node2", "ssh-ed25519", b"key one", hashed=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines()[0] == f"node1 ssh-ed25519 {BLOB}"
    for name in ("node1", "node2"):
        assert entries_for([str(file)], name).judge("ssh-ed25519", b"key one")[0] is State.KNOWN


def test_fingerprint_is_openssh_s() -> None:
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
