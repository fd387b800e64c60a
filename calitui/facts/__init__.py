"""What is known about a cluster and its nodes: frozen structs, no I/O.

Every reader ends in these structs and everything after the readers starts from them, so a saved snapshot of them can
replay any trace. Nothing here may import another part of calitui.
"""
