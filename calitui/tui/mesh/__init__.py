"""The screen of a whole cluster: which node can route to which, and what keeps it from that."""
