"""Proof by packet: what to send and where to look, what was captured, and what that says of a computed path.

Pure: it knows no node, transport or screen. The order of use is `plan`, `capture` and `counting`, `analysis`.
"""
