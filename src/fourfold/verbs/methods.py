"""The methods by name, and where their parts are. No torch in here: `fourfold --help` reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from fourfold.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


@dataclass(frozen=True)
class Method:
    """A method: its name, and its parts as "module:name", imported when they are used."""

    name: str
    summary: str
    """One line for the command line."""
    config: str
    """A frozen dataclass whose module imports no torch."""
    train: str
    """train(capture, out, config, overwrite) -> Run."""
    evaluate: str
    """evaluate(run, capture, lpips) -> the figures; writes metrics.json and report.html into the
    run. `lpips` is the metric, or None where its weights are not given."""
    example: str
    """Name of its embedded example."""
    bodies: bool = False
    """Whether it needs the poses of every object, which `fourfold prepare sfm` finds."""
    photo: bool = False
    """Whether its input is one photo, which has options of its own."""
    rig: bool = False
    """Whether its input is filmed by many cameras, which has options of its own."""
    instead: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Options of other methods -> what this one does in their place."""
    demo: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Settings with which the embedded example is trained in a minute or two."""
    demo_input: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Options with which it is read."""
    demo_render: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Options with which its video is rendered."""

    def load(self, part: str) -> Callable[..., Any]:
        """Import a part: "config", "train" or "evaluate"."""
        module, name = getattr(self, part).split(":")
        return getattr(import_module(module), name)


METHODS = {
    "dreamscene4d": Method(
        name="dreamscene4d",
        summary="A monocular video with object masks: deforming objects before a background.",
        config="fourfold.methods.dreamscene4d.config:DreamScene4DConfig",
        train="fourfold.methods.dreamscene4d.train:train",
        evaluate="fourfold.methods.dreamscene4d.evaluate:evaluate",
        example="juggler",
        demo=MappingProxyType({"lite": True}),
    ),
    "osn": Method(
        name="osn",
        summary="A monocular video of rigid objects: every scene that it may show.",
        config="fourfold.methods.osn.config:OSNConfig",
        train="fourfold.methods.osn.train:train",
        evaluate="fourfold.methods.osn.evaluate:evaluate",
        example="tabletop",
        demo_render=MappingProxyType({"scales": "grid2x2"}),
        bodies=True,
    ),
    "mom": Method(
        name="mom",
        summary="A landscape photo with regions and hints: an endless 4D scene.",
        config="fourfold.methods.mom.config:MOMConfig",
        train="fourfold.methods.mom.train:train",
        evaluate="fourfold.methods.mom.evaluate:evaluate",
        example="valley",
        photo=True,
        demo_render=MappingProxyType({"loop": True}),
    ),
    "mixvoxels": Method(
        name="mixvoxels",
        summary="A synchronised multi-camera video: what stands still and what moves, as voxels.",
        config="fourfold.methods.mixvoxels.config:MixVoxelsConfig",
        train="fourfold.methods.mixvoxels.train:train",
        evaluate="fourfold.methods.mixvoxels.evaluate:evaluate",
        example="arena",
        rig=True,
        instead=MappingProxyType(
            {
                "--masks": "It needs no masks: what moves is found from how pixels change over "
                "time (--voxels.variation-threshold)",
                "--bodies": "It needs no bodies: fourfold prepare poses CAPTURE --out DIR finds "
                "the cameras, where the capture has none",
            }
        ),
        demo=MappingProxyType({"preset": "small", "depth": "sweep"}),
        demo_input=MappingProxyType({"fps": 15.0}),
    ),
}


def find_method(name: str) -> Method:
    """Look a method up.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", expected=f"one of {', '.join(METHODS)}")
    return METHODS[name]


def changed(options: Options, changes: Mapping[str, Any]) -> Options:
    """Copy a dataclass of options with some of them changed.

    Raises:
        UsageError: an option that it does not have.
    """
    known = [f.name for f in fields(options)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise UsageError(
            f"unknown option {', '.join(unknown)}", expected=f"some of {', '.join(known)}"
        )
    return replace(options, **changes)
