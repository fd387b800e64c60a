"""Sessions: where facts come from and which way into a node is taken."""
