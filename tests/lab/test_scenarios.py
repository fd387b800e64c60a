"""The scenarios, as their kernels tell it: the routes have the shapes that Calico gives them, and packets arrive."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.article import normalised
from tests.lab.lab import Lab
from tests.lab.needs import LabUnavailableError
from tests.lab.visits import Ping, follow

pytestmark = pytest.mark.lab

ROUTES = {
    "vxlan": (
        "worker-1",
        """
default via 10.50.0.1 dev eth0
10.50.0.0/24 dev eth0 proto kernel scope link src 10.50.0.11
10.244.34.0/26 via 10.244.34.0 dev vxlan.calico onlink mtu 1450
10.244.133.128/26 via 10.244.133.132 dev vxlan.calico onlink mtu 1450
blackhole 10.244.226.64/26 proto 80
10.244.226.65 dev calicd8cbfb5c04 scope link metric 1024
10.244.226.66 dev calid4de4c1abea scope link metric 1024
10.244.226.70 via 10.244.133.132 dev vxlan.calico onlink mtu 1450
""",
    ),
    "crosssubnet": (
        "rack1-node1",
        """
default via 10.60.1.1 dev eth0
10.60.1.0/24 dev eth0 proto kernel scope link src 10.60.1.11
blackhole 10.244.11.0/26 proto 80
10.244.11.5 dev calicd8cbfb5c04 scope link
10.244.11.6 dev calid4de4c1abea scope link
10.244.12.0/26 via 10.60.1.12 dev eth0 proto 80 onlink
10.244.21.0/26 via 10.244.21.0 dev vxlan.calico onlink mtu 1450
""",
    ),
    "router": (
        "rack2-node1",
        """
default via 10.62.2.1 dev eth0
10.62.2.0/24 dev eth0 proto kernel scope link src 10.62.2.11
10.244.11.0/26 via 10.62.2.1 dev eth0 proto bird
10.244.12.0/26 via 10.62.2.1 dev eth0 proto bird
blackhole 10.244.21.0/26 proto bird
10.244.21.8 dev cali922c8d6dcb2 scope link
10.244.21.9 dev calia8f59f5f67c scope link
""",
    ),
    "ecmp": (
        "rack1-node1",
        """
default via 10.63.1.1 dev eth0
10.63.1.0/24 dev eth0 proto kernel scope link src 10.63.1.11
10.64.1.0/24 dev eth1 proto kernel scope link src 10.64.1.11
blackhole 10.244.11.0/26 proto bird
10.244.11.5 dev calicd8cbfb5c04 scope link
10.244.11.6 dev calid4de4c1abea scope link
10.244.21.0/26 proto bird
	nexthop via 10.63.1.1 dev eth0 weight 1
	nexthop via 10.64.1.1 dev eth1 weight 1
""",
    ),
    "dualstack": (
        "worker-1",
        """
default via fd00:65::1 dev eth0 metric 1024 pref medium
fd00:10:244:6807::40/122 via fd00:65::12 dev eth0 proto bird metric 1024 pref medium
fd00:10:244:a685::5 dev calicd8cbfb5c04 metric 1024 pref medium
fd00:10:244:a685::6 dev calid4de4c1abea metric 1024 pref medium
blackhole fd00:10:244:a685::/122 dev lo proto bird metric 1024 pref medium
fd00:65::/64 dev eth0 proto kernel metric 256 pref medium
fe80::/64 dev calicd8cbfb5c04 proto kernel metric 256 pref medium
fe80::/64 dev calid4de4c1abea proto kernel metric 256 pref medium
fe80::/64 dev eth0 proto kernel metric 256 pref medium
""",
    ),
    "policyrouting": (
        "node-1",
        """
10.244.12.0/26 via 10.67.0.12 dev eth1
throw 10.244.11.0/26
throw 10.244.13.0/26
""",
    ),
}
"""For each scenario a node and the routes it has: of IPv6 for dualstack, of table 1 for policyrouting."""
OPTIONS = {"dualstack": ("-6", ""), "policyrouting": ("-4", "table 1")}


@pytest.fixture(scope="module", params=ROUTES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    try:
        found = Lab.up(request.param, f"pytest-r-{request.param}-{os.getpid()}", with_api=False)
    except LabUnavailableError as reason:
        pytest.skip(str(reason))
    with found:
        yield found


def test_the_routes_are_as_calico_writes_them(lab: Lab) -> None:
    name, routes = ROUTES[lab.spec.name]
    family, table = OPTIONS.get(lab.spec.name, ("-4", ""))
    assert normalised(lab.node(name).run(f"ip {family} route show {table}").stdout) == normalised(routes)


def test_the_largest_packet_of_a_pod_arrives_whole(lab: Lab) -> None:
    source, destination = (lab.pod(key) for key in lab.spec.pairs[0])
    payload = lab.spec.pod_mtu - 28
    assert "1 received" in source.run(f"ping -n -c 1 -W 5 -M do -s {payload} {destination.ip}").stdout
    assert source.run(f"ping -n -c 1 -W 5 -M do -s {payload + 1} {destination.ip}", check=False).returncode


def test_every_pod_reaches_the_next_and_keeps_its_address(lab: Lab) -> None:
    pods = [pod for node in lab.spec.nodes for pod in node.workloads]
    following = zip(pods, [*pods[1:], pods[0]], strict=True)
    pings = [Ping(one.key, ip) for one, other in following for ip in other.ips]
    for ping, visit in follow(lab, pings, warm=False).items():
        source = lab.pod(ping.source).spec
        assert visit.request[0].pod == ping.source
        assert visit.request[-1].headers[-1] in [(ip, ping.destination) for ip in source.ips], ping


def test_beyond_the_pools_a_pod_has_its_nodes_address(lab: Lab) -> None:
    node = lab.spec.nodes[-1]
    pod = node.workloads[0]
    ping = Ping(pod.key, lab.spec.client)
    visit = follow(lab, [ping])[ping]
    leaving = [one for one in visit.request if one.machine == node.name][-1]
    assert (leaving.device, leaving.headers) == ("eth0", ((node.address, lab.spec.client),))
    assert visit.reply[-1].pod == pod.key
    assert visit.reply[-1].headers == ((lab.spec.client, pod.ip),)
