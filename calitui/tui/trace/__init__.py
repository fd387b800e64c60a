"""The screen of one path: what happens to the packet at every hop, both ways."""
