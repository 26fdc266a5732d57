"""Synthetic scenes with exact truth, rendered by Mitsuba: never by our own splatting."""

from fourfold.synthetic.rigid import Prop, RigidStage
from fourfold.synthetic.scenes import SCENES, SceneKind
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Actor, Lamp, Panel, Stage, Viewpoint, world_camera
from fourfold.synthetic.synthesize import synthesize
from fourfold.synthetic.truth import NOVEL_VIEWS
from fourfold.synthetic.writing import Storage

__all__ = [
    "NOVEL_VIEWS",
    "SCENES",
    "Actor",
    "Lamp",
    "Panel",
    "Prop",
    "RigidStage",
    "SceneKind",
    "Solid",
    "Stage",
    "Storage",
    "Viewpoint",
    "synthesize",
    "world_camera",
]
