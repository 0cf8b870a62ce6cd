"""The recipe of an embedded host: everything that decides its weights, as one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from evolora_mesa.errors import ConfigError
from evolora_mesa.strictyaml import parse_yaml, read_text

__all__ = ["HostRecipe", "read_recipe"]

Size = Annotated[int, Field(ge=1, le=4096)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0)]


class HostRecipe(BaseModel):
    """Shape, corpus and optimiser of an embedded host."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = "petri"
    seed: int = Field(default=0, ge=0, description="entropy of the corpus and of the first weights")
    hidden_size: Size = 96
    layers: Size = 4
    heads: Size = 3
    kv_heads: Size = 1
    head_dim: Annotated[int, Field(ge=2, le=4096, multiple_of=2)] = 32
    intermediate_size: Size = 256
    depth_weights: tuple[Weight, ...] = Field(
        default=(0.35, 0.3, 0.2, 0.15), min_length=1, max_length=6, description="relative frequency of depths"
    )
    near_miss: Share = Field(default=0.12, description="share of answers that are plausibly wrong")
    hedge: Share = Field(default=0.05, description="share of refusals per unit of depth")
    prompt_weight: Share = Field(default=0.02, description="loss weight of prompt tokens; answer tokens have 1")
    steps: int = Field(default=6000, ge=1, description="optimiser steps")
    batch_size: Size = 128
    matrix_learning_rate: float = Field(default=0.02, gt=0, description="Muon, all matrices but the embedding")
    vector_learning_rate: float = Field(default=0.004, gt=0, description="AdamW, embedding and norms")
    warm_up_steps: int = Field(default=30, ge=1)
    constant_share: Share = Field(
        default=0.4, description="share of the steps at full learning rate, then linear to 1 %"
    )

    @field_validator("kv_heads")
    @classmethod
    def _divides_heads(cls, value: int, info: ValidationInfo) -> int:
        heads = info.data.get("heads", value)
        if heads % value:
            raise ValueError(f"heads must be a multiple of kv_heads, and {heads} is none of {value}")
        return value


def read_recipe(path: Path) -> HostRecipe:
    """The recipe in a YAML file.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds an unknown or impossible setting.
    """
    settings, places = parse_yaml(read_text(path, str(path)), str(path))
    try:
        return HostRecipe.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(map(str, first["loc"]))
        where = f"{places.get(first['loc'], path)}, {setting}"
        raise ConfigError(first["msg"].lower(), where=where, got=first.get("input")) from error
