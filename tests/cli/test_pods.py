"""`calitui pods`: columns like kubectl's, selection, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from calitui.cli.pods import age, table
from calitui.facts.cluster import Pod
from calitui.facts.missing import Missing
from tests.cli.conftest import recorded, save
from tests.cli.running import run


def test_text(ipip: str, home: Path) -> None:
    ran = run("pods", "--from", ipip, home=home)
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[0].split() == ["NAMESPACE", "NAME", "IP", "NODE", "STATUS", "AGE"]
    assert lines[1].split()[:5] == ["huang1", "huangtest-69d9fddd97-2b8hr", "192.168.97.1", "k8s-calico2", "Running"]
    assert len({line.index(word) for line, word in zip(lines[1:4], ["192.", "192.", "192."], strict=True)}) == 1
    assert [line.split()[0] for line in lines[1:]] == sorted(line.split()[0] for line in lines[1:])


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("-n", "huang2"), ["hhh-6897d64fcd-kqsj4"]),
        (("-n", "huang2", "-A", "-l", "app=web"), ["web"]),
        (("-l", "app in (web,db),tier"), []),
        (("-l", "!app", "-n", "huang1"), ["huangtest-69d9fddd97-2b8hr", "huangtest-69d9fddd97-npwzw"]),
    ],
)
def test_selection(tmp_path: Path, home: Path, flags: tuple[str, ...], names: list[str]) -> None:
    facts = recorded()
    web = Pod("shop", "web", "k8s-calico1", ("192.168.0.9",), "Running", "Running", labels={"app": "web"})
    facts = replace(facts, cluster=replace(facts.cluster, pods=(*facts.cluster.pods, web)))
    ran = run("pods", *flags, "-o", "json", "--from", save(tmp_path / "x.json", facts), home=home)
    assert ran.code == 0
    assert [pod["name"] for pod in json.loads(ran.out)["pods"]] == names


def test_json_has_every_key(tmp_path: Path, home: Path) -> None:
    facts = recorded()
    pending = Pod("shop", "pending", phase="Pending", status="ContainerCreating", created=1529906400.0)
    cluster = replace(facts.cluster, pods=(pending,), missing=(Missing("IPPools", "forbidden"),))
    ran = run("pods", "-o", "json", "--from", save(tmp_path / "x.json", replace(facts, cluster=cluster)), home=home)
    data = json.loads(ran.out)
    assert data["schema"] == "calitui.pods/1"
    assert data["pods"] == [
        {
            "namespace": "shop",
            "name": "pending",
            "ip": None,
            "ips": [],
            "node": None,
            "status": "ContainerCreating",
            "phase": "Pending",
            "host_network": False,
            "created": "2018-06-25T06:00:00Z",
            "labels": {},
        }
    ]
    assert data["unread"] == [{"node": None, "what": "IPPools", "reason": "forbidden"}]
    assert ran.err == "not read: IPPools: forbidden\n"


def test_nothing_selected_is_said_and_no_failure(ipip: str, home: Path) -> None:
    ran = run("pods", "-n", "nowhere", "--from", ipip, home=home)
    assert (ran.code, ran.out, ran.err) == (0, "", "No such pods in namespace nowhere\n")


def test_a_bad_selector_is_usage(ipip: str, home: Path) -> None:
    ran = run("pods", "-l", "a in (", "--from", ipip, home=home)
    assert ran.code == 2
    assert "selector" in ran.err


def test_wide_and_unicode_stay_aligned() -> None:
    pods = [
        Pod(
            "a", "漢字", "n1", ("10.0.0.1", "fd00::1"), status="Running", labels={"b": "2", "a": "1"}, host_network=True
        ),
        Pod("a", "plain", "", (), phase="Pending"),
    ]
    lines = table(pods, 0.0, wide=True).splitlines()
    assert lines[0].split()[-4:] == ["NETWORK", "ALL", "IPS", "LABELS"]
    assert lines[1].endswith("host      10.0.0.1,fd00::1   a=1,b=2")
    assert lines[2].split() == ["a", "plain", "<none>", "<none>", "Pending", "<unknown>", "pod", "<none>", "<none>"]
    assert lines[1].index("10.0.0.1") + 2 == lines[2].index("<none>")


def test_escapes_of_pods_are_shown_not_obeyed() -> None:
    assert "\x1b" not in table([Pod("a", "\x1b[31m", labels={"\x1b": "\x07"})], 0.0, wide=True)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (600, "10m"),
        (3600 * 3 - 1, "179m"),
        (3600 * 3, "3h"),
        (3600 * 5 + 120, "5h2m"),
        (3600 * 8, "8h"),
        (3600 * 48, "2d"),
        (86400 * 4 + 3600 * 7, "4d7h"),
        (86400 * 8, "8d"),
        (86400 * 729, "729d"),
        (86400 * (365 * 2 + 11), "2y11d"),
        (86400 * 365 * 9, "9y"),
        (-1, "0s"),
        (-100, "<invalid>"),
    ],
)
def test_ages_are_kubectls(seconds: int, shown: str) -> None:
    assert age(1e9, 1e9 + seconds) == shown


def test_unknown_ages() -> None:
    assert age(None, 1e9) == "<unknown>"
    assert age(float("nan"), 1e9) == "<unknown>"
    assert age(float("-inf"), 1e9) == "<unknown>"
