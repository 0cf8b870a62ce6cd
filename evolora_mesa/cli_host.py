"""``evolora host``: train an embedded host into a Hugging Face folder, and write its model card."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import ConfigError, HostError, RunError

if TYPE_CHECKING:
    from evolora_mesa.petri.recipe import HostRecipe
    from evolora_mesa.petri.training import Progress, TrainingRecord

__all__ = ["complete_folder", "host_app", "write_card"]

WEIGHTS_FILE: Final = "model.safetensors"
TOKENIZER_FILE: Final = "tokenizer.json"
RECIPE_FILE: Final = "recipe.yaml"
TRAINING_FILE: Final = "training.json"
FINGERPRINT_FILE: Final = "fingerprint.json"
CARD_FILE: Final = "README.md"
_ANSWER_TOKENS = 28  # longest answer by default, as in the world's settings
_OURS: Final = frozenset(
    {
        "config.json",
        "generation_config.json",
        WEIGHTS_FILE,
        TOKENIZER_FILE,
        "tokenizer_config.json",
        "special_tokens_map.json",
        RECIPE_FILE,
        TRAINING_FILE,
        FINGERPRINT_FILE,
        CARD_FILE,
    }
)

host_app = typer.Typer(help="Make the embedded host, and describe it.", rich_markup_mode=None)


@host_app.command()
def train(
    recipe: Annotated[
        Path,
        typer.Argument(parser=given_path, metavar="RECIPE", help="A recipe, such as configs/hosts/petri.yaml."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            metavar="PATH",
            help="Folder; an older host in it is replaced.",
            show_default="out/NAME",
        ),
    ] = None,
) -> None:
    """Train a host from noise; the same recipe gives the same weights."""
    from evolora_mesa.petri.recipe import read_recipe
    from evolora_mesa.strictyaml import read_text

    wanted = read_recipe(recipe)
    text = read_text(recipe, str(recipe))  # now: the file may change while the host trains
    if out is None and (wanted.name in ("", "..") or Path(wanted.name).name != wanted.name):
        raise ConfigError("the recipe's name is not a folder's", where=recipe, got=wanted.name, do="Give --out.")
    folder = out if out is not None else Path("out") / wanted.name
    with _replaced(folder) as made:
        from safetensors.torch import save

        from evolora_mesa.host.weights import tensors_from_host
        from evolora_mesa.petri.training import train_host

        host, record = train_host(wanted, _progress)
        weights = save(tensors_from_host(host), metadata={"format": "pt"})
        (made / WEIGHTS_FILE).write_bytes(weights)  # save_file would make it unreadable for others
        complete_folder(made, wanted, text, record)
    _done(f"Written to {folder}")


@host_app.command()
def card(
    folder: Annotated[Path, typer.Argument(parser=given_path, metavar="FOLDER", help="A host that `host train` made.")],
) -> None:
    """Measure a host again and write its card and its fingerprint anew; the weights stay as they are."""
    write_card(folder)
    _done(f"Written to {folder / CARD_FILE}")


def complete_folder(folder: Path, recipe: HostRecipe, recipe_text: str, record: TrainingRecord) -> None:
    """Add everything to a folder that so far holds the weights only."""
    from evolora_mesa.petri.tokenizer import BOS, EOS, PAD, save_tokenizer
    from evolora_mesa.petri.training import hf_config

    generation = {
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "do_sample": False,
        "max_new_tokens": _ANSWER_TOKENS,
    }
    _write_json(folder / "config.json", hf_config(recipe))
    _write_json(folder / "generation_config.json", generation)
    _write_json(folder / TRAINING_FILE, record._asdict())
    (folder / RECIPE_FILE).write_text(recipe_text, encoding="utf-8")
    save_tokenizer(folder)
    write_card(folder)


def write_card(folder: Path) -> None:
    """Measure a complete host and write its card and its fingerprint.

    Raises:
        HostError: the folder was not made by `host train`.
        RunError: it cannot be written.
    """
    from pydantic import TypeAdapter, ValidationError
    from tokenizers import Tokenizer

    from evolora_mesa.host import HostService
    from evolora_mesa.petri.card import measure_host, render_card
    from evolora_mesa.petri.recipe import read_recipe
    from evolora_mesa.petri.tokenizer import build_tokenizer
    from evolora_mesa.petri.training import TrainingRecord

    parts = (WEIGHTS_FILE, TOKENIZER_FILE, RECIPE_FILE, TRAINING_FILE)
    try:
        missing = [name for name in parts if not (folder / name).is_file()]
    except OSError as error:  # the name is too long, or the folder locked
        raise HostError("cannot look into the host's folder", where=folder, got=error.strerror) from error
    if missing:
        raise HostError(
            "not the folder of an embedded host",
            where=folder,
            expected=", ".join(parts),
            got=f"no {missing[0]}",
            do="Make one with: evolora host train configs/hosts/petri.yaml",
        )
    recipe = read_recipe(folder / RECIPE_FILE)
    try:
        record = TypeAdapter(TrainingRecord).validate_json((folder / TRAINING_FILE).read_bytes())
    except (ValidationError, OSError) as error:
        got = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise HostError("the record of the training cannot be read", where=folder / TRAINING_FILE, got=got) from error
    service = HostService.load(folder)
    if Tokenizer.from_file(str(folder / TOKENIZER_FILE)).get_vocab() != build_tokenizer().get_vocab():
        raise HostError(
            "the host was made for the questions of another version",
            where=folder / TOKENIZER_FILE,
            do="Train it again: its accuracy on today's questions would mean nothing.",
        )
    figures = measure_host(service, depths=len(recipe.depth_weights), on_progress=_say)
    text = render_card(recipe, record, service, folder / WEIGHTS_FILE, figures)
    try:
        _write_json(folder / FINGERPRINT_FILE, service.fingerprint())
        (folder / CARD_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError("cannot write the card", where=folder, got=error.strerror) from error


@contextlib.contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """A folder aside to write into; it takes the place of ``folder`` when the block ends well."""
    from evolora_mesa.record.runfolder import check_writable

    check_writable(folder)
    folder = folder.resolve()  # what is behind a link is replaced, not the link
    if folder in (Path.cwd(), *Path.cwd().parents):
        raise RunError(
            "the working folder cannot be replaced", where=folder, do="Choose another --out, such as out/petri."
        )
    try:
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        foreign = [name for name in found if name not in _OURS]
        if foreign:
            raise RunError(
                "the folder holds files that are not a host's",
                where=folder,
                got=foreign[0],
                do="Choose another --out.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".host-", dir=folder.parent) as aside:
            # The README names models/<folder>, and loading reports this name: keep it.
            made = Path(aside) / folder.name
            made.mkdir()
            yield made
            if found:
                folder.rename(Path(aside) / "old")
            made.rename(folder)
    except OSError as error:
        raise RunError(
            "cannot write the host",
            where=folder,
            got=error.strerror or str(error),
            do="Choose another --out.",
        ) from error


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _progress(progress: Progress) -> None:
    left = progress.cpu_seconds * (progress.steps / progress.step - 1)
    _say(f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  {left / 60:.0f} CPU-minutes left")


def _say(text: str) -> None:
    """Progress: one line that is written over in a terminal, else a line each."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def _done(text: str) -> None:
    """The last line, below that of the progress."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(text)
