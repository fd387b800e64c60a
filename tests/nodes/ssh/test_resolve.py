"""From a node to the server to dial: which address, what ssh_config says, and names that must not get through."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from calitui.errors import NodeError, UsageError
from calitui.facts.cluster import Node
from calitui.nodes.ssh.names import is_host, parse_destination
from calitui.nodes.ssh.resolve import Resolver, SshOptions
from tests.sshd import USER

NODE = Node(
    "k8s-calico2", internal_ips=("10.173.32.23", "fd00::1"), external_ips=("192.0.2.7",), hostname="calico2.lan"
)

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh program here")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".ssh" / "config"


class TestWhichAddress:
    @pytest.mark.parametrize(
        ("wish", "host", "source"),
        [
            ("auto", "10.173.32.23", "InternalIP"),
            ("InternalIP", "10.173.32.23", "InternalIP"),
            ("ExternalIP", "192.0.2.7", "ExternalIP"),
            ("Hostname", "calico2.lan", "Hostname"),
            ("name", "k8s-calico2", "name"),
        ],
    )
    def test_by_flag(self, wish: str, host: str, source: str) -> None:
        resolved = Resolver(SshOptions(address=wish)).resolve(NODE)
        assert (resolved.target.host, resolved.address_source) == (host, source)

    def test_alias_of_the_node_name_wins_over_its_address(self, config: Path) -> None:
        config.write_text("Host k8s-*\n  HostName gate.example\n  Port 2201\n  User ops\n")
        resolved = Resolver(SshOptions()).resolve(NODE)
        assert (resolved.target.login, resolved.address_source) == ("ops@gate.example:2201", "ssh config")

    def test_alias_in_another_file(self, home: Path) -> None:
        (home / "lab").write_text("Host k8s-calico2\n  HostName 127.0.0.1\n  Port 2202\n")
        resolved = Resolver(SshOptions(config=str(home / "lab"))).resolve(NODE)
        assert (resolved.target.address, resolved.target.name) == ("127.0.0.1:2202", "k8s-calico2")

    @pytest.mark.parametrize(
        ("entry", "login"),
        [
            ("other.example", f"{USER}@other.example:22"),
            ("ops@other.example", "ops@other.example:22"),
            ("other.example:2222", f"{USER}@other.example:2222"),
            ("ssh://ops@[fd00::7]:2222", "ops@[fd00::7]:2222"),
            ("fd00::7", f"{USER}@[fd00::7]:22"),
            ("alias", "deep@deep.example:2299"),
        ],
    )
    def test_nodes_table_wins_over_everything(self, config: Path, entry: str, login: str) -> None:
        config.write_text(
            "Host alias\n  HostName deep.example\n  Port 2299\n  User deep\nHost k8s-calico2\n  HostName no.example\n"
        )
        options = SshOptions(targets={"k8s-calico2": entry}, address="ExternalIP")
        resolved = Resolver(options).resolve(NODE)
        assert (resolved.target.login, resolved.address_source) == (login, "nodes table")

    def test_without_addresses_the_name_is_left(self) -> None:
        resolved = Resolver(SshOptions()).resolve(Node("bare.example"))
        assert (resolved.target.host, resolved.address_source) == ("bare.example", "name")

    def test_missing_address_is_told(self) -> None:
        with pytest.raises(NodeError, match="has no ExternalIP address"):
            Resolver(SshOptions(address="ExternalIP")).resolve(Node("bare"))

    def test_unknown_kind_of_address(self) -> None:
        with pytest.raises(UsageError, match="Use one of auto, InternalIP"):
            Resolver(SshOptions(address="Internal"))


class TestHostileNames:
    @pytest.mark.parametrize(
        "name",
        [
            "-oProxyCommand=touch /tmp/x",
            "--",
            "a;id",
            "$(id)",
            "`id`",
            "a b",
            "a\nb",
            "a\x1b[31m",
            "a'b",
            "",
            "%h",
            "a" * 300,
            "fd00::1%$(id)",
            "é.example",
            "a/../b",
        ],
    )
    def test_they_are_refused_as_name_and_as_address(self, name: str) -> None:
        assert not is_host(name)
        for address, node in [("name", Node(name)), ("InternalIP", Node("fine", internal_ips=(name,)))]:
            with pytest.raises(NodeError) as caught:
                Resolver(SshOptions(address=address)).resolve(node)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 400

    def test_hostile_name_with_a_good_address_is_dialled_by_address(self) -> None:
        node = Node("-oProxyCommand=id", internal_ips=("10.0.0.9",))
        assert Resolver(SshOptions()).resolve(node).target.host == "10.0.0.9"

    @pytest.mark.parametrize(
        "entry", ["-l@host", "a b@host", "host:", "host:99999", "host:-1", "[::1]x", "ops@", "@host"]
    )
    def test_broken_entries_of_the_nodes_table(self, entry: str) -> None:
        with pytest.raises(NodeError, match=r"\[nodes\] entry of node 'k8s-calico2'"):
            Resolver(SshOptions(targets={"k8s-calico2": entry})).resolve(NODE)

    def test_good_names_pass(self) -> None:
        for name in ("a", "A-1.b_c.", "10.0.0.1", "::1", "fe80::1%eth0", "_srv"):
            assert is_host(name), name
        assert parse_destination("u.x@h:1", "it").port == 1


class TestSshConfig:
    def test_everything_that_matters_is_taken_and_expanded(self, config: Path, home: Path) -> None:
        (config.parent / "more").write_text("Host 10.173.*\n  Port 2200\n  IdentityFile ~/keys/%r@%h\n")
        config.write_text(
            "Include more\n"
            "Match host 10.173.32.23\n"
            "  User ops\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent ${HOME}/agent-%p\n"
            "  CertificateFile %d/cert-%n.pub\n"
            "  UserKnownHostsFile ~/one /two\n"
            "  GlobalKnownHostsFile /three\n"
            "  HostKeyAlias calico2\n"
            "  StrictHostKeyChecking accept-new\n"
            "  HashKnownHosts yes\n"
            "  ConnectTimeout 7\n"
            "  ServerAliveInterval 9\n"
            "  NumberOfPasswordPrompts 1\n"
            "  PasswordAuthentication no\n"
            "  ProxyCommand relay %h:%p %r 100%%\n"
        )
        target = Resolver(SshOptions()).resolve(NODE).target
        assert target.login == "ops@10.173.32.23:2200"
        assert target.identity_files == (f"{home}/keys/ops@10.173.32.23",)
        assert (target.identities_only, target.agent) == (True, f"{home}/agent-2200")
        assert target.certificate_files == (f"{home}/cert-10.173.32.23.pub",)
        assert len(target.user_known_hosts) == 2
        assert target.user_known_hosts[1] == "/two"
        assert target.global_known_hosts == ("/three",)
        assert (target.known_as, target.host_key_checking) == ("calico2", "accept-new")
        assert (target.hash_known_hosts, target.connect_timeout, target.keepalive) == (True, 7.0, 9)
        assert (target.password_prompts, target.methods) == (1, ("publickey", "keyboard-interactive"))
        assert target.proxy_command == "relay 10.173.32.23:2200 ops 100%"

    def test_defaults(self, home: Path) -> None:
        target = Resolver(SshOptions()).resolve(NODE).target
        assert (target.user, target.port, target.agent) == (USER, 22, "/run/agent")
        assert f"{home}/.ssh/id_ed25519" in target.identity_files
        assert target.user_known_hosts[0] == f"{home}/.ssh/known_hosts"
        assert target.known_as == "10.173.32.23"

    def test_agent_can_be_switched_off(self, config: Path) -> None:
        config.write_text("Host *\n  IdentityAgent none\n")
        assert Resolver(SshOptions()).resolve(NODE).target.agent is None

    def test_user_flag_is_for_nodes_not_for_jump_hosts(self, config: Path) -> None:
        config.write_text("Host 10.*\n  ProxyJump hop\n  User file\nHost hop\n  User hopper\n")
        target = Resolver(SshOptions(user="flag")).resolve(NODE).target
        assert target.user == "flag"
        assert target.jump is not None
        assert target.jump.user == "hopper"

    @pytest.mark.parametrize(
        ("options", "command"),
        [
            (SshOptions(), "ssh 10.173.32.23"),
            (SshOptions(user="ops", address="name"), "ssh -l ops k8s-calico2"),
            (SshOptions(targets={"k8s-calico2": "me@other:2222"}), "ssh -l me -p 2222 other"),
        ],
    )
    def test_command_that_a_person_would_type(self, config: Path, options: SshOptions, command: str) -> None:
        config.write_text("Host 10.*\n  ProxyCommand relay %h\n")
        assert Resolver(options).resolve(NODE).target.command == command

    def test_chain_of_jumps(self, config: Path) -> None:
        config.write_text("Host 10.*\n  ProxyJump a@one:2201,two\nHost two\n  ProxyJump never\n  User b\n")
        target = Resolver(SshOptions()).resolve(NODE).target
        assert target.way == "a@one:2201 > b@two:22"

    def test_single_jump_follows_its_own_configuration(self, config: Path) -> None:
        config.write_text("Host 10.*\n  ProxyJump two\nHost two\n  ProxyJump one\n")
        target = Resolver(SshOptions()).resolve(NODE).target
        assert target.way == f"{USER}@one:22 > {USER}@two:22"

    def test_broken_file_is_named_with_its_line(self, config: Path) -> None:
        config.write_text("Host *\n  NoSuchOption yes\n")
        with pytest.raises(NodeError, match=rf"{config}.*line 2.*[Nn]osuchoption"):
            Resolver(SshOptions()).resolve(NODE)

    def test_missing_file_is_named(self) -> None:
        with pytest.raises(UsageError, match=r"No ssh config file /nowhere/x\. Check --ssh-config"):
            Resolver(SshOptions(config="/nowhere/x"))

    def test_user_flag_that_is_no_user(self) -> None:
        with pytest.raises(UsageError, match="Check --ssh-user"):
            Resolver(SshOptions(user="-oProxyCommand=id"))


class TestWithoutOpenssh:
    @pytest.fixture(autouse=True)
    def no_ssh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")

    def test_paramiko_reads_the_file(self, config: Path) -> None:
        config.write_text("Host 10.*\n  User ops\n  Port 2200\n  ProxyJump hop\n  IdentityFile ~/k\n")
        resolved = Resolver(SshOptions()).resolve(NODE)
        assert (resolved.target.login, resolved.target.way) == ("ops@10.173.32.23:2200", f"{USER}@hop:22")
        assert resolved.warnings == ()

    def test_include_and_match_are_warned_about(self, config: Path) -> None:
        config.write_text("Include more\nMatch host x\n  User y\n")
        (warning,) = Resolver(SshOptions()).resolve(NODE).warnings
        assert "include and match" in warning
        assert str(config) in warning
