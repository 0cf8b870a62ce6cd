"""Answer styles: five ways to write the same answer down, and how to read one back exactly.

A contract pays for one of them (`contracts.py`). The style is never named in a prompt, so an organelle can find
out what a cell pays for only through reward.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ARROW", "SENTENCE_OPENING", "STYLES", "read_answer", "write_answer"]

STYLES: Final = ("terse", "sentence", "quoted", "ticks", "work")
SENTENCE_OPENING: Final = "The answer is "
ARROW: Final = " => "

# Room for the work shown before the arrow. The longest honest one (math at depth 6) has under 30 characters; without a
# bound an answer could list every candidate first and the right one last.
_LONGEST_WORK = 40


def write_answer(style: str, content: str, scratch: str = "") -> str:
    """``content`` written in ``style``; ``scratch`` is the work that the style `work` shows before the arrow."""
    match style:
        case "terse":
            return content
        case "sentence":
            return f"{SENTENCE_OPENING}{content}."
        case "quoted":
            return f'"{content}"'
        case "ticks":
            return f"`{content}`"
        case "work":
            return f"{scratch}{ARROW}{content}"
    raise ValueError(f"style: expected one of {STYLES}, got {style!r}")


def read_answer(text: str) -> tuple[str, str]:
    """The style and the content of an answer.

    Reading is strict: outer blank space is ignored, anything else that is not exactly one of the five styles is
    read as `terse`, with the whole text as its content, so a list of guesses never equals one answer.

    Returns:
        ``(style, content)``.
    """
    text = text.strip()
    if text.startswith(SENTENCE_OPENING) and text.endswith("."):
        return "sentence", text[len(SENTENCE_OPENING) : -1]
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return "quoted", text[1:-1]
    if len(text) >= 2 and text[0] == text[-1] == "`":
        return "ticks", text[1:-1]
    if text.count("=>") == 1:
        scratch, content = text.split("=>")
        if len(scratch.strip()) <= _LONGEST_WORK and "\n" not in text:
            return "work", content.strip()
    return "terse", text
