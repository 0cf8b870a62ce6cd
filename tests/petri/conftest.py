"""A host so small that it trains in a moment, and what its tokenizer makes of text."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.tokenizer import build_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return build_tokenizer()


@pytest.fixture(scope="session")
def tiny_recipe() -> HostRecipe:
    """About 13,000 weights; three steps of it take a few hundredths of a second."""
    return HostRecipe(
        hidden_size=32,
        layers=2,
        heads=2,
        kv_heads=1,
        head_dim=16,
        intermediate_size=48,
        batch_size=16,
        steps=3,
        warm_up_steps=2,
    )
