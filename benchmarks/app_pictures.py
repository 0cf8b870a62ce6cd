"""Take pictures of the app: the README's, and on request of every page, in every size and colour.

    python benchmarks/app_pictures.py [--generations 48] [--frames 24] [--out docs/images] [--pages FOLDER]

`app.png` is the World page with an organelle inspected, `app.gif` the same page living. ``--pages`` keeps every page at
1400 x 900 in light and dark, at 1280 x 800 and 390 wide, from top to bottom; runs and a sweep are made for it. Exits
with 1 when a picture is larger than the README should carry.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from app_at_hand import ROOT, Server, Tab, chromium
from common import Gate, show_gates
from PIL import Image

_FRAME = (1120, 720)  # of the film, in pixels
_SECONDS = 0.3  # that a frame stands
_LAST_FRAME = 1.8
_SHADES = 128
_LOOKS = (("light", 1400, 900), ("dark", 1400, 900), ("light", 1280, 800), ("light", 390, 844))
_PAGES = ("World", "Talk", "Lineage", "Runs", "Sweeps")
# Where on the page the organelle with the most energy is drawn, asked of the chart itself.
_RICHEST = """() => {
  const grid = document.querySelector("[aria-label^='Task grid in generation'][data-drawn]");
  const modules = Object.values(window.requirejs.s.contexts._.defined);
  const chart = modules.find((found) => found && found.getInstanceByDom).getInstanceByDom(grid);
  const marks = chart.getOption().series.filter((one) => one.type === "scatter");
  const places = marks.flatMap((one) => one.data.map((mark) => ({ one, mark }))).filter(({ mark }) => mark.id != null);
  const { one, mark } = places.reduce((a, b) => (b.mark.symbolSize > a.mark.symbolSize ? b : a));
  const [x, y] = chart.convertToPixel({ seriesId: one.id }, mark.value);
  const box = grid.getBoundingClientRect();
  return [box.x + x, box.y + y];
}"""


def live(tab: Tab, generations: int) -> None:
    """Play the world up to there."""
    tab.press("Play")
    tab.page.wait_for_function(
        "last => +(document.querySelector('[role=status]').innerText.match(/generation (\\d+)/) || [0, 0])[1] >= last",
        arg=generations,
    )
    tab.press("Pause")
    tab.reads("paused")


def inspect(tab: Tab) -> None:
    """Click the organelle with the most energy."""
    tab.page.mouse.click(*tab.page.evaluate(_RICHEST))
    tab.page.get_by_role("heading", name="Organelle #").wait_for()
    tab.page.get_by_role("button", name="skills", exact=True).click()
    tab.page.locator("[aria-label^='Success of organelle'][data-drawn]").wait_for()
    tab.page.mouse.move(1, 1)  # no tooltip


def settled(tab: Tab) -> None:
    """Wait until what is to be drawn is drawn."""
    tab.page.wait_for_load_state("networkidle")
    tab.page.wait_for_timeout(600)


def film(tab: Tab, frames: int) -> list[Image.Image]:
    """One picture a generation."""
    taken = []
    for _ in range(frames):
        generation = tab.generation() + 1
        tab.press("Step")
        tab.page.locator(f"[aria-label^='Task grid in generation {generation}:'][data-drawn]").wait_for()
        tab.reads(f"generation {generation} ")
        tab.page.wait_for_timeout(250)
        taken.append(Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB"))
    return taken


def save_film(frames: list[Image.Image], file: Path) -> None:
    """A GIF with one palette for all frames, so that what stands still costs nothing."""
    small = [frame.resize(_FRAME, Image.Resampling.LANCZOS) for frame in frames]
    palette = small[-1].quantize(_SHADES, dither=Image.Dither.NONE)
    plain = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    stand = [round(1000 * _SECONDS)] * (len(plain) - 1) + [round(1000 * _LAST_FRAME)]
    plain[0].save(file, save_all=True, append_images=plain[1:], duration=stand, loop=0, optimize=True)


def save_picture(tab: Tab, file: Path) -> None:
    """A PNG of the window, with a palette: its colours are few."""
    picture = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


# ---------------------------------------------------------------------- every page


def prepare(tab: Tab) -> None:
    """Give the pages something to show: a conversation, a run that is replayed, runs that are compared."""
    page = tab.page
    tab.press("Talk")
    tab.press("Draw a prompt")
    page.wait_for_function("() => document.querySelector('textarea').value.length > 5")
    tab.press("Ask")
    page.get_by_text("Right answer").wait_for()


def open_records(tab: Tab) -> None:
    """On the Runs page: open a run and compare two."""
    page = tab.page
    page.get_by_text("smoke-seed0").first.click()
    page.get_by_role("button", name="Replay", exact=True).wait_for()
    page.get_by_role("button", name="Runs").last.click()
    for name in ("smoke-seed0", "smoke-seed1"):
        page.get_by_role("option").filter(has_text=name).first.click()
    page.keyboard.press("Escape")
    page.locator("[aria-label*='of 2 runs over'][data-drawn]").wait_for()


def picture_pages(tab: Tab, folder: Path) -> None:
    """Every page in every look."""
    folder.mkdir(parents=True, exist_ok=True)
    scheme = "light"
    for name in _PAGES:
        if name == "Talk":
            prepare(tab)
        else:
            tab.press(name)
        if name == "Runs":
            open_records(tab)
        for colours, width, height in _LOOKS:
            if colours != scheme:
                tab.press(f"{colours} colours")
                scheme = colours
            tab.page.set_viewport_size({"width": width, "height": height})
            tab.page.evaluate("scrollTo(0, 0)")  # else the head, which stays in sight, stands in the middle
            settled(tab)
            tab.page.screenshot(path=folder / f"{name.lower()}-{width}-{colours}.png", full_page=True)
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                print(f"{name} at {width}: something sticks out, to {wide}")
        tab.page.set_viewport_size({"width": 1400, "height": 900})


def make_records(folder: Path) -> None:
    """Two runs and a sweep."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    runs = [["run", "smoke", "--generations", "40", "--seed", str(seed)] for seed in range(2)]
    for arguments in (*runs, ["sweep", "smoke"]):
        command = [sys.executable, "-m", "evolora_mesa.cli", *arguments, "--quiet"]
        subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", default="ecology")
    parser.add_argument("--generations", type=int, default=48, help="lived before the first picture")
    parser.add_argument("--frames", type=int, default=24, help="of the film, one a generation; 0 makes none")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--pages", type=Path, help="folder for pictures of every page")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    gates, picture, gif = [], arguments.out / "app.png", arguments.out / "app.gif"
    with tempfile.TemporaryDirectory() as aside, chromium() as browser:
        if arguments.pages:
            make_records(Path(aside))
        with Server(arguments.world, folder=Path(aside)) as server, Tab(browser, server.address) as tab:
            tab.reads("paused.*generation 0")
            live(tab, arguments.generations)
            inspect(tab)
            if arguments.frames:
                save_film(film(tab, arguments.frames), gif)
                gates.append(Gate("MiB of app.gif", gif.stat().st_size / 2**20, 2.5, False))
            settled(tab)
            save_picture(tab, picture)
            gates.append(Gate("KiB of app.png", picture.stat().st_size / 2**10, 300, False))
            if arguments.pages:
                picture_pages(tab, arguments.pages)
            print(*tab.wrong, sep="\n", end="\n" if tab.wrong else "")
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
