"""Faults of nodes' addresses: the wrong card, a wrong mask, one address twice."""
