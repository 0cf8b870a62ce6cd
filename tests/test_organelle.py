"""An organelle's number is its world's, and the worlds are let go."""

from __future__ import annotations

import gc
import weakref

import mesa
from world_fixtures import live, lively_world, tiny_world

from evolora_mesa.host import HostService


def test_organelles_are_numbered_from_one_in_every_world(petri: HostService) -> None:
    first, second = tiny_world(petri), tiny_world(petri)
    for model in (first, second, tiny_world(petri)):
        assert [organelle.unique_id for organelle in model.organelles()] == [1, 2, 3, 4]


def test_a_number_is_never_given_twice_even_beside_another_world(petri: HostService) -> None:
    worlds = [lively_world(petri), lively_world(petri)]
    seen: list[set[int]] = [set(), set()]
    for _ in range(8):
        for model, numbers in zip(worlds, seen, strict=True):
            model.step()
            born = {organelle.unique_id for organelle in model.organelles() if organelle.born == model.tick}
            assert not born & numbers
            numbers |= {organelle.unique_id for organelle in model.organelles()}
    assert seen[0] == seen[1]
    assert max(seen[0]) > 4


def test_worlds_that_nobody_holds_are_freed(petri: HostService) -> None:
    """Mesa 3.3 keeps a table of all models for ever; a sweep would hold the adapters of every world it ran."""
    known = len(getattr(mesa.Agent, "_ids", ()))
    gone = []
    for seed in range(5):
        model = live(tiny_world(petri, rng=seed), 2)
        gone += [weakref.ref(model), weakref.ref(model.bank), weakref.ref(model.organelles()[0])]
    del model
    gc.collect()
    assert [reference() for reference in gone] == [None] * 15
    assert len(getattr(mesa.Agent, "_ids", ())) == known
