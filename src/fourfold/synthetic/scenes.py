"""The scenes there are, what each is for, and how it is filmed unless said otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

from fourfold.errors import UsageError
from fourfold.synthetic.arena import arena
from fourfold.synthetic.crowd import crowd
from fourfold.synthetic.gnome import gnome
from fourfold.synthetic.juggler import juggler
from fourfold.synthetic.landscape import Landscape
from fourfold.synthetic.rig_stage import RigStage
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.stage import Stage
from fourfold.synthetic.tabletop import tabletop
from fourfold.synthetic.valley import valley


@dataclass(frozen=True)
class SceneKind:
    """A scene by its builder, which takes a seed, and its usual size, length and quality.

    A `RigidStage` is written in OSN's layout, a `Landscape` as a photo with a drawing, a
    `RigStage` as frames per camera with `poses_bounds.npy`, any other stage in Fourfold's own.
    """

    build: Callable[[int], Stage | RigidStage | Landscape | RigStage]
    about: str
    width: int
    height: int
    frames: int
    samples: int


SCENES: dict[str, SceneKind] = {
    "juggler": SceneKind(juggler, "a figure and a dog that deform", 480, 300, 24, 64),
    "tabletop": SceneKind(tabletop, "3 rigid toys that hide each other", 160, 120, 24, 64),
    "crowd": SceneKind(crowd, "8 rigid toys", 160, 120, 24, 36),
    "gnome": SceneKind(gnome, "one video, 50 true scenes", 160, 120, 24, 16),
    "valley": SceneKind(valley, "one photo of a river and clouds that flow", 640, 360, 1, 25),
    "arena": SceneKind(arena, "11 cameras around 3 moving objects", 192, 144, 12, 24),
}


def scene_kind(scene: str) -> SceneKind:
    """Find a scene by its name.

    Raises:
        UsageError: there is none.
    """
    if scene not in SCENES:
        raise UsageError(f"there is no scene {scene!r}", expected=f"one of {', '.join(SCENES)}")
    return SCENES[scene]
