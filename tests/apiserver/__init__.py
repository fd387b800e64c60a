"""A real kube-apiserver with a real etcd, for tests that must not believe a fake.

Found by the envtest convention (`KUBEBUILDER_ASSETS` names a directory with `kube-apiserver` and `etcd`);
`.ci/build-kube-apiserver` makes such a directory. No kubelet and no controllers run: a pod is what a test writes.
"""

from tests.apiserver.server import USERS, ApiServer, Assets, assets, why_not

__all__ = ["USERS", "ApiServer", "Assets", "assets", "why_not"]
