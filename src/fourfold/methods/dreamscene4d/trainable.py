"""An object and a background as leaf tensors that an optimiser can move, and back again."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fourfold.priors import Prior
from fourfold.scene import Appearance, ControlNodeMotion, Gaussians, SceneObject, Skinning

HIDDEN_LOGIT = -12.0
"""Change of an opacity's logit that makes an object invisible in frames that do not show it."""


def cosine_appearance(
    frames: list[int], visible: list[int], num_gaussians: int, rank: int
) -> Appearance:
    """Start an appearance that changes smoothly in time: ``rank`` cosines, and being absent.

    Own: the first component fades the object out in trained frames that do not show it; the others
    are the first cosines over the clip, with coefficients that start at zero.
    """
    times = torch.tensor(frames, dtype=torch.float32)
    span = float(times[-1] - times[0]) + 1.0
    phase = (times - times[0] + 0.5) / span * torch.pi
    absent = torch.tensor([float(t not in visible) for t in frames])
    basis = torch.stack([absent, *(torch.cos(r * phase) for r in range(1, rank + 1))], 1)
    coefficients = torch.zeros(num_gaussians, rank + 1, 4)
    coefficients[:, 0, 3] = HIDDEN_LOGIT
    return Appearance(times, basis, coefficients)


@dataclass
class TrainableObject:
    """The visible side of an object, its motion and its appearance, as leaf tensors.

    The prior makes the whole object of the visible side each time it is drawn, so both sides stay
    in step. ``surface`` holds per-Gaussian tensors (N,...), ``joints`` those of the motion.
    """

    name: str
    surface: dict[str, Tensor]
    joints: dict[str, Tensor]
    motion: ControlNodeMotion
    appearance: Appearance
    prior: Prior

    @staticmethod
    def of(front: SceneObject, prior: Prior) -> "TrainableObject":
        """Take the tensors of an object that consists of its visible side only."""
        motion, appearance = front.motion, front.appearance
        assert isinstance(motion, ControlNodeMotion)
        assert appearance is not None
        surface = {**front.geometry.tensors(), "changes": appearance.coefficients[:, 1:, :3]}
        joints = {name: getattr(motion, name) for name in JOINTS}
        return TrainableObject(
            front.name, _leaves(surface), _leaves(joints), motion, appearance, prior
        )

    @property
    def front(self) -> Gaussians:
        """The visible side in the object's own frame."""
        return Gaussians(**{k: v for k, v in self.surface.items() if k != "changes"})

    def current_motion(self) -> ControlNodeMotion:
        """Return the motion with the present values of its joints."""
        return replace(self.motion, **self.joints)

    def current_appearance(self) -> Appearance:
        """Return the appearance with the present coefficients, of the visible side."""
        changes = torch.nn.functional.pad(self.surface["changes"], (0, 1))
        fixed = self.appearance.coefficients[:1, :1].expand(len(changes), -1, -1)
        return replace(self.appearance, coefficients=torch.cat([fixed, changes], 1))

    def bind(self) -> Skinning:
        """Compute which nodes move each Gaussian of the whole object."""
        return self.motion.bind(self.prior(self.front).means.detach())

    def at(self, time: float, skinning: Skinning) -> Gaussians:
        """Draw the whole object at a time."""
        shown = self.prior(self.current_appearance().apply(self.front, time))
        return self.current_motion().apply(shown, time, skinning)


JOINTS = ("node_quaternions", "node_translations", "translations")
"""The tensors of a motion that are optimised."""


def _leaves(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone().requires_grad_() for name, tensor in tensors.items()}
