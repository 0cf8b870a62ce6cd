"""The host of a world, and the room it takes in the adapter bank, from its settings."""

from __future__ import annotations

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService

__all__ = ["check_host_fits", "host_for", "scratch_slots"]


def host_for(config: WorldConfig) -> HostService:
    """The host that a world's settings ask for.

    Raises:
        HostError: the host cannot be loaded.
    """
    host = config.host
    return HostService.load(
        host.path,
        device=host.device,
        dtype=host.dtype,
        threads=host.threads,
        tuned=host.tune_cpu,
        stop_at_newline=host.stop_at_newline,
        random_weights=host.random_weights,
        max_rows=host.max_rows,
        memory_mb=host.memory_mb,
    )


def check_host_fits(config: WorldConfig, host: object) -> None:
    """Refuse a host that is not loaded, and answers that leave no room for a prompt, before anything is written.

    Raises:
        ConfigError: one of the two.
    """
    if not isinstance(host, HostService):
        raise ConfigError(
            "not a loaded host",
            where="host",
            expected="a HostService",
            got=host,
            do="Pass HostService.load('petri'), or leave host out and set **{'host.path': 'petri'}.",
        )
    longest = host.host.longest
    if longest is not None and config.host.max_new_tokens >= longest:
        raise ConfigError(
            "answers are longer than the host can read",
            where="host.max_new_tokens",
            expected=f"less than {longest}",
            got=config.host.max_new_tokens,
        )


def scratch_slots(config: WorldConfig) -> int:
    """Bank slots beside those of the living.

    For the parents of trials that are no living organelles, for children that wait outside a fixed roster, for
    stand-ins of rules that perturb weights, and for colonies.
    """
    strategy = config.plasticity.rule == "evolution_strategy"
    stand_ins = 2 * config.plasticity.pairs * config.population.maximum if strategy else 0
    one_by_one = 2 * len(config.adapter.sites) if config.reproduction.operator == "task_aware" else 0
    waiting = config.gate.most_trials if config.population.roster == "fixed" else 0
    teams = config.society.colonies.slots(config.gate.most_trials)
    return 2 * config.gate.most_trials + one_by_one + stand_ins + waiting + teams
