"""Commands of a live proof on a node: captures that end with the connection, and a few probes.

Each way into a node implements `held.Prover` with a channel of its own. Nothing here knows what is to be proved.
"""
