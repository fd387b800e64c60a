"""Faults of cards, tunnels and the kernel's settings around them."""
