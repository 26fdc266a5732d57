"""Commands that can follow another, with the options that were given to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from shlex import join
from typing import Any

from fourfold.verbs.methods import find_method


def after_sfm(capture: Path, options: Any, out: Path, unposed: Sequence[str]) -> tuple[str, ...]:
    """Give the trainings that structure from motion was made for.

    Args:
        options: how the capture was read; the trainings have to read it alike.
        out: what was prepared.
        unposed: frames that its cameras lack; with any, the cameras are of no use as they are.
    """
    command = ["fourfold", "train", "osn", str(capture), *option_words(options, "bodies")]
    commands = [join([*command, "--bodies", str(out), "--out", "RUN"])]
    if not unposed:
        words = option_words(options, "bodies", "cameras")
        command = ["fourfold", "train", "dreamscene4d", str(capture), *words]
        commands.append(join([*command, "--cameras", str(out / "cameras.json"), "--out", "RUN"]))
    return tuple(commands)


def after_demo(method: str) -> tuple[str, ...]:
    """Give the commands that do the same with an input of one's own."""
    if find_method(method).photo:
        drawn = "fourfold prepare draw YOUR_PHOTO --out drawn"
        return drawn, f"fourfold train {method} drawn --out runs/photo"
    if find_method(method).bodies:
        prepare = "fourfold prepare sfm YOUR_CLIP --out bodies"
        return prepare, f"fourfold train {method} YOUR_CLIP --bodies bodies --out runs/clip"
    if find_method(method).rig:
        return (f"fourfold train {method} YOUR_RIG --depth sweep --out runs/rig",)
    return (f"fourfold train {method} YOUR_CLIP --out runs/clip",)


def outputs_of(method: str) -> str:
    """Give all that a scene of a method can be rendered as; voxels do not say where matter goes."""
    return "rgb,depth,static,moving" if find_method(method).rig else "rgb,depth,objects,flow,tracks"


def option_words(options: Any, *without: str) -> list[str]:
    """Write a dataclass's options as words of a command line; those at their defaults are left out.

    Args:
        options: fields that are numbers, texts or paths.
        without: names of fields to leave out.
    """
    words = []
    for field in fields(options):
        value = getattr(options, field.name)
        assert field.default is not MISSING
        if field.name not in without and value != field.default:
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return words
