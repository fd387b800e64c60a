"""A trace told step by step: where the packet is, what its headers were and are, what is done to it and why.

Pure: a trace in, slides out. It must not know screens, sessions or readers, and it holds no sentence: those stand in
`texts`, one file per language, so that a translation stands beside the original.
"""
