"""What is known exactly about a stage: surface tracks, depth order, cameras swung aside."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from fourfold.geometry import Camera, orbit_camera, project_points
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.stage import UP, Stage, to_world

TRACKS_PER_ACTOR = 256
# names of the novel views and their azimuth in degrees; positive moves the camera to its right
NOVEL_VIEWS = {"m45": -45.0, "m20": -20.0, "p20": 20.0, "p45": 45.0}
# A track's point lies on the mesh; nearer hits than this (metres) are other surfaces.
_SLACK = 0.004


@dataclass(frozen=True)
class TrackedPoints:
    """Mesh vertices to follow: which actor each belongs to, and which of its vertices it is."""

    actor: Int[np.ndarray, "N"]
    vertex: Int[np.ndarray, "N"]

    def positions(self, vertices: list[Float[np.ndarray, "M 3"]]) -> Float[np.ndarray, "N 3"]:
        """Give where the points are, from the vertices of all actors at one time."""
        return np.concatenate(
            [mesh[self.vertex[self.actor == k]] for k, mesh in enumerate(vertices)]
        )


def choose_tracks(stage: Stage, seed: int) -> TrackedPoints:
    """Choose vertices spread evenly over every actor's surface, by area at time 0."""
    actors, chosen = [], []
    for k, actor in enumerate(stage.actors):
        area = _vertex_areas(actor.vertices_at(0.0), actor.faces)
        random = np.random.default_rng((seed, k))
        count = min(TRACKS_PER_ACTOR, len(area))
        chosen.append(np.sort(random.choice(len(area), count, replace=False, p=area / area.sum())))
        actors.append(np.full(count, k))
    return TrackedPoints(np.concatenate(actors), np.concatenate(chosen))


def observe_tracks(
    filmed: FilmedScene, camera: Camera, points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "N 2"], Bool[np.ndarray, "N"]]:
    """Project world points to pixels, and tell which the camera sees: in the image, not hidden."""
    pixels, depth = project_points(camera, torch.from_numpy(points).float())
    size = torch.tensor([camera.width, camera.height])
    framed = ((pixels >= 0) & (pixels < size)).all(-1) & (depth > 0)
    visible = framed.numpy()
    visible[visible] = filmed.sees(camera, points[visible], _SLACK)
    return pixels.numpy(), visible


def depth_order(
    stage: Stage, depth: Float[np.ndarray, "H W"], actor: Int[np.ndarray, "H W"]
) -> list[str]:
    """Name the actors from the nearest to the farthest, by the median depth of what is seen."""
    medians = {
        member.name: float(np.median(depth[actor == k]))
        for k, member in enumerate(stage.actors)
        if (actor == k).any()
    }
    return sorted(medians, key=medians.__getitem__)


def swung(stage: Stage, camera: Camera, azimuth_degrees: float) -> Camera:
    """Swing a camera about the stage's pivot."""
    pivot = torch.from_numpy(to_world(np.array(stage.pivot))).float()
    return orbit_camera(camera, pivot, 0.0, azimuth_degrees, torch.tensor(UP))


def _vertex_areas(
    vertices: Float[np.ndarray, "N 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N"]:
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(faces.ravel(), np.repeat(area / 3, 3), minlength=len(vertices))
