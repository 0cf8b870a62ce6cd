"""The virtual CPU: single genomes do what Avida's test processor does, instruction by instruction."""

import numpy as np
import pytest

from evolora_mesa.alife.digital_organisms.chance import below, draw, seeded, uniform
from evolora_mesa.alife.digital_organisms.division import grant, mutate
from evolora_mesa.alife.digital_organisms.genome import INSTRUCTIONS, LONGEST, ancestor, letters, numbers
from evolora_mesa.alife.digital_organisms.gestation import gestation, informative_sites, task_names
from evolora_mesa.alife.digital_organisms.hardware import execute
from evolora_mesa.alife.digital_organisms.layout import (
    AX,
    BX,
    CX,
    FLOW,
    INPUT,
    IP,
    LABEL,
    LENGTH,
    OUTPUT,
    READ,
    SIZE,
    WRITE,
    empty,
)
from evolora_mesa.alife.digital_organisms.programs import NOT_GENOME, program
from evolora_mesa.alife.digital_organisms.tasks import TASK_OF_TABLE, TASKS, TOP_BYTES, judge
from evolora_mesa.errors import ConfigError


def _run(code: str, steps: int, **state: int) -> np.ndarray:
    """The CPU after ``steps`` instructions of ``code``, with registers and heads set beforehand."""
    organisms = empty(1)
    sites = numbers(code.ljust(8, "c"))
    organisms.memory[0, : len(sites)] = sites
    cpu = organisms.cpu[0]
    cpu[SIZE] = cpu[LENGTH] = len(sites)
    cpu[LABEL] = 1
    cpu[INPUT : INPUT + 3] = (101, 102, 103)
    places = {"ax": AX, "bx": BX, "cx": CX, "flow": FLOW, "read": READ, "write": WRITE}
    for name, value in state.items():
        cpu[places[name]] = value
    for _ in range(steps):
        execute(organisms.cpu, organisms.memory, organisms.marks, organisms.stacks, 0, 0.0, seeded(0))
    return cpu


@pytest.mark.parametrize(
    ("genome", "time", "executed", "merit", "fitness"),
    [
        (ancestor(100), 389, 97, 97, 0.249357),
        (ancestor(50), 189, 47, 47, 0.248677),
        (NOT_GENOME, 387, 97, 194, 194 / 387),
    ],
    ids=["ancestor of 100", "ancestor of 50", "NOT genome"],
)
def test_known_genomes_have_exactly_the_gestation_of_avida(genome, time, executed, merit, fitness):
    life = gestation(genome)
    assert (life.time, life.executed, life.merit) == (time, executed, merit)
    assert life.fitness == pytest.approx(fitness, abs=5e-7)
    assert life.child == genome


@pytest.mark.parametrize("task", TASKS)
def test_a_hand_written_program_solves_its_task_and_no_other_and_still_copies_itself(task):
    genome = program(task)
    life = gestation(genome)
    assert task_names(life.tasks) == [task]
    assert life.merit == 97 * 2.0 ** (1, 1, 2, 2, 3, 3, 4, 4, 5)[TASKS.index(task)]
    assert life.child == genome


def test_a_program_that_never_divides_is_sterile():
    assert gestation("c" * 50).fitness == 0.0
    assert gestation(ancestor().replace("x", "c")).time == 0


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        ("s", {"bx": 5, "cx": 3}, (0, 8, 3)),
        ("sa", {"bx": 5, "cx": 3}, (8, 5, 3)),
        ("tc", {"bx": 5, "cx": 7}, (0, 5, -2)),
        ("u", {"bx": 0b1100, "cx": 0b1010}, (0, ~0b1000, 0b1010)),
        ("k", {"bx": -5}, (0, -3, 0)),
        ("l", {"bx": 0x40000001}, (0, -0x7FFFFFFE, 0)),
        ("m", {"bx": 0x7FFFFFFF}, (0, -0x80000000, 0)),
        ("na", {"ax": -0x80000000}, (0x7FFFFFFF, 0, 0)),
        ("rb", {"bx": 1, "cx": 2}, (0, 2, 1)),
        ("rc", {"cx": 1, "ax": 2}, (1, 0, 2)),
        ("y", {"bx": 9}, (0, 101, 0)),
    ],
)
def test_arithmetic_is_of_32_bits_and_a_nop_names_the_register(code, before, after):
    cpu = _run(code + "z", 1, **before)
    assert (cpu[AX], cpu[BX], cpu[CX]) == after
    assert cpu[IP] == len(code)


def test_comparisons_skip_the_next_instruction_when_they_fail():
    assert _run("dzzzzzzz", 1, bx=1, cx=1)[IP] == 2 and _run("dzzzzzzz", 1, bx=1, cx=2)[IP] == 1
    assert _run("ezzzzzzz", 1, bx=1, cx=1)[IP] == 2 and _run("ezzzzzzz", 1, bx=1, cx=2)[IP] == 1
    assert _run("eczzzzzz", 1, cx=1, ax=2)[IP] == 2  # C is compared with A, the next one


def test_stacks_hold_ten_numbers_and_are_two():
    assert _run("oampz", 3, bx=7, ax=3)[BX] == 3  # push A, inc B, pop B
    assert _run("oqpz", 3, bx=7)[BX] == 0  # the other stack is empty
    twelve = "om" * 12 + "p" * 11
    assert (
        _run(twelve, 34, bx=1)[BX] == 3 and _run(twelve + "pz", 35, bx=1)[BX] == 0
    )  # of 1 to 12 the first two are lost


