"""The verbs as the command line sees them: one dataclass each. No torch in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from tyro.conf import FlagCreatePairsOff, Positional, arg, subcommand

import fourfold
from fourfold.cli.next_steps import after_demo, after_sfm, outputs_of
from fourfold.verbs.draw import DrawOptions
from fourfold.verbs.methods import METHODS, Method
from fourfold.verbs.options import (
    CaptureOptions,
    FootageOptions,
    InputOptions,
    PhotoOptions,
    RigOptions,
)
from fourfold.verbs.prepare import SfmOptions
from fourfold.verbs.prepare_poses import PosesOptions
from fourfold.verbs.render import RenderOptions
from fourfold.verbs.sample import COUNT, ScaleMode
from fourfold.verbs.synth import SynthOptions

if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[tuple(METHODS)]
Flag = FlagCreatePairsOff[bool]


@dataclass(frozen=True, kw_only=True)
class Command:
    """What all commands have."""

    traceback: Flag = False
    """Show where an error arose."""

    def run(self) -> None:
        """Do it."""
        raise NotImplementedError

    def when_interrupted(self) -> str:
        """Say how to go on after an interruption."""
        return "Nothing was left half-written."


@dataclass(frozen=True, kw_only=True)
class Demo(Command):
    """Train on the embedded example, render a video and measure it, in some minutes."""

    method: Annotated[Positional[MethodName], arg(metavar="[METHOD]")] = "dreamscene4d"
    """Method to show: dreamscene4d, osn, mom or mixvoxels."""
    out: Annotated[Path, arg(metavar="RUN")] = Path("runs/demo")
    """Folder of the run."""
    overwrite: Flag = False
    """Begin anew where a run is there already."""

    def run(self) -> None:
        """Run the demo and say where its results are."""
        from fourfold.cli import printing

        result = fourfold.demo(
            self.method, out=self.out, overwrite=self.overwrite, say=printing.announce
        )
        printing.print_metrics(result.metrics)
        for video in result.videos:
            printing.print_path("video", video)
        printing.print_path("report", result.report)
        printing.print_path("scene", result.run.scene_folder)
        printing.print_next(
            f"fourfold render {result.run.path} --outputs {outputs_of(self.method)}",
            *after_demo(self.method),
        )

    def when_interrupted(self) -> str:
        """Say how to go on."""
        return "The same command goes on where this one stopped."


@dataclass(frozen=True, kw_only=True)
class Info(Command):
    """Say what an input holds, and what is missing for which method."""

    path: Annotated[Positional[Path], arg(metavar="PATH")]
    """Video file, photo, or folder of a capture."""
    options: Annotated[InputOptions, arg(name="")] = field(default_factory=InputOptions)

    def run(self) -> None:
        """Print the description."""
        from fourfold.cli import printing

        printing.print_description(fourfold.info(self.path, self.options))


@dataclass(frozen=True, kw_only=True)
class Prepare(Command):
    """Make what a method needs beside the input: bodies of a clip, poses of a rig, a drawing."""

    what: Annotated[Positional[Literal["sfm", "poses", "draw"]], arg(metavar="sfm|poses|draw")]
    """sfm: structure from motion of the background and each object (needs pycolmap). poses: cameras
    and key points of a rig or of pictures. draw: regions and motion hints on a photo, in the
    browser. fourfold prepare poses --help and fourfold prepare draw --help have their options."""
    capture: Annotated[Positional[Path], arg(metavar="CAPTURE")]
    """Video file, or folder of a capture with object masks."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder to write; --bodies DIR and --cameras DIR/cameras.json read it."""
    sfm: Annotated[SfmOptions, arg(name="")] = field(default_factory=SfmOptions)
    options: Annotated[CaptureOptions, arg(name="")] = field(default_factory=CaptureOptions)
    overwrite: Flag = False
    """Replace what is there."""

    def run(self) -> None:
        """Prepare, and say how well each body went."""
        from fourfold.cli import printing

        prepared = fourfold.prepare(
            self.what,
            self.capture,
            out=self.out,
            options=self.sfm,
            overwrite=self.overwrite,
            capture_options=self.options,
        )
        printing.print_health(prepared.health)
        printing.print_unposed(prepared.unposed)
        printing.print_path("wrote", prepared.path)
        printing.print_next(*after_sfm(self.capture, self.options, self.out, prepared.unposed))


