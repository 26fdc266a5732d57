"""Film a rigid stage and write it, with its truth, in OSN's layout."""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture import OsnFrames, OsnTruth, RigidBody, write_osn
from fourfold.geometry import invert_rigid
from fourfold.synthetic.exact_bodies import exact_bodies, observed_bounds
from fourfold.synthetic.footage import Filming, Footage, film, noise_seeds
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.solution_draw import draw_solutions
from fourfold.synthetic.stage import to_world
from fourfold.synthetic.takes import Shot, choose_tests, shot
from fourfold.synthetic.writing import DEPTH_UNIT, Storage


def count_pictures(rigid: RigidStage, frames: int) -> int:
    """Count the pictures that are rendered: frames, test views, bodies alone, solutions."""
    tests = len(choose_tests(frames))
    return frames + tests * (1 + len(rigid.props) + 1 + rigid.solutions)


def synthesize_rigid(
    rigid: RigidStage,
    out: str | PathLike[str],
    filming: Filming,
    storage: Storage,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film a rigid stage and write it in OSN's `indoor` layout with poses, bodies and truth.

    Test views are cameras of other training frames at a time. The preprocessed folder holds what
    a perfect structure from motion would find (`exact_bodies`). The world's origin is the middle
    of the part of the room that is seen, which is the background's frame.

    Raises:
        UsageError: frames so few or small that a body is in none, or too few solutions are valid.
        OutputError: it cannot be written; what was there stays.
    """
    done = _Counter(count_pictures(rigid, filming.frames), progress)
    seeds = noise_seeds(filming.seed)
    footage = film(rigid, filming, seeds, done)
    names = [prop.name for prop in rigid.props]
    bounds = observed_bounds(footage.seen)
    sizes = [bounds[1] - bounds[0], *(_size(prop.solid) for prop in rigid.props)]
    moved = footage.moved(-bounds.mean(0))
    bodies, true_scales = exact_bodies(
        moved.seen, names, moved.world_from_object, torch.stack(sizes), storage.points_across
    )
    solutions = _draw(rigid, footage, bodies, true_scales, filming.seed)
    filmed = [
        _film_solution(rigid, filming, footage, factors, seeds, done) for factors in solutions
    ]
    truth = OsnTruth(
        layers_train=[take.layers for take in footage.takes],
        layers_test=[take.layers for take in footage.test_takes],
        layer_images_test=footage.test_layers,
        combinations=solutions if len(solutions) else None,
        combination_tests=[_frames(moved, shots, moved.tests) for shots in filmed] or None,
    )
    return write_osn(
        out,
        _frames(moved, moved.takes, [(frame, frame) for frame in range(filming.frames)]),
        _frames(moved, moved.test_takes, moved.tests),
        bodies=bodies,
        true_scales=true_scales,
        truth=truth,
        depth_unit=DEPTH_UNIT,
        compact=storage.compact,
        jpeg_quality=storage.jpeg_quality,
    )


class _Counter:
    """Tells how many pictures are done."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._total, self._progress = total, progress
        self._done = 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _size(solid: Solid) -> Float[Tensor, "3"]:
    low, high = solid.bounds
    return torch.from_numpy(high - low).float()


def _frames(footage: Footage, shots: Sequence[Shot], pairs: Sequence[tuple[int, int]]) -> OsnFrames:
    """Put pictures of (view, time step) together for the writer."""
    views, steps = (list(column) for column in zip(*pairs, strict=True))
    poses = [invert_rigid(footage.cameras[view].camera_from_world.double()) for view in views]
    return OsnFrames(
        images=[shot.image for shot in shots],
        focal=footage.cameras[0].focal[0],
        world_from_camera=torch.stack(poses),
        world_from_object=footage.world_from_object[steps],
        labels=[shot.labels for shot in shots],
        depth=[shot.depth for shot in shots],
        time_steps=steps,
        views=views,
    )


def _draw(
    rigid: RigidStage,
    footage: Footage,
    bodies: Sequence[RigidBody],
    true_scales: Sequence[float],
    seed: int,
) -> Float[Tensor, "M J"]:
    """Draw the stage's solutions, as factors over what was filmed."""
    if not rigid.solutions:
        return torch.zeros(0, len(rigid.props))
    ranges = torch.tensor([body.scale_range for body in bodies[1:]])
    true = torch.tensor(true_scales[1:]) / true_scales[0]
    layers = [take.layers for take in footage.takes]
    labels = [take.labels for take in footage.takes]
    return draw_solutions(layers, labels, ranges / true[:, None], rigid.solutions, seed)


def _film_solution(
    rigid: RigidStage,
    filming: Filming,
    footage: Footage,
    factors: Float[Tensor, "J"],
    seeds: Iterator[int],
    done: Callable[[], None],
) -> list[Shot]:
    """Film the test views of the stage with its props enlarged about each frame's own camera.

    Each picture has noise of its own, so that a mean over solutions averages it out.
    """
    shots = []
    for view, step in footage.tests:
        centre = to_world(footage.cameras[step].position.numpy().astype(np.float64))
        stage = rigid.enlarged(factors.double().numpy(), centre).stage
        scene = FilmedScene(stage, filming.time(rigid, step))
        shots.append(shot(scene, footage.cameras[view], filming.samples, next(seeds)))
        done()
    return shots
