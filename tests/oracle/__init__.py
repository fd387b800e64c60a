"""The Linux kernel as the oracle of the route lookup.

Generated rules and routes are put into a network namespace of their own, its `ip` text is read by the project's parser,
and `ip route get` has to agree with the lookup in the facts. `python -m tests.oracle --help` tries more seeds.
"""
