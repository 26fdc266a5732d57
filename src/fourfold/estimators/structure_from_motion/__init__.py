"""Structure from motion of rigid bodies: tracks, poses, points, key-point depths, health."""

from fourfold.estimators.structure_from_motion.bundle import write_model
from fourfold.estimators.structure_from_motion.health import Health
from fourfold.estimators.structure_from_motion.key_points import rigid_body
from fourfold.estimators.structure_from_motion.mapping import Mapping, map_body
from fourfold.estimators.structure_from_motion.model import Lens, Model
from fourfold.estimators.structure_from_motion.reconstruct import SolvedBody, solve_bodies
from fourfold.estimators.structure_from_motion.tracks import Tracks, track_body

__all__ = [
    "Health",
    "Lens",
    "Mapping",
    "Model",
    "SolvedBody",
    "Tracks",
    "map_body",
    "rigid_body",
    "solve_bodies",
    "track_body",
    "write_model",
]
