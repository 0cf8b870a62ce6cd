"""Landscapes against what is known of them in closed form, and against their definition."""

import numpy as np
import pytest

from evolora_mesa.alife.nk.breeding import mutated, shared, tournament
from evolora_mesa.alife.nk.landscape import Landscape, every_genome


def _by_definition(landscape: Landscape, genome: np.ndarray) -> float:
    n, k = landscape.sites, landscape.epistasis
    windows = [sum(int(genome[(i + j) % n]) << j for j in range(k + 1)) for i in range(n)]
    return float(np.mean([landscape.table[i, window] for i, window in enumerate(windows)]))


@pytest.mark.parametrize(("sites", "epistasis"), [(1, 0), (5, 0), (6, 2), (7, 6)])
def test_fitness_is_the_mean_of_the_windows_contributions(sites, epistasis):
    landscape = Landscape(sites, epistasis, np.random.default_rng(1))
    genomes = every_genome(sites)
    assert landscape.fitness(genomes) == pytest.approx([_by_definition(landscape, genome) for genome in genomes])


@pytest.mark.parametrize(("sites", "epistasis"), [(5, 0), (6, 2), (7, 6)])
def test_a_site_is_informative_when_its_flip_alone_lowers_fitness(sites, epistasis):
    landscape = Landscape(sites, epistasis, np.random.default_rng(2))
    genomes = every_genome(sites)
    fitness, informative = landscape.fitness(genomes), landscape.informative(genomes)
    for site in range(sites):
        flipped = genomes.copy()
        flipped[:, site] ^= 1
        assert (informative[:, site] == (landscape.fitness(flipped) < fitness)).all()


def test_without_epistasis_there_is_one_optimum_whose_mean_fitness_is_two_thirds():
    rng = np.random.default_rng(3)
    landscapes = [Landscape(8, 0, rng) for _ in range(400)]
    optima = [landscape.optima() for landscape in landscapes]
    assert {len(found) for found in optima} == {1}
    best = np.array([landscape.fitness(found)[0] for landscape, found in zip(landscapes, optima, strict=True)])
    assert best == pytest.approx([landscape.table.max(axis=1).mean() for landscape in landscapes])
    assert best.mean() == pytest.approx(2 / 3, abs=4 * np.sqrt(1 / 18 / 8 / 400))


def test_with_full_epistasis_there_are_two_to_the_n_over_n_plus_one_optima():
    rng = np.random.default_rng(4)
    counts = np.array([len(Landscape(8, 7, rng).optima()) for _ in range(300)])
    assert counts.mean() == pytest.approx(2**8 / 9, abs=4 * counts.std() / np.sqrt(300))


def test_an_optimum_has_informative_sites_only():
    landscape = Landscape(10, 4, np.random.default_rng(5))
    optima = landscape.optima()
    assert landscape.informative(optima).all()
    assert len(optima) == landscape.informative(every_genome(10)).all(axis=1).sum()


def test_the_fitter_half_wins_three_tournaments_of_two_in_four():
    winners = tournament(np.arange(10_000.0), 2, np.random.default_rng(6))
    assert (winners >= 5000).mean() == pytest.approx(0.75, abs=0.02)
    assert (tournament(np.arange(10_000.0), 1, np.random.default_rng(7)) >= 5000).mean() == pytest.approx(0.5, abs=0.02)


def test_a_crowd_shares_its_fitness_and_a_hermit_keeps_it():
    genomes = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]], np.uint8)
    assert shared(np.ones(4), genomes, threshold=2.0, alpha=1.0) == pytest.approx([1 / 2.5, 1 / 2.5, 1 / 2, 1.0])


def test_a_mutation_sets_a_random_bit_so_that_half_of_them_change_nothing():
    genomes = np.zeros((1000, 100), np.uint8)
    children = mutated(genomes, 0.2, np.random.default_rng(8))
    assert children.mean() == pytest.approx(0.1, abs=0.005)
    assert (mutated(genomes, 0.0, np.random.default_rng(8)) == genomes).all()
