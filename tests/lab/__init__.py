"""A lab: Calico clusters built for real in network namespaces, those of the article that calitui answers first.

`python -m tests.lab up ipip` builds one for a person, `Lab.up("ipip")` for a test. Nodes are network, mount, PID and
host name namespaces with BIRD, sshd and pods in them; nothing of a lab is reachable from outside or reaches out.
"""

from tests.lab.lab import Lab
from tests.lab.needs import LabError, LabUnavailableError
from tests.lab.node import Node, Pod

__all__ = ["Lab", "LabError", "LabUnavailableError", "Node", "Pod"]
