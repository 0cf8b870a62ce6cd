"""Text in and out of a host: its tokenizer, and which tokens end an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from evolora_mesa.errors import HostError

__all__ = ["TextCodec"]


class TextCodec:
    """A fast tokenizer with the host's stop tokens.

    Args:
        tokenizer: the ``tokenizers`` object.
        stop_ids: end-of-text tokens of the host.
        vocab_size: width of the host's logits.
        stop_at_newline: any token that holds a line break ends an answer too.
    """

    def __init__(
        self, tokenizer: Tokenizer, stop_ids: Sequence[int], vocab_size: int, *, stop_at_newline: bool = True
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.stop = torch.zeros(vocab_size, dtype=torch.bool)  # [vocab]
        self.stop[list(stop_ids)] = True
        if stop_at_newline:
            known = range(min(vocab_size, tokenizer.get_vocab_size()))
            texts = tokenizer.decode_batch([[token] for token in known], skip_special_tokens=True)
            self.stop[[token for token, text in zip(known, texts, strict=True) if "\n" in text]] = True
        self._ends = set(stop_ids)
        self._stops_at_newline = stop_at_newline

    @classmethod
    def from_folder(cls, folder: Path, config: dict[str, Any], *, stop_at_newline: bool = True) -> TextCodec:
        """The tokenizer of a host folder.

        Raises:
            HostError: the folder has no tokenizer that can be read.
        """
        path = folder / "tokenizer.json"
        if path.is_file():
            try:
                tokenizer = Tokenizer.from_file(str(path))
            except Exception as error:  # the tokenizers library raises bare Exception
                raise HostError("tokenizer cannot be read", where=path, got=str(error)) from error
        else:
            tokenizer = _slow_tokenizer(folder)
        return cls(tokenizer, _stop_ids(folder, config), config["vocab_size"], stop_at_newline=stop_at_newline)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token lists, with the tokenizer's own start token if it has one; an empty text is one stop token."""
        fallback = int(self.stop.nonzero()[0]) if bool(self.stop.any()) else 0
        return [encoding.ids or [fallback] for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def encode_answer(self, text: str) -> list[int]:
        """Tokens of an answer as the host should have written it, end token included."""
        return [*self._tokenizer.encode(text, add_special_tokens=False).ids, min(self._ends)]

    def decode(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        """Texts without special tokens, cut at the first line break where that ends an answer."""
        texts = self._tokenizer.decode_batch([list(row) for row in tokens], skip_special_tokens=True)
        return [text.split("\n", 1)[0] for text in texts] if self._stops_at_newline else texts


def _slow_tokenizer(folder: Path) -> Tokenizer:
    """The fast form of a tokenizer that is stored in an older format."""
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if len(found) == len(set(found.all_special_tokens)):  # made up by transformers where no file is
            raise ValueError("a tokenizer without words")
        return found.backend_tokenizer
    except (OSError, ValueError, AttributeError, ImportError) as error:
        raise HostError(
            "host has no tokenizer",
            where=folder,
            expected="a tokenizer.json",
            do="Save the tokenizer into the folder with tokenizer.save_pretrained.",
        ) from error


def _stop_ids(folder: Path, config: dict[str, Any]) -> list[int]:
    """End-of-text tokens of ``generation_config.json``, else of ``config.json``."""
    path = folder / "generation_config.json"
    generation = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    ids = generation.get("eos_token_id", config.get("eos_token_id"))
    ids = [ids] if isinstance(ids, int) else list(ids or [])
    if not ids:
        raise HostError("host names no end-of-text token", where=folder / "config.json", expected="an eos_token_id")
    return [token for token in ids if token < config["vocab_size"]]
