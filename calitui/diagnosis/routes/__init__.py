"""Faults of the routes between nodes: what is expected against what the kernels have."""
