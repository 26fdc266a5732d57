"""The scene `gnome`: one video of which fifty scenes of different scales are the truth."""

from fourfold.synthetic.baking import bake_panel, bake_solid
from fourfold.synthetic.carousel import Round, on_the_table
from fourfold.synthetic.garden import gnome as gnome_figure
from fourfold.synthetic.garden import snail, toadstool
from fourfold.synthetic.parlour import parlour
from fourfold.synthetic.rigid import RigidStage

SOLUTIONS = 50  # as many as the paper's Table 2
_SWEEP = -175.0


def gnome(seed: int) -> RigidStage:
    """Set the stage: a gnome hops, a toadstool hovers, a snail creeps round the table.

    All surfaces glow in colours with light painted onto them, so they look the same wherever they
    are: no shadow falls, and when an object is enlarged about the camera of each frame, the video
    stays exactly the same. That holds for every valid combination of scales, of which
    `SOLUTIONS` are filmed at the test views.
    """
    figures = (
        gnome_figure(seed).resized(0.46),
        toadstool(seed + 30).resized(0.40),
        snail(seed + 60).resized(0.34),
    )
    man, stool, creeper = (bake_solid(figure) for figure in figures)
    cast = (
        ("gnome", man, Round(138.0, _SWEEP, (30.0, -30.0), hops=4, hop=0.12, rock=6.0)),
        ("toadstool", stool, Round(249.0, _SWEEP, (25.0, -25.0), height=0.10)),
        ("snail", creeper, Round(8.0, _SWEEP, (40.0, -25.0))),
    )
    room = tuple(bake_panel(panel) for panel in parlour(seed + 90))
    return on_the_table("gnome", cast, room, glowing=True, solutions=SOLUTIONS)
