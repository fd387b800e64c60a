"""The inventory from the Kubernetes API: connect, list, watch, Calico's own objects; ends in `calitui.facts`."""
