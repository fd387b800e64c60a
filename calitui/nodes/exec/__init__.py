"""The way to a node through the calico-node pod that runs on it anyway: an exec of the one script, over the API server.

`reader.ExecReader` is the way in. It needs no login on the node and no privileged pod of our own, only the right to
exec. Nothing here knows routes or screens, nor how a kubeconfig is read: whoever opens a session hands over a factory
of API clients and the pods there are.
"""
