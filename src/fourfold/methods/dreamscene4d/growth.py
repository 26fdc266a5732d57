"""More Gaussians where the pictures ask for them: densification of every object's visible side."""

from torch import Tensor

from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.fit import Fit
from fourfold.splat import DensifyOptions, DensifyState, RasterMeta, densify_and_prune
from fourfold.training import generator

GROW_EVERY = 100
"""Steps between two densifications."""
GROW_FROM, GROW_UNTIL = 0.05, 0.6
"""Shares of all steps between which Gaussians are added."""
GROW_SHARE = 0.1
"""This share of an object's Gaussians grows each time: those whose place the pictures pull at most.
A share needs no threshold in units of the loss, which differ between views of different size."""
SPLIT_PIXELS = 1.5
"""A growing Gaussian with a larger standard deviation than this is split, a smaller one cloned."""
FAINT = 0.01
"""Opacity under which a Gaussian is pruned."""


def most_gaussians(clip: Clip, most: int) -> dict[str, int]:
    """Allow each object at most one Gaussian per pixel of its largest mask, and ``most``.

    More would only fit the noise of single frames, which shows from the side.
    """
    largest = clip.areas.amax(0).tolist()
    return {
        name: min(most, int(area)) for name, area in zip(clip.object_names, largest, strict=True)
    }


class Growth:
    """Watches how strongly pictures pull at Gaussians, and densifies from time to time."""

    def __init__(self, fit: Fit, most: dict[str, int], seed: int) -> None:
        """``most``: how many Gaussians each object's visible side may have."""
        self._most, self._seed = most, seed
        self.sums = {
            owner: DensifyState.zeros(len(moving.surface["means"]))
            for owner, moving in fit.objects.items()
        }

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return the running sums for a checkpoint."""
        return {
            owner: {"gradient_sum": sums.gradient_sum, "views": sums.views}
            for owner, sums in self.sums.items()
        }

    def load(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Go on from a checkpoint's sums."""
        self.sums = {owner: DensifyState(**tensors) for owner, tensors in state.items()}

    def watch(self, meta: RasterMeta, slices: dict[str, slice], pixels: int) -> None:
        """Add the gradients of one drawn view of ``pixels`` pixels, after backward.

        ``slices`` say where each object's visible side lies among the drawn Gaussians.
        """
        pull = meta.means2d_grad
        assert pull is not None
        for owner, part in slices.items():
            seen = (meta.radii[part] > 0).float()
            # The loss is a mean over pixels: times their number, views of any size count alike.
            self.sums[owner].gradient_sum += pull[part].norm(dim=-1) * pixels * seen
            self.sums[owner].views += seen

    def grow(self, fit: Fit, step: int, steps: int) -> None:
        """Densify when it is time to."""
        if step % GROW_EVERY or not GROW_FROM <= step / steps <= GROW_UNTIL:
            return
        for owner, moving in fit.objects.items():
            state = self.sums[owner]
            if not len(state.views):
                continue  # all of it has faded away, which the end of the training reports
            options = DensifyOptions(
                grow_gradient=_top_share(state.mean_gradient(), GROW_SHARE),
                split_scale=SPLIT_PIXELS,
                prune_opacity=FAINT,
                max_gaussians=self._most[owner],
            )
            densify_and_prune(
                moving.surface,
                {name: fit.optimizers[owner, name] for name in moving.surface},
                state,
                scene_scale=fit.units[owner],
                generator=generator(self._seed, "grow", owner, step),
                options=options,
            )
        fit.rebind()


def _top_share(values: Tensor, share: float) -> float:
    """Return the value that a share of all values exceeds."""
    rank = int(len(values) * (1 - share))
    return float(values.sort().values[min(max(rank, 0), len(values) - 1)])
