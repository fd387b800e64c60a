"""The way to the node that calitui runs on: its kernel asked over netlink, container namespaces entered when root.

`LocalReader` is the way in, `is_this_node` says whether it may be taken. Importing this imports no pyroute2, which is
there on Linux only.
"""

from calitui.nodes.local.machine import is_this_node
from calitui.nodes.local.reader import LocalReader

__all__ = ["LocalReader", "is_this_node"]
