"""The scene `tabletop`: teapot, house and duck go round on a table, each hiding the others."""

from fourfold.synthetic.carousel import Round, on_the_table
from fourfold.synthetic.parlour import parlour
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.toys import duck, house, teapot

_SWEEP = -210.0  # they go round against the camera's turn
_HEIGHT = 0.42


def tabletop(seed: int) -> RigidStage:
    """Set the stage: teapot and house slide and turn, the duck hops.

    The teapot hides the duck, then the house; the duck hides the house, then the teapot. The seed
    changes the textures, never the geometry.
    """
    pot, home, bird = (
        solid.resized(_HEIGHT) for solid in (teapot(seed), house(seed + 30), duck(seed + 60))
    )
    cast = (
        ("teapot", pot, Round(138.0, _SWEEP, (30.0, -25.0))),
        ("house", home, Round(23.0, _SWEEP, (25.0, -20.0))),
        ("duck", bird, Round(249.0, _SWEEP, (20.0, -30.0), hops=3, hop=0.13, rock=9.0)),
    )
    return on_the_table("tabletop", cast, parlour(seed + 90))
