"""What the article shows of node k8s-calico2, copied from it: the lab is right when its kernels say the same."""

from __future__ import annotations

ROUTES = {
    "bgp": """
192.168.97.2 dev calic285cddbb40 scope link
blackhole 192.168.97.0/26 proto bird
192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird
192.168.211.0/26 via 10.173.32.25 dev eth0 proto bird
""",
    "ipip": """
192.168.97.1 dev cali3683f65394b scope link
blackhole 192.168.97.0/26 proto bird
192.168.110.64/26 via 10.173.32.24 dev tunl0 proto bird onlink
192.168.210.64/26 via 10.173.32.25 dev tunl0 proto bird onlink
192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink
""",
}
"""Routes on k8s-calico2, without those of the underlay, which the article leaves out."""


def normalised(routes: str) -> list[str]:
    """Route lines in one order, with single spaces."""
    return sorted(" ".join(line.split()) for line in routes.splitlines() if line.strip())
