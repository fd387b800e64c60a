"""The inventory from the Kubernetes API: connect, list, watch, Calico's own objects. Ends in `calitui.facts.cluster`."""
