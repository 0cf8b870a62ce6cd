"""Text in and out of a host: its tokenizer, and which tokens end an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from evolora_mesa.errors import HostError
from evolora_mesa.host.folder import read_json
from evolora_mesa.host.pretrained import load_tokenizer

__all__ = ["TextCodec"]


class TextCodec:
    """A fast tokenizer with the host's stop tokens.

    Args:
        tokenizer: the ``tokenizers`` object.
        stop_ids: end-of-text tokens of the host.
        vocab_size: width of the host's logits.
        stop_at_newline: any token that holds a line break ends an answer too.

    Raises:
        HostError: the tokenizer is empty, or has words that the host does not.
    """

    def __init__(
        self, tokenizer: Tokenizer, stop_ids: Sequence[int], vocab_size: int, *, stop_at_newline: bool = True
    ) -> None:
        _check_words(tokenizer, vocab_size)
        self._tokenizer, self._vocab_size = tokenizer, vocab_size
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
            tokenizer = load_tokenizer(folder)
        return cls(tokenizer, _stop_ids(folder, config), config["vocab_size"], stop_at_newline=stop_at_newline)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token lists, with the tokenizer's own start token if it has one; an empty text is one stop token.

        Raises:
            HostError: a text that the tokenizer cannot read, or that names a special token which the host lacks.
        """
        fallback = int(self.stop.nonzero()[0]) if bool(self.stop.any()) else 0
        try:
            found = self._tokenizer.encode_batch_fast(list(texts))
        except Exception as error:  # the tokenizers library raises bare Exception, and TypeError for half a character
            raise HostError(
                "text cannot be tokenized",
                got=str(error),
                do="Give the tokenizer an unknown-word token, or change the prompts.",
            ) from error
        rows = [encoding.ids or [fallback] for encoding in found]
        highest = max(map(max, rows), default=0)
        if highest >= self._vocab_size:
            raise HostError(
                "text holds a special token that the host lacks",
                expected=f"token numbers below {self._vocab_size}",
                got=highest,
                do="Take it out of the prompts.",
            )
        return rows

    def token_texts(self) -> list[str]:
        """``[vocab]`` what each token adds to a text behind another one; empty for special and unknown tokens."""
        before = self.encode(["{"])[0][-1:]  # some tokenizers drop the space that a text's first token begins with
        beginning = self._tokenizer.decode(before, skip_special_tokens=True)
        known = min(self._vocab_size, self._tokenizer.get_vocab_size())
        texts = self._tokenizer.decode_batch([[*before, token] for token in range(known)], skip_special_tokens=True)
        added = [text.removeprefix(beginning) if text.startswith(beginning) else "" for text in texts]
        return added + [""] * (self._vocab_size - known)

    def encode_answer(self, text: str) -> list[int]:
        """Tokens of an answer as the host should have written it, end token included."""
        return [*self._tokenizer.encode(text, add_special_tokens=False).ids, min(self._ends)]

    def decode(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        """Texts without special tokens, cut at the first line break where that ends an answer."""
        texts = self._tokenizer.decode_batch([list(row) for row in tokens], skip_special_tokens=True)
        return [text.split("\n", 1)[0] for text in texts] if self._stops_at_newline else texts


def _check_words(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Every plain word must have its place in the host; special tokens need not (Gemma's text hosts lack the image's).

    Raises:
        HostError: not so, or no words at all.
    """
    special = {token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    words = set(tokenizer.get_vocab(with_added_tokens=True).values()) - special
    if not words:
        raise HostError("tokenizer has no words", do="Give the tokenizer that the host was trained with.")
    highest = max(words)
    if highest >= vocab_size:
        raise HostError(
            "tokenizer has more words than the host",
            expected=f"token numbers below {vocab_size}",
            got=highest,
            do="Give the tokenizer that the host was trained with.",
        )


def _stop_ids(folder: Path, config: dict[str, Any]) -> list[int]:
    """End-of-text tokens of ``generation_config.json``, else of ``config.json``.

    Raises:
        HostError: there are none, or they are not tokens of the host.
    """
    path = folder / "generation_config.json"
    generation = read_json(path, "an object") if path.exists() else {}
    if generation.get("eos_token_id") is None:
        path = folder / "config.json"
        generation = config
    ids = generation.get("eos_token_id")
    listed = ids if isinstance(ids, list) else [] if ids is None else [ids]
    if not listed:
        raise HostError("host names no end-of-text token", where=path, expected="an eos_token_id")
    inside = [token for token in listed if type(token) is int and 0 <= token < config["vocab_size"]]
    # Beside one that the host has, tokens beyond it do no harm: it never writes them.
    if not inside or not all(type(token) is int and token >= 0 for token in listed):
        raise HostError(
            "end-of-text token is none of the host",
            where=f"{path}, eos_token_id",
            expected=f"whole numbers in 0 to {config['vocab_size'] - 1}",
            got=ids,
        )
    return inside
