"""Findings on screen: a line each, and everything about one. The same for a trace and for an audit."""
