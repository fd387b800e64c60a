"""The first screen: which cluster this is, its pods, and the two that are asked about."""