@dataclass(frozen=True, kw_only=True)
class PreparePoses(Command):
    """Find cameras, depth bounds and key points of a rig, or of pictures of a still scene."""

    what: Annotated[Positional[Literal["poses"]], arg(metavar="poses")]
    """poses: from a COLMAP model; else, with pycolmap, points where all cameras are known, and
    cameras and points where they are not."""
    capture: Annotated[Positional[Path], arg(metavar="CAPTURE")]
    """Folder of a rig, of pictures, or video of a still scene."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder to write: pictures, sparse/0, poses_bounds.npy; --depth colmap:DIR reads it."""
    poses: Annotated[PosesOptions, arg(name="")] = field(default_factory=PosesOptions)
    options: Annotated[RigOptions, arg(name="")] = field(default_factory=RigOptions)
    overwrite: Flag = False
    """Replace what an earlier call wrote there."""

    def run(self) -> None:
        """Prepare, and say what was found."""
        from fourfold.cli import printing

        prepared = fourfold.prepare_poses(
            self.capture,
            out=self.out,
            options=self.poses,
            overwrite=self.overwrite,
            capture_options=self.options,
        )
        printing.print_poses(prepared)
        printing.print_path("wrote", prepared.path)
        printing.print_next(f"fourfold info {prepared.path}")


@dataclass(frozen=True, kw_only=True)
class PrepareDraw(Command):
    """Draw what moves on a photo, and where to, in the browser; saved as labelme's JSON."""

    what: Annotated[Positional[Literal["draw"]], arg(metavar="draw")]
    """draw: opens a page with the photo, until Ctrl-C."""
    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """The picture, or the JSON of an earlier drawing on it."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the drawing and a copy of the photo; a drawing that is there is gone on with."""
    draw: Annotated[DrawOptions, arg(name="")] = field(default_factory=DrawOptions)

    def run(self) -> None:
        """Serve the page, and say where it is and what was saved."""
        from fourfold.cli import printing
        from fourfold.verbs.draw import next_command

        def saved(file: Path) -> None:
            printing.print_path("wrote", file)
            printing.print_next(next_command(file))

        fourfold.draw(
            self.photo, out=self.out, options=self.draw, say=printing.announce, saved=saved
        )


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a method on a capture; the same command resumes a training that was stopped.

    Each method's options are those of its own dataclass: `train_command` adds them.
    """

    method: Annotated[Positional[MethodName], arg(metavar="METHOD")]
    """Name of the method: dreamscene4d, osn, mom or mixvoxels."""
    capture: Annotated[Positional[Path], arg(metavar="CAPTURE")]
    """Video file, photo, or folder of a capture."""
    out: Annotated[Path, arg(metavar="RUN")]
    """Folder of the run."""
    overwrite: Flag = False
    """Begin anew where a run is there already."""
    config: Any
    options: Any

    def run(self) -> None:
        """Train, and say what can be done next."""
        from fourfold.cli import printing

        run = fourfold.train(
            self.method,
            self.capture,
            out=self.out,
            config=self.config,
            overwrite=self.overwrite,
            capture_options=self.options,
        )
        if not run.scene_folder.is_dir():  # not all stages were asked for
            printing.print_path("run", run.path)
            return
        printing.print_path("scene", run.scene_folder)
        printing.print_next(f"fourfold render {run.path}", f"fourfold eval {run.path}")

    def when_interrupted(self) -> str:
        """Say how to go on."""
        return f"The same command goes on from the last checkpoint in {self.out}."


@dataclass(frozen=True, kw_only=True)
class Sample(Command):
    """Draw valid combinations of object scales, and say what is known about the scales."""

    run_folder: Annotated[Positional[Path], arg(name="run", metavar="RUN")]
    """Folder of the run."""
    count: Annotated[int, arg(aliases=["-n"], metavar="N")] = COUNT
    """How many."""
    out: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """File to write, .json or .csv; samples.json and samples.csv in the run by default."""
    seed: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Seed of the draws; the run's own by default."""
    scales: Annotated[
        ScaleMode | None, arg(metavar="{computed,polytope,network}", help_behavior_hint="")
    ] = None
    """What decides which scales are valid: the training's choice by default."""
    picture: Flag = False
    """Also draw the valid region with the samples, samples.png."""

    def run(self) -> None:
        """Draw them, and print what is known."""
        from fourfold.cli import printing

        result = fourfold.sample(
            self.run_folder,
            self.count,
            out=self.out,
            seed=self.seed,
            mode=self.scales,
            picture=self.picture,
        )
        if result.samples.note:
            printing.announce(f"warning: {result.samples.note}")
        for fact in result.facts:
            print(fact)
        for file in result.files:
            printing.print_path("wrote", file)


