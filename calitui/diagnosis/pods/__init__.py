"""Faults between a pod and its node: veth, route, the inside of the container."""
