"""Runs calitui with a live session that a test made up: argv is what to pretend, then calitui's own arguments.

`ok`, `lost` and `slow` prove (the last one until it is stopped), `refused` can't. What was sent is told on stderr.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from calitui.errors import Cancelled
from calitui.facts.cluster import Cluster
from calitui.facts.snapshot import Snapshot
from calitui.proof.plan import plan
from calitui.session import CannotProve, Options, Progress, ProgressSink, ProofPlan, ProofRequest
from calitui.session.recorded import RecordedSession
from calitui.trace.path import Trace
from tests.report import proofs
from tests.trace import seed


class Live(RecordedSession):
    """The article's cluster, answering as if it were there."""

    recorded = False

    def __init__(self, how: str) -> None:
        cluster: Cluster = seed.cluster("Always")
        super().__init__(Snapshot(cluster=cluster, nodes=seed.pair("ipip")), "stub")
        self.how = how

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        if self.how == "refused":
            return CannotProve(("nothing can be sent: needs root there\x1b[31m, try --sudo",))
        return plan(of, seed.pair("ipip"), seed.cluster("Always"), request, bytes(16))

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        print(f"SENT {request.count} {request.protocol} {request.port}", file=sys.stderr, flush=True)
        if self.how == "slow":
            progress(Progress("listening", "k8s-calico3"))
            stop.wait(30)
            print("ENDED", file=sys.stderr, flush=True)
            raise Cancelled
        return proofs.LOST if self.how == "lost" else proofs.DELIVERED

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        print(f"RECORDED {list(proofs)}", file=sys.stderr, flush=True)
        return self._snapshot


def main() -> None:
    """Run it."""
    from calitui.cli import main as run
    from calitui.cli import sessions

    how = sys.argv.pop(1)

    def opened(options: Options, prompts: object = None) -> Live:
        return Live(how)

    vars(sessions)["open_session"] = opened
    sys.argv[0] = "calitui"
    run()


if __name__ == "__main__":
    main()