@dataclass(frozen=True, kw_only=True)
class Render(Command):
    """Render a run's scene from a camera path, as one video for each output."""

    run_folder: Annotated[Positional[Path], arg(name="run", metavar="RUN")]
    """Folder of the run."""
    options: Annotated[RenderOptions, arg(name="")] = field(default_factory=RenderOptions)
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the videos; renders/ in the run by default."""

    def run(self) -> None:
        """Render, and say where the videos are."""
        from fourfold.cli import printing

        for file in fourfold.render(self.run_folder, self.options, out=self.out):
            printing.print_path("wrote", file)


@dataclass(frozen=True, kw_only=True)
class Eval(Command):
    """Measure a run; writes metrics.json and a one-page report.html into it."""

    run_folder: Annotated[Positional[Path], arg(name="run", metavar="RUN")]
    """Folder of the run."""
    lpips: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Weights of the metric LPIPS, which is left out without: a safetensors file of the state dict
    of lpips.LPIPS(net="alex")."""

    def run(self) -> None:
        """Measure, print the figures, and say where the report is."""
        from fourfold.cli import printing

        printing.print_metrics(fourfold.eval(self.run_folder, lpips=self.lpips))
        printing.print_path("metrics", self.run_folder / "metrics.json")
        printing.print_path("report", self.run_folder / "report.html")


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """Write a run's scene in another tool's format, in the coordinates of its capture."""

    run_folder: Annotated[Positional[Path], arg(name="run", metavar="RUN")]
    """Folder of the run."""
    format: Literal["ply", "tracks", "cameras"] = "ply"
    """One 3DGS file per frame; points on the objects over time (npz); nerfstudio and COLMAP."""
    out: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")] = None
    """File or folder to write; export/ in the run by default."""

    def run(self) -> None:
        """Export, and say where it is."""
        from fourfold.cli import printing

        written = fourfold.export(self.run_folder, self.format, out=self.out)
        printing.print_path("wrote", written)


@dataclass(frozen=True, kw_only=True)
class Synth(Command):
    """Render a synthetic scene with exact truth as a capture (needs Mitsuba)."""

    scene: Annotated[Positional[str], arg(metavar="SCENE")]
    """juggler for dreamscene4d; tabletop, crowd and gnome (one video, 50 true scenes) for osn;
    valley for mom; arena for mixvoxels."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the capture."""
    options: Annotated[SynthOptions, arg(name="")] = field(default_factory=SynthOptions)
    overwrite: Flag = False
    """Replace what is there."""

    def run(self) -> None:
        """Render it, and say where it is."""
        from fourfold.cli import printing

        written = fourfold.synth(
            self.scene, out=self.out, options=self.options, overwrite=self.overwrite
        )
        printing.print_path("wrote", written)


@dataclass(frozen=True, kw_only=True)
class Version(Command):
    """Print the version."""

    def run(self) -> None:
        """Print it."""
        print(fourfold.__version__)


_STEPS: dict[str, type[Command]] = {"sfm": Prepare, "poses": PreparePoses, "draw": PrepareDraw}


def commands(words: Sequence[str]) -> Any:
    """Build the type of the command line, for tyro; `train` has the options of its METHOD.

    METHOD is the first word after `train` that names one; without any, the first there is. So it
    is with `prepare` and what it prepares.
    """
    step = next((word for word in words if word in _STEPS), "sfm")
    method = named_method(words) or next(iter(METHODS.values()))
    kinds = {
        "demo": Demo,
        "info": Info,
        "prepare": _STEPS[step],
        "train": train_command(method),
        "sample": Sample,
        "render": Render,
        "eval": Eval,
        "export": Export,
        "synth": Synth,
        "version": Version,
    }
    return Union[tuple(Annotated[kind, subcommand(name)] for name, kind in kinds.items())]  # noqa: UP007 - made at run time


def named_method(words: Sequence[str]) -> Method | None:
    """Give the method that the first word that is one's name names."""
    return next((METHODS[word] for word in words if word in METHODS), None)


def train_command(method: Method) -> type[Train]:
    """Build the command `train` with the options of one method."""
    config: Any = method.load("config")
    capture: Any = capture_options(method)
    made = make_dataclass(
        "Train",
        [
            ("config", Annotated[config, arg(name="")], field(default_factory=config)),
            ("options", Annotated[capture, arg(name="")], field(default_factory=capture)),
        ],
        bases=(Train,),
        frozen=True,
        kw_only=True,
    )
    made.__doc__ = f"{(Train.__doc__ or '').splitlines()[0]} {method.name}: {method.summary}"
    return made


def capture_options(method: Method) -> type[FootageOptions]:
    """Give the options with which a method's input is read."""
    if method.photo:
        return PhotoOptions
    return RigOptions if method.rig else CaptureOptions
