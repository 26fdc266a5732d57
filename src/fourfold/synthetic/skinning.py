"""Bodies that bend: a mesh at rest, and the transforms of its bones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from fourfold.synthetic.implicit import Part, body_distance, body_grid, part_coordinates
from fourfold.synthetic.surface_nets import surface_nets

# Width of the blend between two bones at a joint, in metres: about half a limb's radius.
_JOINT_WIDTH = 0.03
_PROJECTION_STEPS = 4


@dataclass(frozen=True)
class Body:
    """A closed skinned mesh: vertices at rest (N,3) in metres, faces, weights per bone, colours.

    `weights` (N,B) sum to one over `bones`; `colors` (N,3) are linear reflectances in [0,1].
    """

    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "F 3"]
    bones: tuple[str, ...]
    weights: Float[np.ndarray, "N B"]
    colors: Float[np.ndarray, "N 3"]

    def posed(self, pose: Mapping[str, Float[np.ndarray, "4 4"]]) -> Float[np.ndarray, "N 3"]:
        """Bend the body by linear blend skinning; `pose` maps rest to posed, one 4x4 per bone."""
        transforms = np.stack([pose[bone][:3] for bone in self.bones])
        blended = (self.weights @ transforms.reshape(-1, 12)).reshape(-1, 3, 4)
        return np.einsum("nij,nj->ni", blended[..., :3], self.vertices) + blended[..., 3]


def skin(parts: Sequence[Part], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Mesh the melted union of parts; vertices lie on it to well under a millimetre."""
    values, origin = body_grid(parts, cell)
    vertices, faces = surface_nets(values)
    vertices = origin + cell * vertices
    for _ in range(_PROJECTION_STEPS):
        distance, gradient = body_distance(parts, vertices)
        slope2 = np.maximum((gradient**2).sum(1), 0.1)
        # in a crease the gradient fades: never step farther than the vertex may be off
        step = np.clip(distance / slope2, -cell, cell)
        vertices = vertices - step[:, None] * gradient
    return vertices, faces


def bone_weights(
    parts: Sequence[Part], vertices: Float[np.ndarray, "N 3"]
) -> tuple[tuple[str, ...], Float[np.ndarray, "N B"]]:
    """Weigh the bones for every vertex by how near their surfaces are: exp(-(d / width)^2)."""
    bones = tuple(dict.fromkeys(part.bone for part in parts))
    nearest = np.full((len(vertices), len(bones)), np.inf)
    for part in parts:
        column = nearest[:, bones.index(part.bone)]
        np.minimum(column, part_coordinates(part, vertices)[0], out=column)
    excess = (nearest - nearest.min(1, keepdims=True)) / _JOINT_WIDTH
    weights = np.exp(-(excess**2))
    return bones, weights / weights.sum(1, keepdims=True)


def vertex_normals(
    vertices: Float[np.ndarray, "N 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "N 3"]:
    """Average the face normals around each vertex, weighted by area; unit length."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face_normals = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    corners = faces.ravel()
    normals = np.stack(
        [np.bincount(corners, face_normals[:, k], len(vertices)) for k in range(3)], axis=1
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
