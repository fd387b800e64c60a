"""Whatever the facts say, the checks of devices and settings say something or nothing, and never fail."""

from __future__ import annotations

from hypothesis import Phase, given, settings

from calitui.diagnosis.devices import (
    forwarding,
    host_services,
    mtu,
    nics,
    reverse_path,
    tunnel_traffic,
    tunnels,
    vxlan,
    wireguard,
)
from calitui.diagnosis.pods import containers
from calitui.diagnosis.scene import Scene
from calitui.trace.finding import Finding
from tests.diagnosis import scenes

MODULES = (tunnels, vxlan, wireguard, nics, forwarding, reverse_path, containers, mtu, tunnel_traffic, host_services)


@settings(max_examples=80, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(scenes.GARBAGE)
def test_garbage_never_raises(scene: Scene) -> None:
    codes = {entry.code for module in MODULES for entry in module.ENTRIES}
    for module in MODULES:
        for check in module.CHECKS:
            for said in check(scene):
                assert said.code in codes
                assert not isinstance(said, Finding) or (said.summary and said.evidence and said.fix)
