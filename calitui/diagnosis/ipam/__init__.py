"""Faults of pools, blocks and the addresses that pods have of them."""
