"""The labs that calitui is pointed at."""

from tests.lab.plugin import bgp_lab, ipip_lab

__all__ = ["bgp_lab", "ipip_lab"]
