"""The walkthrough as pure slides, and its texts."""
