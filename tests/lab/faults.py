"""Every way a lab is broken, as data: what is done to nodes and API objects, and the cause that calitui has to name."""

from __future__ import annotations

from tests.lab.breaking import Fault
from tests.lab.faults_bgp import BGP_FAULTS
from tests.lab.faults_ipip import IPIP_FAULTS
from tests.lab.faults_nodes import NODE_FAULTS
from tests.lab.faults_objects import OBJECT_FAULTS
from tests.lab.faults_others import OTHER_FAULTS
from tests.lab.faults_vxlan import VXLAN_FAULTS

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*BGP_FAULTS, *NODE_FAULTS, *OBJECT_FAULTS, *VXLAN_FAULTS, *IPIP_FAULTS, *OTHER_FAULTS)
}
"""By name."""
