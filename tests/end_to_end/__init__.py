"""calitui as a user runs it, against real nodes: SSH, kernels, BIRD, a kube-apiserver."""
