"""What transformers reads from a host's folder, silently: what matters of its warnings is told as an error.

It costs seconds to import, and runs on the embedded host never need it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from evolora_mesa.errors import HostError
from evolora_mesa.host.generic import GenericHost
from evolora_mesa.host.weights import check_finite, check_stored_formats, redrawn_weights

__all__ = ["load_generic", "load_tokenizer"]


def load_generic(
    folder: Path, *, dtype: torch.dtype | None, device: torch.device, random_weights: bool = False
) -> GenericHost:
    """The model of a Hugging Face folder, from safetensors only and without running code of the folder's own.

    Args:
        dtype: of the weights; `None` for the one they are stored in.
        random_weights: the negative control, `redrawn_weights`.

    Raises:
        HostError: transformers cannot make a causal language model of it, or weights are missing, quantised, or not
            finite.
    """
    from transformers import AutoModelForCausalLM

    safely = {"trust_remote_code": False, "use_safetensors": True, "local_files_only": True}
    options: Any = {"dtype": "auto" if dtype is None else dtype, "output_loading_info": True}
    try:
        with _quiet():
            loaded: Any = AutoModelForCausalLM.from_pretrained(folder, **options, **safely)
    except Exception as error:  # another for every architecture and every setting of it
        raise HostError(
            "transformers cannot load this host", where=folder, got=f"{type(error).__name__}: {error}"
        ) from error
    model, found = loaded
    # transformers only warns about these, and fills them with noise.
    absent = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
    if absent:
        raise HostError("host weights do not fit config.json", where=folder, got=absent[0])
    check_stored_formats(folder)
    for name, parameter in model.named_parameters():
        check_finite(name, parameter)
    if random_weights:
        with torch.no_grad():
            weights = dict(model.named_parameters())
            for name, noise in redrawn_weights(weights, seed=0).items():
                weights[name].copy_(noise)
    with _quiet():
        return GenericHost(model.to(device))


def load_tokenizer(folder: Path) -> Tokenizer:
    """The fast form of a tokenizer that is stored in an older format.

    Raises:
        HostError: there is none that can be read.
    """
    from transformers import AutoTokenizer

    try:
        with _quiet():
            found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if len(found) == len(set(found.all_special_tokens)):  # made up by transformers where no file is
            raise ValueError("a tokenizer without words")
        return found.backend_tokenizer
    except Exception as error:  # a stranger's files may raise anything there
        raise HostError(
            "host has no tokenizer",
            where=folder,
            expected="a tokenizer.json",
            got=f"{type(error).__name__}: {error}",
            do="Save the tokenizer into the folder with tokenizer.save_pretrained.",
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence bars and warnings for the length of a block; the settings of transformers are put back behind it."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
