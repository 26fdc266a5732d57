"""Light painted onto surfaces, so that they look the same wherever they are."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.skinning import vertex_normals
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Panel

# Light from above on the left and in front, a weaker one from the right, and from everywhere; a
# surface that faces the first shows nearly its full colour.
_KEY, _FILL = np.array([-0.45, 0.75, 0.49]), np.array([0.70, 0.35, 0.62])
_KEY_LIGHT, _FILL_LIGHT, _AMBIENT = 0.52, 0.20, 0.34


def bake_solid(solid: Solid) -> Solid:
    """Paint light and shade onto a solid, by the normals in its own frame.

    Lambert's law for two lamps, wrapped half round (own), over ambient light.
    """
    shade = _light(vertex_normals(solid.vertices, solid.faces))
    return replace(solid, colors=solid.colors * shade[:, None])


def bake_panel(panel: Panel) -> Panel:
    """Paint light and shade onto a flat piece of the room."""
    normal = np.cross(panel.edge_u, panel.edge_v)
    shade = _light(normal / np.linalg.norm(normal))
    return replace(panel, texture=(panel.texture * shade).astype(np.float32))


def _light(normals: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    key, fill = (
        (0.5 + 0.5 * (normals @ (lamp / np.linalg.norm(lamp)))) ** 2 for lamp in (_KEY, _FILL)
    )
    return _AMBIENT + _KEY_LIGHT * key + _FILL_LIGHT * fill
