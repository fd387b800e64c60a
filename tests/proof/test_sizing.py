"""Which sizes are tried, what they say, and what becomes of a small link on the way."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.proof import Proof, Sighting, SizeProbe
from calitui.proof.sizing import MOST_SIZES, SizeQuestion, bounds, next_size
from calitui.trace.finding import Spot
from calitui.trace.path import Step
from tests.proof.scenes import A, codes, healthy, hop, proved
from tests.trace import seed

ASKED = SizeQuestion(sends=1440, carries=1440, overhead=20)


def tried(asked: SizeQuestion, real: int, said: str = "") -> list[SizeProbe]:
    results: list[SizeProbe] = []
    while (size := next_size(asked, results)) is not None:
        results.append(SizeProbe(size, size <= real, "" if size <= real else said))
        assert len(results) <= MOST_SIZES
    return results


def test_what_was_computed_is_tried_first_and_is_enough_where_the_source_sends_no_more() -> None:
    assert [one.size for one in tried(ASKED, 9000)] == [1440]


def test_one_byte_more_than_computed_is_tried_where_the_source_sends_more() -> None:
    assert [one.size for one in tried(SizeQuestion(sends=1500, carries=1480), 1480)] == [1480, 1481]


@pytest.mark.parametrize("real", [1400, 1380, 1330, 1300, 1280, 1260])
def test_the_mtu_of_a_common_link_is_found_to_the_byte(real: int) -> None:
    assert bounds(tried(ASKED, real)) == (real, real + 1)


def test_an_answer_that_names_the_mtu_is_believed_and_proved() -> None:
    found = tried(ASKED, 1337, "local error: message too long, mtu=1337")
    assert [one.size for one in found] == [1440, 1337, 1338]


def test_nothing_that_passes_at_all_is_given_up() -> None:
    assert len(tried(ASKED, 100)) <= 4


@given(
    real=st.integers(0, 9100),
    sends=st.integers(576, 9000),
    carries=st.one_of(st.none(), st.integers(576, 9000)),
    overhead=st.sampled_from([0, 20, 50, 70]),
    hint=st.one_of(st.just(""), st.integers(0, 99999).map(lambda mtu: f"mtu={mtu}")),
)
def test_every_path_ends_and_no_size_is_tried_twice(
    real: int, sends: int, carries: int | None, overhead: int, hint: str
) -> None:
    asked = SizeQuestion(sends=sends, carries=None if carries is None else min(carries, sends), overhead=overhead)
    sizes = [one.size for one in tried(asked, real, hint)]
    assert len(set(sizes)) == len(sizes)
    assert all(asked.floor <= size <= sends + 1 for size in sizes)


# what they say of a path


def sized(*results: tuple[int, bool, str], seen: tuple[Sighting, ...] = ()) -> list[str]:
    trace = seed.run("ipip")
    return codes(proved(trace, _with(healthy(trace), *results, seen=seen)))


def _with(proof: Proof, *results: tuple[int, bool, str], seen: tuple[Sighting, ...] = ()) -> Proof:
    sizes = tuple(SizeProbe(*one) for one in results)
    return msgspec.structs.replace(proof, sizes=sizes, sightings=(*proof.sightings, *seen))


def test_as_computed_is_no_finding_but_a_note() -> None:
    trace = seed.run("ipip")
    found = proved(trace, _with(healthy(trace), (1440, True, "")))
    assert codes(found) == []
    assert found.notes[-1] == "The largest packet that passed has 1440 bytes; 1440 bytes were computed."


def test_larger_packets_that_vanish_silently() -> None:
    trace = seed.run("ipip")
    large = msgspec.structs.replace(
        next(one for one in healthy(trace).sightings if one.device == "eth0" and one.container is None), size=1381
    )
    found = proved(
        trace, _with(healthy(trace), (1440, False, "no answer"), (1380, True, ""), (1381, False, ""), seen=(large,))
    )
    assert codes(found) == ["fragmentation-needed-no-icmp"]
    (one,) = found.findings
    assert one.summary == (
        "Packets of 1380 bytes pass, 1440 would by the devices' MTUs; those of 1381 bytes are lost and nobody says so: "
        "no ICMP error came back."
    )
    assert one.hops == (Spot("forward", hop(found.forward, Step.NIC_OUT).number),)
    assert found.notes[-1] == "The largest packet that passed has 1380 bytes, 1381 do not; 1440 bytes were computed."


def test_a_smaller_path_that_answers() -> None:
    assert sized((1440, False, "From 10.1.1.1 Frag needed and DF set (mtu = 1380)"), (1380, True, "")) == [
        "path-mtu-smaller"
    ]
    header = healthy(seed.run("ipip")).sightings[0].headers
    error = Sighting(A, "eth0", 1.0, "error", header, detail="fragmentation needed, MTU 1400", size=0)
    assert sized((1440, False, "no answer"), (1380, True, ""), seen=(error,)) == ["path-mtu-smaller"]


def test_sizes_that_never_pass_say_nothing_but_a_note() -> None:
    assert sized((1440, False, ""), (576, False, "")) == []


def test_sizes_say_nothing_where_the_probes_themselves_are_lost() -> None:
    trace = seed.run("ipip")
    proof = _with(healthy(trace), (1440, False, ""), (576, True, ""))
    probe = msgspec.structs.replace(proof.probe, answered=0)
    proof = msgspec.structs.replace(proof, probe=probe, sightings=(), watches=())
    assert codes(proved(trace, proof)) == []
