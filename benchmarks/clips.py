"""Train and measure a method on several clips, one after the other, and print a table.

    python benchmarks/clips.py CAPTURE... --out DIR [--method osn] [--seeds 0,1,2] [--json FILE]
                               [--pictures DIR] [--video OPTIONS] [-- OPTION...]

Options after ``--`` go to ``fourfold train`` (``--lite``, ``--holdout 4``, ``--prior none``). Each
clip is trained by the command line in a process of its own, so that time and memory are what a user
gets. With ``--pictures`` the contact sheets are put there as JPEG. With ``--video "--loop"`` each
run is rendered with these options; ``video_seconds`` is the wall clock from the input to the video,
both programs' starts included.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

from PIL import Image

COLUMNS = ("psnr", "object_psnr", "mask_iou", "ssim", "seconds", "peak_memory_mb", "num_gaussians")
SHEET_WIDTH = 1600


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and measure a method on several clips.")
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--method", default="dreamscene4d", help="which method")
    parser.add_argument("--seeds", default="0", help="seeds, joined by commas: a run for each")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--pictures", type=Path, help="folder for the contact sheets")
    parser.add_argument("--video", help="render each run, with these options")
    own, options = _split(sys.argv[1:])
    arguments = parser.parse_args(own)
    measured = {}
    for capture, seed in product(arguments.captures, arguments.seeds.split(",")):
        name = capture.name if arguments.seeds == "0" else f"{capture.name}-{seed}"
        run = arguments.out / name
        train = [arguments.method, str(capture), "--seed", seed, *options]
        measured[name] = _measure(train, run, arguments.video)
        if arguments.pictures:
            _keep_sheet(run, arguments.pictures / f"{name}.jpg")
        print(_table({name: measured[name]}), flush=True)
    print(_table(measured))
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _measure(train: list[str], run: Path, video: str | None) -> dict[str, float]:
    started = time.perf_counter()
    _fourfold("train", *train, "--out", str(run), "--overwrite")
    timed = {}
    if video is not None:
        _fourfold("render", str(run), *shlex.split(video))
        timed["video_seconds"] = time.perf_counter() - started
    _fourfold("eval", str(run))
    return json.loads((run / "metrics.json").read_text()) | timed


def _fourfold(*words: str) -> None:
    print("fourfold", shlex.join(words), file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "fourfold", *words], check=True, stdout=sys.stderr)


def _keep_sheet(run: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.open(run / "contact_sheet.png").convert("RGB")
    size = (SHEET_WIDTH, round(sheet.height * SHEET_WIDTH / sheet.width))
    sheet.resize(size, Image.Resampling.LANCZOS).save(file, quality=85)


def _columns(measured: dict[str, dict[str, float]]) -> list[str]:
    """Name every figure that some clip has; held-out frames and truth are not in all of them."""
    return list(dict.fromkeys([*COLUMNS, *(key for values in measured.values() for key in values)]))


def _table(measured: dict[str, dict[str, float]]) -> str:
    columns = _columns(measured)
    lines = ["| clip | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join(lines + [_row(name, values, columns) for name, values in measured.items()])


def _row(name: str, values: dict[str, float], columns: list[str]) -> str:
    cells = [f"{values[key]:.4g}" if values.get(key) is not None else "" for key in columns]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
