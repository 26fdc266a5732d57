"""Synthetic scenes with exact truth, rendered by Mitsuba: never by our own splatting."""

from fourfold.synthetic.stage import Actor, Lamp, Panel, Stage, Viewpoint, world_camera
from fourfold.synthetic.synthesize import SCENES, synthesize
from fourfold.synthetic.truth import NOVEL_VIEWS
from fourfold.synthetic.writing import Storage

__all__ = [
    "NOVEL_VIEWS",
    "SCENES",
    "Actor",
    "Lamp",
    "Panel",
    "Stage",
    "Storage",
    "Viewpoint",
    "synthesize",
    "world_camera",
]
