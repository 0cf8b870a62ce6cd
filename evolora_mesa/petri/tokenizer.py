"""The embedded host's tokenizer: single characters, and a few whole phrases as one token each.

Prompts stay natural English, so the same prompts go to any other host, but the fixed wording around a question costs
one token instead of twenty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from evolora_mesa.tasks import ANSWER_CUE, ARROW, SENTENCE_OPENING, SHIPPED

__all__ = ["BOS", "EOS", "HEDGE", "PAD", "build_tokenizer", "save_tokenizer", "vocabulary"]

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
SPECIAL: Final = ("<pad>", "<bos>", "<eos>", "<unk>")
HEDGE: Final = "Sorry, I am not sure."
_CHARACTERS: Final = "\n" + "".join(map(chr, range(32, 127)))
_ROUND_TO = 16  # a vocabulary of a round size keeps the matrix products aligned


def _phrases() -> list[str]:
    templates = [template for family in SHIPPED.values() for template in family.templates]
    return [*templates, ANSWER_CUE, SENTENCE_OPENING, HEDGE, ARROW, "true", "false", "and ", "or ", "not "]


def vocabulary() -> list[str]:
    """All tokens in the order of their ids: specials, phrases, characters, unused ones up to a round size."""
    tokens = [*SPECIAL, *_phrases(), *_CHARACTERS]
    unused = -len(tokens) % _ROUND_TO
    return tokens + [f"<unused{number}>" for number in range(unused)]


def build_tokenizer() -> Tokenizer:
    """A fast tokenizer that puts ``<bos>`` before every text."""
    tokens = vocabulary()
    tokenizer = Tokenizer(models.WordLevel({token: place for place, token in enumerate(tokens)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([*SPECIAL, *tokens[len(SPECIAL) + len(_phrases()) + len(_CHARACTERS) :]])
    tokenizer.add_tokens([AddedToken(phrase, normalized=False) for phrase in _phrases()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    return tokenizer


def save_tokenizer(folder: Path) -> None:
    """Write the files that ``AutoTokenizer.from_pretrained`` wants."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
