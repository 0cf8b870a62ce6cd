"""World files: what is read is what was meant, and every mistake is one line that helps."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evolora_mesa.config import FAMILIES, STYLES, HostConfig, WorldConfig
from evolora_mesa.configfile import dump_config, find_config, load_config, schema_rows, shipped_configs
from evolora_mesa.errors import ConfigError
from evolora_mesa.tasks import SHIPPED
from evolora_mesa.tasks import STYLES as TASK_STYLES


@pytest.fixture
def world_file(tmp_path, monkeypatch):
    """Writes a YAML file into the working directory and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes, name: str = "world.yaml") -> str:
        data = content if isinstance(content, bytes) else content.encode()
        Path(name).write_bytes(data)
        return name

    return write


def one_line_of(excinfo: pytest.ExceptionInfo[ConfigError]) -> str:
    line = str(excinfo.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 600
    line.encode()  # can be printed
    if hint := re.search(r"got ('[^']*')\. Did you mean ('[^']*')", line):
        assert hint[1] != hint[2]
    return line


# -------------------------------------------------------------------------------------------- what is shipped


def test_ecology_spells_out_every_setting_with_its_default():
    assert load_config("ecology") == WorldConfig()
    written = yaml.safe_load(find_config("ecology").read_text(encoding="utf-8"))
    known = {row.name for row in schema_rows()}
    assert sorted(names_in(written, known)) == sorted(known)


def names_in(tree: dict, known: set[str], above: str = "") -> list[str]:
    """Dotted names of what a file sets; a table of no known name is a section."""
    names = []
    for key, value in tree.items():
        inside = isinstance(value, dict) and above + key not in known
        names += names_in(value, known, f"{above}{key}.") if inside else [above + key]
    return names


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_every_shipped_config_loads_and_bears_its_own_name(name):
    assert load_config(name).name == name


def test_the_shipped_worlds_are_what_their_names_say():
    assert sorted(shipped_configs()) == [
        "board",
        "colonies",
        "ecology",
        "frozen",
        "neutral_shadow",
        "no_archive",
        "no_learning",
        "no_merge",
        "orchestrator",
        "policy",
        "random_host",
        "seasons",
        "shifting",
        "single",
        "smoke",
    ]
    ecology, frozen, single = load_config("ecology"), load_config("frozen"), load_config("single")
    for world in (frozen, single):
        assert (world.population.initial, world.population.maximum) == (1, 1)
        assert not world.reproduction.enabled
        assert world.economy.ticket == 0
        assert world.tasks == ecology.tasks
    per_generation = ecology.population.initial * ecology.population.episodes
    assert frozen.population.episodes == per_generation
    assert single.population.episodes * single.generations == per_generation * ecology.generations
    assert frozen.plasticity.rule == "none"
    assert single.plasticity.rule == ecology.plasticity.rule
    smoke = load_config("smoke")
    assert (smoke.population.initial, smoke.generations, smoke.tasks.depths) == (4, 3, 2)
    assert len(smoke.tasks.families) == 3
    control = load_config("random_host")
    assert control == load_config("ecology", {"name": "random_host", "host.random_weights": True})


def test_the_readme_of_the_configs_names_each_of_them():
    readme = (find_config("ecology").parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(([a-z_]+)\.yaml\)", readme)) == set(shipped_configs())


def test_families_and_styles_are_those_of_the_tasks_package():
    assert tuple(SHIPPED) == FAMILIES
    assert TASK_STYLES == STYLES


# ----------------------------------------------------------------------------------------------------- schema


def test_a_config_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        WorldConfig().economy.ticket = 1.0  # type: ignore[misc]


def test_every_setting_is_described_and_every_number_has_a_range():
    for row in schema_rows():
        assert len(row.description) > 5, row
        if "number" in row.type and not row.type.startswith(("list", "table")):
            assert re.search(r"in [\[(][\d.]+, [\d.]+[\])]$", row.description), row


def test_the_table_of_settings_gives_name_type_default_and_description():
    rows = {row.name: row for row in schema_rows()}
    assert rows["economy.ticket"][1:] == (
        "number",
        "1.0",
        "cost of being alive; energy per generation, in [0, 1000000]",
    )
    assert rows["plasticity.rule"].type.startswith("one of three_factor, reinforce")
    assert rows["tasks.styles"].default == "{}"


@pytest.mark.parametrize("value", [True, "3", 3.5, 3.0, None, np.nan])
def test_whole_numbers_are_strict(value):
    with pytest.raises(ValidationError):
        HostConfig(threads=value)


@pytest.mark.parametrize("value", [True, "1", float("nan"), float("inf"), None])
def test_numbers_are_strict_and_finite(value):
    with pytest.raises(ValidationError):
        HostConfig(temperature=value)


# ------------------------------------------------------------------------------------------------- round trip


BOUNDED = {  # ranges that overlap with the defaults of the settings that they depend on
    "host.temperature": (0.001, 10),
    "reproduction.floor": (2, 16),
    "reproduction.floor_low": (0.5, 4),
    "reproduction.floor_high": (16, 1000),
    "reproduction.strength": (0.005, 0.5),
    "reproduction.strength_low": (0.001, 0.005),
    "reproduction.strength_high": (0.5, 1),
    "gate.window": (24, 96),
    "gate.window_low": (1, 24),
    "gate.window_high": (96, 4096),
    "diversity.plateau_window": (8, 100),
    "archive.evidence": (1, 100),
    "society.colonies.size": (2, 4),
    "society.colonies.lessons": (8, 4096),
    "society.board.evidence": (2, 256),
    "society.knowledge.evidence": (2, 256),
    "record.memory": (8, 10_000),
    "plasticity.half_life": (1, 1000),
    "plasticity.perturbation": (0.0001, 10),
}


def _value_for(name: str, default: object) -> st.SearchStrategy[object]:
    """Any legal value, as far as a single setting can tell."""
    texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
    choices = {
        "host.device": ["auto", "cpu", "cuda", "cuda:1"],
        "host.dtype": ["float32", "bfloat16", "auto"],
        "plasticity.optimizer": ["adam", "sgd"],
        "plasticity.rule": ["three_factor", "reinforce", "hebbian", "none"],
        "economy.deaths": ["bankrupt", "random"],
        "population.roster": ["open", "fixed"],
        "forage.routing": ["learned", "uniform"],
        "reproduction.selection": ["energy", "tournament", "rank", "lexicase", "fitness_sharing", "random"],
        "reproduction.operator": ["svd", "ties", "slerp", "uniform", "task_aware"],
        "reproduction.mutations": [["svd"], ["rank", "toggle"], ["rotation", "gaussian"]],
        "society.colonies.modes": [["vote"], ["skill", "handoff"], ["confidence"]],
        "society.colonies.rival": ["member", "cell"],
        "society.board.form": ["opening", "example"],
        "society.knowledge.form": ["opening", "example"],
        "society.router.choice": ["thompson", "uniform"],
        "society.orchestrator.decomposition": ["learned", "given", "monolithic"],
        "society.orchestrator.credit": ["step", "end"],
        "record.episodes": ["all", "sample", "none"],
        "archive.cost_edges": [[], [3.0], [0.5, 7.25]],
        "seasons.schedule": [
            [],
            [{"at": 2, "shift": "contracts"}],
            [{"at": 3, "winter": {"inflow": 0.5, "until": 9}}, {"at": 9, "winter": {"inflow": 0.1, "until": 10}}],
        ],
    }
    if name in choices:
        return st.sampled_from(choices[name])
    if name in ("name", "host.path"):
        return texts | st.sampled_from(["1e3", "yes", "0x1f", "~", "null", "12:30", "- a", "#", " x ", "=", "<<"])
    if name == "adapter.sites":
        return st.lists(texts, min_size=1, max_size=3, unique=True)
    if name == "tasks.families":
        return st.lists(st.sampled_from(FAMILIES), min_size=1, unique=True)
    if isinstance(default, bool):
        return st.booleans()
    if name in ("population.initial", "population.minimum", "adapter.rank"):
        return st.integers(1, default)  # type: ignore[arg-type]
    if name in ("population.maximum", "population.episodes"):
        return st.integers(32, 256)
    if name in BOUNDED:
        low, high = BOUNDED[name]
        return st.integers(low, high) if isinstance(default, int) else st.floats(low, high)
    if name == "adapter.max_rank":
        return st.integers(4, 8)
    if isinstance(default, int):
        return st.integers(1, min(100, _largest(name)))
    if name in ("economy.price_low", "reproduction.cost"):
        return st.floats(0, 0.5)
    if name == "economy.price_high":
        return st.floats(1, 1e6)
    if name == "diversity.relief":
        return st.floats(1, 10)
    return st.floats(1e-300, 0.999, exclude_min=True)


def _largest(name: str) -> int:
    """What a whole number may be at most, as its description says."""
    description = next(row.description for row in schema_rows() if row.name == name)
    found = re.search(r" in [\[(][^,]+, (\d+)[\])]", description)
    return int(found[1]) if found else 100


@st.composite
def worlds(draw: st.DrawFn) -> WorldConfig:
    names = {row.name: yaml.safe_load(row.default) for row in schema_rows()}
    fixed = {
        "tasks.styles",
        "tasks.cell_styles",
        "tasks.user_families",
        "society.judge.likes",
        "society.skills.enabled",  # needs a rule of learning
        "society.judge.source",
    }
    chosen = draw(st.lists(st.sampled_from(sorted(names.keys() - fixed)), unique=True, max_size=12))
    world = load_config("ecology", {name: draw(_value_for(name, names[name]), label=name) for name in chosen})
    family = draw(st.sampled_from(world.tasks.families))
    style, depth = draw(st.sampled_from(STYLES)), world.tasks.depths
    return load_config(world, {f"tasks.styles.{family}": style, "tasks.cell_styles": {f"{family}:{depth}": style}})


@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_a_dumped_config_loads_to_an_equal_one(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("dumped") / "config.yaml"
    path.write_text(dump_config(world), encoding="utf-8")
    assert load_config(path) == world
    assert load_config(world) == world


# ---------------------------------------------------------------------------------------- reading and merging


def test_exponents_are_numbers_and_words_are_words(world_file):
    world = load_config(world_file("name: yes\neconomy:\n  ticket: 1e-3\n  inflow: 2E+1\n  endowment: 3\n"))
    assert (world.name, world.economy.ticket, world.economy.inflow, world.economy.endowment) == (
        "yes",
        0.001,
        20,
        3,
    )
    assert isinstance(world.economy.endowment, float)


@pytest.mark.parametrize("word", ["on", "off", "no", "2020-01-01", "0x1f", "0123", "1_000", "12:30:45", "=", "<<"])
def test_surprises_of_yaml_1_1_are_text(word, world_file):
    assert load_config(world_file(f"name: {word}\n")).name == word


def test_a_config_extends_others_over_several_levels(world_file):
    world_file("extends: smoke\ntasks: {depths: 3}\npopulation: {initial: 2}\n", "base.yaml")
    world = load_config(world_file("extends: base.yaml\npopulation: {maximum: 5}\ntasks: {families: [math]}\n"))
    assert (world.name, world.generations, world.tasks.depths) == ("smoke", 3, 3)
    assert (world.population.initial, world.population.maximum) == (2, 5)
    assert world.tasks.families == ("math",)


def test_a_path_to_extend_is_relative_to_the_file_that_extends_it(world_file):
    Path("inner").mkdir()
    world_file("extends: ../base.yaml\n", "inner/top.yaml")
    world_file("generations: 7\n", "base.yaml")
    assert load_config("inner/top.yaml").generations == 7


def test_tables_are_replaced_as_a_whole_but_an_override_sets_one_entry(world_file):
    world_file("tasks: {styles: {math: terse, word.count: work}}\n", "base.yaml")
    replaced = load_config(world_file("extends: base.yaml\ntasks: {styles: {math: quoted}}\n"))
    assert replaced.tasks.styles == {"math": "quoted"}
    world = load_config("base.yaml", ["tasks.styles.word.count=ticks", "tasks.cell_styles.math:2=work"])
    assert world.tasks.styles == {"math": "terse", "word.count": "ticks"}
    assert world.tasks.cell_styles == {"math:2": "work"}


def test_overrides_take_python_values_yaml_texts_and_whole_sections():
    assert load_config("ecology", {"economy.ticket": 1}).economy.ticket == 1.0
    assert load_config("ecology", {"economy.ticket": np.float64(0.25), "seed": np.int64(3)}).seed == 3
    assert load_config("ecology", {"economy": {"ticket": 0.1}}).economy.inflow == 1.2
    assert load_config("ecology", {"host.path": Path("a")}).host.path == "a"
    texts = ["economy.ticket=1e-3", "tasks.families=[math, logic]", "name=a=b", "seed=1", "seed=2"]
    world = load_config("ecology", texts)
    assert (world.economy.ticket, world.tasks.families, world.name, world.seed) == (
        0.001,
        ("math", "logic"),
        "a=b",
        2,
    )


def test_a_config_can_be_the_start_of_another():
    assert load_config(load_config("smoke"), {"seed": 5}) == load_config("smoke", ["seed=5"])


def test_a_byte_order_mark_of_utf_8_and_windows_line_ends_are_read(world_file):
    assert load_config(world_file(b"\xef\xbb\xbfname: \xc3\xbc\r\nseed: 4\r\n")).seed == 4


def test_user_families_may_have_styles_under_names_of_their_own(world_file):
    world = load_config(
        world_file('tasks: {families: [], user_families: ["my.module:Rhyme"], styles: {rhyme: terse}}\n')
    )
    assert world.tasks.styles == {"rhyme": "terse"}


# -------------------------------------------------------------------------------------------------- bad input

ALIAS_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

BAD_FILES: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown key": (
        "economy:\n  tiket: 1\n",
        ["world.yaml:2", "economy.tiket", "Did you mean 'economy.ticket'?"],
    ),
    "unknown section": ("econmy: {ticket: 1}\n", ["world.yaml:1", "Did you mean 'economy'?"]),
    "key in no section": ("ticket: 1\n", ["world.yaml:1", "Did you mean 'economy.ticket'?"]),
    "dotted key": ("economy.ticket: 1\n", ["Write 'ticket' on a line of its own, indented under 'economy:'"]),
    "misspelt extends": ("extend: ecology\n", ["Did you mean 'extends'?"]),
    "huge key": (f"{'k' * 5000}: 1\n", ["not valid YAML"]),
    "long key": (f"{'k' * 500}: 1\n", ["unknown setting", "…"]),
    "section is a number": ("economy: 3\n", ["world.yaml:1", "'economy' is a section", "got 3"]),
    "section is empty": ("economy:\n", ["section 'economy' is empty (world.yaml:1)"]),
    "no value": (
        "economy:\n  ticket:\n",
        ["'economy.ticket' has no value", "world.yaml:2", "number in [0, 1000000]"],
    ),
    "word for a number": ("economy:\n  ticket: cheap\n", ["world.yaml:2", "expected number", "got 'cheap'"]),
    "quoted number": ('seed: "3"\n', ["expected whole number", "got '3'"]),
    "bool for an int": ("seed: true\n", ["got True"]),
    "bool for a float": ("economy: {ticket: true}\n", ["got True"]),
    "yes is not a bool": ("reproduction: {enabled: yes}\n", ["expected true or false", "got 'yes'"]),
    "fraction for an int": ("generations: 2.5\n", ["expected whole number", "got 2.5"]),
    "octal": ("seed: 0123\n", ["got '0123'"]),
    "sexagesimal": ("seed: 12:30:45\n", ["got '12:30:45'"]),
    "nan": ("economy: {ticket: .nan}\n", ["got nan"]),
    "inf": ("economy: {ticket: -.inf}\n", ["got -inf"]),
    "overflow": ("economy: {ticket: 1e999}\n", ["got inf"]),
    "negative energy": ("economy: {ticket: -1}\n", ["in [0, 1000000] (energy per generation), got -1"]),
    "population 0": ("population: {initial: 0}\n", ["'population.initial'", "in [1, 65536]", "got 0"]),
    "rank 0": ("adapter: {rank: 0}\n", ["'adapter.rank'", "in [1, 8]"]),
    "many digits": (f"seed: {'9' * 5000}\n", ["number too long", "…"]),
    "list for a word": ("name: [a, b]\n", ["'name'", "line of text"]),
    "word for a list": ("tasks: {families: math}\n", ["'tasks.families'", "expected list", "got 'math'"]),
    "control character": ('name: "a\\nb"\n', ["'name'", "got 'a\\nb'"]),
    "surrogate": ('name: "\\uD800"\n', ["surrogate"]),
    "impossible escape": ('name: "\\UFFFFFFFF"\n', ["not valid YAML"]),
    "unknown choice": ("plasticity: {rule: three-factor}\n", ["Did you mean 'three_factor'?"]),
    "unknown family": (
        "tasks:\n  families:\n  - math\n  - logik\n",
        ["world.yaml:4", "families[1]", "Did you mean 'logic'?"],
    ),
    "unknown style": (
        "tasks:\n  styles:\n    math: tick\n",
        ["world.yaml:3", "tasks.styles[math]", "Did you mean 'ticks'?"],
    ),
    "bad device": ("host: {device: gpu}\n", ["cuda:0", "got 'gpu'"]),
    "no family": ("tasks: {families: []}\n", ["no task family"]),
    "family twice": ("tasks: {families: [math, logic, math]}\n", ["one task family twice", "got 'math'"]),
    "site twice": ("adapter: {sites: [lm_head, lm_head]}\n", ["one adapter site twice"]),
    "no site": ("adapter: {sites: []}\n", ["no adapter site"]),
    "style of another family": (
        "tasks: {families: [math], styles: {logic: work}}\n",
        ["not asked", "got 'logic'"],
    ),
    "cell without depth": (
        "tasks: {cell_styles: {math: work}}\n",
        ["'family:depth' with depth 1 to 4", "got 'math'"],
    ),
    "cell outside": ('tasks: {cell_styles: {"math:5": work}}\n', ["not a cell of the grid", "got 'math:5'"]),
    "bad family path": ('tasks: {user_families: ["my module"]}\n', ["'package.module:Class'"]),
    "too many founders": (
        "population:\n  initial: 40\n",
        [
            "'population.initial': more founders than the world holds (world.yaml:2)",
            "at most population.maximum = 32, got 40",
        ],
    ),
    "rank above the largest": ("adapter: {rank: 6, max_rank: 4}\n", ["adapter.max_rank = 4, got 6"]),
    "prices swapped": ("economy: {price_low: 2}\n", ["at most economy.price_high = 1.0, got 2.0"]),
    "birth too dear": ("reproduction: {cost: 5}\n", ["at most reproduction.floor_low = 2.0"]),
    "floor out of its bounds": ("reproduction: {floor: 99}\n", ["outside its own bounds", "2.0 to 16.0", "99"]),
    "window out of its bounds": ("gate: {window: 1}\n", ["outside its own bounds", "24 to 96"]),
    "fewer than the fewest": ("population: {minimum: 9, maximum: 8, initial: 1}\n", ["at most population.maximum = 8"]),
    "no mutation": ("reproduction: {mutations: []}\n", ["no kind of mutation"]),
    "a mutation twice": ("reproduction: {mutations: [svd, svd]}\n", ["one kind of mutation twice", "svd"]),
    "cost bins descend": ("archive: {cost_edges: [9, 3]}\n", ["cost bounds do not ascend"]),
    "too many pairs": (
        "plasticity: {rule: evolution_strategy, pairs: 5}\n",
        ["population.episodes / 2 = 4 pairs, got 5"],
    ),
    "key twice": ("seed: 1\nname: a\nseed: 2\n", ["'seed' is set twice (world.yaml:3)"]),
    "number as key": ("1: a\n", ["not the name of a setting", "got 1"]),
    "list as key": ("? [a]\n: b\n", ["not the name of a setting"]),
    "alias bomb": (ALIAS_BOMB, ["aliases and anchors are not allowed (world.yaml:1)"]),
    "python object": ('name: !!python/object/apply:os.system ["true"]\n', ["tags are not allowed"]),
    "merge key": ("economy: {<<: {ticket: 1}}\n", ["unknown setting 'economy.<<'"]),
    "tab": ("economy:\n\tticket: 1\n", ["tab character in YAML (world.yaml:2). Indent with spaces."]),
    "deep nesting": ("name: " + "[" * 5000, ["nested too deep (world.yaml:1)"]),
    "unclosed": ("name: [a\nseed: 1\n", ["not valid YAML", "world.yaml:2"]),
    "two documents": ("name: a\n---\nname: b\n", ["expected a single document", "world.yaml:2"]),
    "bell": (b"name: a\nseed: \x07\n", ["character that YAML does not allow (world.yaml:2)"]),
    "not utf-8": (b"name: a\nhost: {path: \xff}\n", ["not UTF-8 (world.yaml:2)"]),
    "utf-16": ("name: a\n".encode("utf-16"), ["UTF-8"]),
    "binary": (bytes(range(256)), ["UTF-8"]),
    "empty": ("# nothing\n", ["empty config (world.yaml)", "extends: ecology"]),
    "list": ("- a\n", ["not a config", "name: value"]),
    "too large": ("# " + "x" * 300_000, ["too large", "256 kB"]),
    "extends itself": ("extends: world.yaml\n", ["in a circle (world.yaml:1)", "world.yaml -> world.yaml"]),
    "extends nothing": ("seed: 1\nextends: nowhere.yaml\n", ["config file not found (world.yaml:2)"]),
    "extends a misspelling": (
        "extends: ecolgy\n",
        ["unknown config (world.yaml:1)", "Did you mean 'ecology'?"],
    ),
    "extends two": ("extends: [ecology, smoke]\n", ["bad value for 'extends' (world.yaml:1)"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_that_says(case, world_file):
    content, facts = BAD_FILES[case]
    with pytest.raises(ConfigError) as excinfo:
        load_config(world_file(content))
    line = one_line_of(excinfo)
    assert all(fact in line for fact in facts), line


def test_the_place_of_a_mistake_is_in_the_base_that_has_it(world_file):
    world_file("# base\neconomy:\n  ticket: -1\n", "base.yaml")
    with pytest.raises(ConfigError, match=r"\(base\.yaml:3\)"):
        load_config(world_file("extends: base.yaml\nseed: 1\n"))


def test_longer_circles_are_refused(world_file):
    world_file("extends: world.yaml\n", "base.yaml")
    with pytest.raises(ConfigError, match=r"world\.yaml -> base\.yaml -> world\.yaml"):
        load_config(world_file("extends: base.yaml\n"))


@pytest.mark.parametrize(
    ("overrides", "fact"),
    [
        ({"economy.tiket": 1}, "Did you mean 'economy.ticket'?"),
        (["economy.tiket=1"], "unknown setting 'economy.tiket' (override economy.tiket)"),
        ({"economy.ticket": "1"}, "got '1'"),
        ({"economy.ticket": None}, "has no value (override economy.ticket)"),
        (["economy.ticket="], "has no value"),
        (["economy.ticket"], "expected section.name=value"),
        (["=1"], "expected section.name=value"),
        ("seed=1", "expected a list"),
        (["seed=[1"], "not valid YAML"),
        (["seed=*a"], "aliases"),
        ({"seed": 10**5000}, "number too long"),
        ({"seed": object}, "expected whole number"),
        ({"economy": 3}, "is a section"),
        ({"economy": {"tiket": 3}}, "Did you mean 'economy.ticket'?"),
        ({1: 2}, "not the name of a setting"),
        ({"tasks.styles": {1: "terse"}}, "tasks.styles[1]"),
        ({"tasks.styles.math": "loud"}, "(override tasks.styles.math)"),
        ({"extends": "smoke"}, "unknown setting 'extends'"),
        ({"x" * 10_000: 1}, "…"),
        (
            {"population.maximum": 4},
            "and override population.maximum): expected at most population.maximum = 4, got 16",
        ),
    ],
)
def test_a_bad_override_is_refused_in_one_line(overrides, fact):
    with pytest.raises(ConfigError) as excinfo:
        load_config("ecology", overrides)
    assert fact in one_line_of(excinfo)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("ecolgy", "Did you mean 'ecology'?"),
        ("", "expected one of board"),
        ("ecology.yaml", "Did you mean 'ecology'?"),
        ("wrld.yaml", "Did you mean 'world.yaml'?"),
        ("nowhere/world.yaml", "config file not found"),
        (".", "unknown config"),
        ("./", "config file not found"),
        ("a\0b.yaml", "config file not found"),
        ("x" * 5000 + ".yaml", "cannot open config"),
        (3, "expected a name or a path"),
    ],
)
def test_a_config_that_is_not_there_is_named_with_the_closest_one(name, fact, world_file):
    world_file("seed: 1\n")
    with pytest.raises(ConfigError) as excinfo:
        load_config(name)
    assert fact in one_line_of(excinfo)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="not found"):
        load_config(tmp_path / "pipe.yaml")


# ------------------------------------------------------------------------------------------------ any garbage

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["math", "x"])
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
NAMES = st.sampled_from([row.name for row in schema_rows()] + list(WorldConfig.model_fields) + ["extends", "nonsense"])


def loads_or_refuses(path: Path, overrides: object = ()) -> None:
    try:
        load_config(path, overrides)  # type: ignore[arg-type]
    except ConfigError as error:
        assert len(str(error).splitlines()) == 1


@given(
    data=st.binary(max_size=200) | st.text(alphabet=":-[]{},#&*!|>'\"%@`?\\ \n\tae01.~U", max_size=80).map(str.encode)
)
@settings(max_examples=150, deadline=None)
def test_garbage_raises_nothing_but_a_config_error(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_bytes(data)
    loads_or_refuses(path)


@given(tree=st.dictionaries(NAMES, TREES, min_size=1, max_size=4), value=st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_tree_of_values_raises_nothing_but_a_config_error(tree, value, tmp_path_factory):
    nested: dict[str, object] = {}
    for name, inner in tree.items():
        section, _, key = name.rpartition(".")
        home = nested.setdefault(section, {}) if section else nested
        if isinstance(home, dict):
            home[key] = inner
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(yaml.safe_dump(nested, allow_unicode=True), encoding="utf-8")
    loads_or_refuses(path)
    loads_or_refuses(find_config("smoke"), tree)
    loads_or_refuses(find_config("smoke"), [f"{name}={value}" for name in tree])
