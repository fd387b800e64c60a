"""Following a cluster through a real API server: pages, changes, restarts, forgotten versions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from calitui.cluster import Api, ApiError, follow
from calitui.facts.cluster import Freshness, Inventory
from tests.apiserver import ApiServer
from tests.apiserver.rbac import allowed
from tests.cluster.objects import node, pod

pytestmark = [pytest.mark.apiserver, pytest.mark.usefixtures("clean_cluster")]


class Following:
    """Inventories of a running `follow`, looked at until one is as expected."""

    def __init__(self, api: Api) -> None:
        self.stop = threading.Event()
        self._inventories = follow(api, self.stop)

    def until(self, expected: Callable[[Inventory], bool], seconds: float = 90) -> Inventory:
        """The first inventory that is as expected; a limit keeps a broken follow from hanging the test."""
        limit = threading.Timer(seconds, self.stop.set)
        limit.start()
        try:
            last = None
            for last in self._inventories:
                if expected(last):
                    return last
            raise AssertionError(f"never came, the last was {last}")
        finally:
            limit.cancel()

    def end(self) -> None:
        self.stop.set()
        self._inventories.close()


@pytest.fixture
def following(api: Api) -> Iterator[Following]:
    found = Following(api)
    yield found
    found.end()


def is_live(inventory: Inventory) -> bool:
    return inventory.freshness is Freshness.LIVE


def names(inventory: Inventory) -> list[str]:
    return [f"{each.namespace}/{each.name}" for each in inventory.cluster.pods]


def pod_lists(records: pytest.LogCaptureFixture) -> list[str]:
    """Requests for a page of pods so far."""
    lines = [record.getMessage() for record in records.records if record.name == "calitui.cluster.api"]
    return [line for line in lines if line.startswith("GET /api/v1/pods") and "watch" not in line]


def test_first_page_is_handed_over_before_the_second_is_asked_for(
    apiserver: ApiServer, following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    apiserver.copy_pod(pod("pages", "page-00000", "10.111.111.111"), 1200)
    caplog.set_level(logging.DEBUG, "calitui.cluster.api")
    first = following.until(lambda _: True)
    time.sleep(0.5)  # enough for a request that should not be there
    assert len(pod_lists(caplog)) == 1
    assert len(first.cluster.pods) == 500
    assert first.freshness is Freshness.LOADING
    whole = following.until(is_live)
    assert len(whole.cluster.pods) == 1200
    assert names(whole) == [f"pages/page-{number:05d}" for number in range(1200)]
    assert len(pod_lists(caplog)) == 2


def test_changes_arrive(apiserver: ApiServer, following: Following) -> None:
    apiserver.apply(pod("changes", "b"))
    assert names(following.until(is_live)) == ["changes/b"]
    apiserver.apply(pod("changes", "a"))
    apiserver.apply(node("node-a", "10.0.0.1"))
    both = following.until(lambda found: len(found.cluster.pods) == 2 and len(found.cluster.nodes) == 1)
    assert names(both) == ["changes/a", "changes/b"]
    apiserver.apply(pod("changes", "a", "10.0.0.9"))
    following.until(lambda found: found.cluster.pods[0].ips == ("10.0.0.9",))
    apiserver.delete(pod("changes", "b"))
    after = following.until(lambda found: len(found.cluster.pods) == 1)
    assert names(after) == ["changes/a"]
    assert after.freshness is Freshness.LIVE


def test_a_burst_is_few_inventories(apiserver: ApiServer, api: Api) -> None:
    apiserver.apply(pod("burst", "burst-00000", "10.111.111.111"))
    stop = threading.Event()
    yields = 0
    began = time.monotonic()
    for found in follow(api, stop):
        yields += 1
        if is_live(found) and len(found.cluster.pods) == 1:
            apiserver.copy_pod(pod("burst", "burst-00000", "10.111.111.111"), 800)
        if len(found.cluster.pods) == 800:
            stop.set()
    assert yields <= 2 + (time.monotonic() - began) / 0.25


def test_restart_of_the_server_is_stale_and_then_live_again(apiserver: ApiServer, following: Following) -> None:
    apiserver.apply(pod("restart", "before"))
    following.until(is_live)
    apiserver.down()
    try:
        stale = following.until(lambda found: found.freshness is Freshness.STALE)
        assert names(stale) == ["restart/before"]
        assert stale.since is not None
        assert apiserver.url in stale.reason
    finally:
        apiserver.up()
    apiserver.apply(pod("restart", "after"))
    live = following.until(lambda found: is_live(found) and len(found.cluster.pods) == 2)
    assert names(live) == ["restart/after", "restart/before"]
    assert live.since is None


def test_what_was_deleted_while_the_version_was_forgotten_is_gone(
    apiserver: ApiServer, following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "calitui.cluster.api")
    for name in ("kept", "lost"):
        apiserver.apply(pod("gone", name))
    following.until(is_live)
    before = len(pod_lists(caplog))
    apiserver.down()
    following.until(lambda found: found.freshness is Freshness.STALE)
    # While nobody watches, a pod goes and etcd forgets every older version: only a new list can tell.
    apiserver.etcd.delete_prefix("/registry/pods/gone/lost")
    apiserver.etcd.compact()
    apiserver.up()
    live = following.until(is_live)
    assert names(live) == ["gone/kept"]
    assert len(pod_lists(caplog)) > before


def test_forgotten_continue_token_starts_the_list_anew(apiserver: ApiServer, api: Api) -> None:
    apiserver.copy_pod(pod("token", "token-00000", "10.111.111.111"), 700)
    stop = threading.Event()
    sizes: list[int] = []
    for found in follow(api, stop):
        if not sizes:
            apiserver.apply(pod("token", "later"))
            apiserver.etcd.compact()
        sizes.append(len(found.cluster.pods))
        if is_live(found):
            stop.set()
    assert sizes[0] == 500
    assert sizes[-1] == 701


def test_server_that_hangs_is_noticed(
    apiserver: ApiServer, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calitui.cluster.following.WATCH_SECONDS", 1)
    monkeypatch.setattr("calitui.cluster.following.SILENCE_SECONDS", 3.0)
    apiserver.apply(pod("hang", "one"))
    following.until(is_live)
    with apiserver.frozen():
        stale = following.until(lambda found: found.freshness is Freshness.STALE)
    assert stale.reason == f"{apiserver.url} did not answer in time"
    assert names(following.until(is_live)) == ["hang/one"]


def test_stop_ends_a_blocked_read(apiserver: ApiServer, following: Following) -> None:
    apiserver.apply(pod("stop", "one"))
    following.until(is_live)
    with apiserver.frozen():
        following.end()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("follow-")]
    assert left == []


def test_stop_ends_the_wait_for_a_server_that_hangs(apiserver: ApiServer, api: Api) -> None:
    stop = threading.Event()
    with apiserver.frozen():
        timer = threading.Timer(0.5, stop.set)
        timer.start()
        assert list(follow(api, stop)) == []
        timer.join()


def test_nothing_readable_is_an_error(apiserver: ApiServer) -> None:
    with (
        Api(str(apiserver.kubeconfig_for("stranger"))) as stranger,
        pytest.raises(ApiError, match="Not allowed") as error,
    ):
        list(follow(stranger, threading.Event()))
    assert error.value.status == 403


def test_nodes_that_are_forbidden_cost_only_themselves(apiserver: ApiServer) -> None:
    apiserver.apply(pod("forbidden", "one"))
    with (
        allowed(apiserver, "stranger", ("", "pods", ["list", "watch"])),
        Api(str(apiserver.kubeconfig_for("stranger"))) as stranger,
    ):
        found = Following(stranger)
        live = found.until(is_live)
        found.end()
    assert names(live) == ["forbidden/one"]
    missing = {each.what: each.reason for each in live.cluster.missing}
    assert 'User "stranger" cannot list resource "nodes"' in missing["nodes"]


def test_own_namespace_is_followed_where_all_are_forbidden(apiserver: ApiServer) -> None:
    apiserver.apply(pod("mine", "one"))
    apiserver.apply(pod("theirs", "two"))
    with (
        allowed(apiserver, "stranger", ("", "pods", ["list", "watch"]), namespace="mine"),
        Api(str(apiserver.kubeconfig_for("stranger", namespace="mine"))) as stranger,
    ):
        found = Following(stranger)
        assert names(found.until(is_live)) == ["mine/one"]
        apiserver.apply(pod("mine", "three"))
        live = found.until(lambda each: len(each.cluster.pods) == 2)
        found.end()
    assert names(live) == ["mine/one", "mine/three"]
    assert "pods of other namespaces" in {each.what for each in live.cluster.missing}
