"""Scenes: Gaussians, their motions, the objects they make up; drawing, saving and loading."""

from fourfold.geometry.harmonics import DC_BASIS, harmonics_basis, rotate_harmonics
from fourfold.scene.appearance import Appearance
from fourfold.scene.control_nodes import ControlNodeMotion
from fourfold.scene.deformation import deform, deform_reference
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.keyframes import blend_keys, blend_quaternion_keys, keyframe_weights
from fourfold.scene.landscape_path import LANDSCAPE_PATHS, landscape_path
from fourfold.scene.loop_blending import blend_pictures
from fourfold.scene.loop_motion import LoopMotion
from fourfold.scene.motion import Motion, StaticMotion
from fourfold.scene.parts import MOVING, has_parts, moving_part, still_part
from fourfold.scene.pivot import orbit_pivot
from fourfold.scene.ply import read_ply, write_ply
from fourfold.scene.rendering import OUTPUTS, Drawing, NextFrame, draw
from fourfold.scene.rig_path import RIG_PATHS, rig_path
from fourfold.scene.rigid_motion import RigidMotion
from fourfold.scene.scale_set import (
    SAFE_MARGIN,
    ContestCollector,
    Contests,
    Samples,
    ScaleNetwork,
    ScaleSet,
    brute_force_accuracy,
)
from fourfold.scene.scene import BACKGROUND, Scene
from fourfold.scene.scene_object import SceneObject
from fourfold.scene.skinning import Skinning, bind_points
from fourfold.scene.spacetime_motion import SpacetimeMotion
from fourfold.scene.volume import Volume, VolumeObject

__all__ = [
    "BACKGROUND",
    "DC_BASIS",
    "OUTPUTS",
    "SAFE_MARGIN",
    "Appearance",
    "ContestCollector",
    "Contests",
    "ControlNodeMotion",
    "Drawing",
    "Gaussians",
    "LANDSCAPE_PATHS",
    "LoopMotion",
    "MOVING",
    "Motion",
    "NextFrame",
    "RIG_PATHS",
    "RigidMotion",
    "Samples",
    "ScaleNetwork",
    "ScaleSet",
    "Scene",
    "SceneObject",
    "Skinning",
    "SpacetimeMotion",
    "StaticMotion",
    "Volume",
    "VolumeObject",
    "bind_points",
    "blend_keys",
    "blend_pictures",
    "blend_quaternion_keys",
    "brute_force_accuracy",
    "deform",
    "deform_reference",
    "draw",
    "harmonics_basis",
    "has_parts",
    "keyframe_weights",
    "landscape_path",
    "moving_part",
    "orbit_pivot",
    "read_ply",
    "rig_path",
    "rotate_harmonics",
    "still_part",
    "write_ply",
]
