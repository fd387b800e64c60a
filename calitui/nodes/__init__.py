"""Readers of one node, each for its own transport; whatever the transport, they end in `calitui.facts.node`."""
