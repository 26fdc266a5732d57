"""What the side that no frame shows looks like: one function per prior, from front to whole object.

A prior takes the Gaussians of an object's visible side, in the object's own frame (x right, y down,
z away from the camera that saw it, the middle of the body at z = 0), and returns those of the whole
object.
"""

from collections.abc import Callable
from types import MappingProxyType

from fourfold.priors.symmetry import mirror_front
from fourfold.scene import Gaussians

Prior = Callable[[Gaussians], Gaussians]


def leave_open(front: Gaussians) -> Gaussians:
    """Return the visible side alone."""
    return front


PRIORS: MappingProxyType[str, Prior] = MappingProxyType(
    {"none": leave_open, "symmetry": mirror_front}
)

__all__ = ["PRIORS", "Prior", "leave_open", "mirror_front"]
