"""calitui: the real path of a packet between two Kubernetes pods on a Calico network.

The data flow is the folder tree: `cluster` and `nodes` read, `facts` holds what was read, `trace` computes the path
from facts alone, `report` and `tui` show it, and `session` ties them together for both front ends.
"""

__version__ = "0.1.0"
