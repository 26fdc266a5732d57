"""The scene `crowd`: eight toys over one table, in two rings."""

from fourfold.synthetic.carousel import Round, on_the_table
from fourfold.synthetic.garden import gnome, snail, toadstool
from fourfold.synthetic.parlour import parlour
from fourfold.synthetic.playroom import die, rocket
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.toys import duck, house, teapot

# half axes of the two rings: away from the rim, whose sight would be hidden in all frames
_OUTER, _INNER = (0.62, 0.34), (0.26, 0.18)
_SWEEP = -60.0


def crowd(seed: int) -> RigidStage:
    """Set the stage: five toys go round, three in their midst; they hop and hover.

    The seed changes the textures, never the geometry.
    """
    makers = (teapot, house, duck, gnome, toadstool, snail, rocket, die)
    heights = (0.25, 0.29, 0.29, 0.32, 0.29, 0.25, 0.33, 0.20)
    solids = [
        maker(seed + 30 * k).resized(height)
        for k, (maker, height) in enumerate(zip(makers, heights, strict=True))
    ]
    ways = (
        Round(80.0, _SWEEP, (30.0, -25.0), _OUTER, height=0.20),
        Round(165.0, _SWEEP, (30.0, -20.0), _OUTER, height=0.17, hops=2, hop=0.06),
        Round(10.0, _SWEEP, (20.0, -30.0), _OUTER, height=0.14, hops=3, hop=0.10, rock=8.0),
        Round(300.0, _SWEEP, (30.0, -30.0), _OUTER, height=0.32, hops=4, hop=0.06, rock=6.0),
        Round(225.0, _SWEEP, (25.0, -25.0), _OUTER, height=0.30),
        Round(130.0, _SWEEP, (40.0, -25.0), _INNER, height=0.12, hops=2, hop=0.06, rock=5.0),
        Round(25.0, _SWEEP, (20.0, -40.0), _INNER, height=0.12, hops=1, hop=0.10, rock=10.0),
        Round(250.0, _SWEEP, (10.0, -50.0), _INNER, height=0.12, hops=2, hop=0.06, rock=12.0),
    )
    names = [maker.__name__ for maker in makers]
    return on_the_table("crowd", list(zip(names, solids, ways, strict=True)), parlour(seed + 300))