def test_memory_is_allocated_once_and_is_twice_what_was_there():
    once, twice = _run("wwzz", 1), _run("wwzz", 2)
    assert once[SIZE] == twice[SIZE] == 24 and once[AX] == 8


def test_heads_go_where_the_flow_head_is_or_as_far_as_a_register_says():
    assert _run("gzzzzzzz", 1, flow=5)[IP] == 5
    assert _run("gczzzzzz", 1, flow=5)[WRITE] == 5
    assert _run("hbzzzzzz", 1, read=6, cx=4)[READ] == 2  # memory is a circle of 8
    assert _run("hbzzzzzz", 1, read=1, cx=-4)[READ] == 0  # and has a beginning
    assert _run("ibzzzzzz", 1, read=6)[CX] == 6
    assert _run("jbzzzzzz", 1, bx=11)[FLOW] == 3


def test_a_search_puts_the_flow_head_behind_the_first_complement():
    cpu = _run("zabvbcvv", 1)  # a b has the complement b c
    assert (cpu[FLOW], cpu[CX], cpu[BX]) == (6, 2, 3)
    cpu = _run("zaavvvvv", 1)  # nowhere
    assert (cpu[FLOW], cpu[CX], cpu[BX]) == (3, 2, 0)
    assert _run("zvvvvvvv", 1)[FLOW] == 1


def test_an_output_is_judged_by_what_the_organism_had_read_before_it():
    first, second, third = (top << 24 | 0x00ABCDEF for top in TOP_BYTES)
    for known, output, task in [
        (1, ~first, "NOT"),
        (0, ~first, None),
        (3, ~third, "NOT"),
        (2, first & second, "AND"),
        (3, second | ~third, "ORN"),
        (3, ~(first ^ third), "EQU"),
        (3, first, None),
        (3, first & second & third, None),
        (3, first + second, None),
    ]:
        found = judge(output, first, second, third, known, TASK_OF_TABLE)
        assert (TASKS[found] if found >= 0 else None) == task


def test_33_of_the_256_functions_of_three_inputs_are_tasks():
    counts = np.bincount(TASK_OF_TABLE[TASK_OF_TABLE >= 0]).tolist()
    assert dict(zip(TASKS, counts, strict=True)) == {
        "NOT": 3, "NAND": 3, "AND": 3, "ORN": 6, "OR": 3, "ANDN": 6, "NOR": 3, "XOR": 3, "EQU": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("begins", "ends", "executed", "copied", "granted"),
    [
        (100, 200, 50, 50, 50),
        (100, 200, 49, 100, -1),
        (100, 200, 100, 49, -1),
        (100, 149, 100, 49, -1),  # a child below half
        (49, 149, 49, 100, -1),  # a parent below half
        (50, 250, 50, 200, 200),
        (50, 251, 50, 201, -1),  # a child above twice
        (100, 0, 100, 100, 100),  # a write head at the beginning has come round to the end
    ],
)
def test_a_division_needs_halves_and_is_refused_otherwise(begins, ends, executed, copied, granted):
    organisms = empty(1)
    cpu = organisms.cpu[0]
    cpu[LENGTH], cpu[SIZE], cpu[READ], cpu[WRITE] = 100, 300 if ends else 200, begins, ends
    organisms.marks[0, :executed] = 1
    organisms.marks[0, begins : begins + copied] |= 2
    assert grant(organisms.cpu, organisms.marks, 0) == granted


def test_mutations_insert_and_delete_one_site_at_a_time():
    child, chance = np.zeros(LONGEST, np.int8), seeded(1)
    child[:20] = numbers(ancestor(20))
    assert mutate(child, 20, 2.0**32, 0.0, chance) == 21
    assert mutate(child, 21, 0.0, 2.0**32, chance) == 20
    assert mutate(child, 8, 0.0, 2.0**32, chance) == 8
    assert mutate(child, 20, 0.0, 0.0, chance) == 20


def test_most_sites_of_the_ancestor_are_filling_and_a_task_makes_more_of_them_count():
    assert informative_sites(ancestor()) == 15
    assert informative_sites(program("EQU")) > informative_sites(program("NOT")) > 15


def test_random_numbers_are_even_and_repeat_with_their_seed():
    chance = seeded(3)
    drawn = [uniform(chance) for _ in range(4000)]
    assert abs(np.mean(drawn) - 0.5) < 0.02 and min(drawn) >= 0 and max(drawn) < 1
    counts = np.bincount([below(chance, 26) for _ in range(5200)], minlength=26)
    assert counts.min() > 140 and counts.max() < 260 and len(counts) == len(INSTRUCTIONS)
    again, other = seeded(3), seeded(4)
    first = draw(seeded(3))
    assert draw(again) == first != draw(other)


def test_genomes_are_letters_and_bad_ones_are_refused():
    assert letters(numbers("wzcagcvfx")) == "wzcagcvfx"
    for genome in ("abc", "ABCDEFGHIJ", "a" * 2000, "abcdefg1"):
        with pytest.raises(ConfigError):
            numbers(genome)
    with pytest.raises(ConfigError):
        ancestor(10)


def test_the_output_register_is_what_was_put_out():
    assert _run("ycz", 1, cx=77)[OUTPUT] == 77
