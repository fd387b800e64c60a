"""Faults of BIRD and its BGP sessions."""
