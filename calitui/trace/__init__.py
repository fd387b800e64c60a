"""Facts in, path out: lookup, walk, encapsulation, and the way back. Pure; no I/O, no transport, no screen."""
