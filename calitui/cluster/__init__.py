"""The inventory from the Kubernetes API: connect, list, watch, Calico's own objects; ends in `calitui.facts`."""

from calitui.cluster.api import Api
from calitui.cluster.feed import follow
from calitui.cluster.reading import read
from calitui.cluster.refusal import ApiError
from calitui.cluster.rights import Identity, Right, rights, whoami

__all__ = ["Api", "ApiError", "Identity", "Right", "follow", "read", "rights", "whoami"]
