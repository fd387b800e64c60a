"""Recorded clusters, written by `calitui record` in a lab; never edited by hand."""
