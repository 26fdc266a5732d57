"""Flat cards before a wall, filmed by a camera that slides: every depth is a plain number.

The camera looks along +z and moves in x and y only. True depth is `units` times the depth in body
units. Of PAIR, the wall is at z = 8, card "blue" at z = 4, card "red" at z = 3: 8, 2 and 2 of
their own units. Blue slides to the right behind red, which slides to the left. In the middle of
the clip red hides part of blue, so 2 s_red < 2 s_blue; that both hide the wall, 2 s < 8, is true
all over the box of RANGE. So the valid half of the box is s_red < s_blue.
"""

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.capture import (
    Capture,
    KeyPoints,
    OsnFrames,
    OsnTruth,
    RigidBody,
    open_capture,
    write_osn,
)
from fourfold.geometry import rigid_matrix

WIDTH, HEIGHT, FOCAL, FRAMES = 48, 36, 48.0, 6
RANGE = (1.0, 3.0)
TESTS = ((1, 4), (4, 1))
"""(camera's frame, time's frame) of the test views."""
TINTS = torch.tensor([[0.5, 0.9, 0.5], [0.3, 0.4, 1.0], [1.0, 0.4, 0.3], [0.9, 0.9, 0.3]])


@dataclass(frozen=True)
class Film:
    """Cards, the wall first; `starts` and `speeds`: x of a card's middle in the middle of the clip
    and its way per frame; `heights`: its y; `half`: half the width and height of a card."""

    names: tuple[str, ...]
    depths: tuple[float, ...]
    units: tuple[float, ...]
    starts: tuple[float, ...]
    speeds: tuple[float, ...]
    heights: tuple[float, ...]
    half: tuple[float, float] = (0.75, 0.6)

    @property
    def num_bodies(self) -> int:
        return len(self.depths)

    def first(self, count: int) -> "Film":
        """Film the first bodies only."""
        cut = {name: getattr(self, name)[:count] for name in vars(self) if name != "half"}
        return replace(self, **cut)

    def place(self, body: int, frame: int) -> Float[Tensor, " 3"]:
        """Where the middle of a body is in the world."""
        x = self.starts[body] + self.speeds[body] * (frame - (FRAMES - 1) / 2)
        return torch.tensor([x, self.heights[body], self.depths[body]])

    def layers(self, camera: int, time: int) -> Float[Tensor, "K H W"]:
        """Every body's true depth from the camera of one frame at the time of another."""
        layers = []
        for body, depth in enumerate(self.depths):
            there = (self._on_card(camera, time, body).abs() <= torch.tensor(self.half)).all(-1)
            layer = torch.full((HEIGHT, WIDTH), depth)
            layers.append(layer.masked_fill(~there & (body > 0), torch.nan))
        return torch.stack(layers)

    def seen(self, camera: int, time: int) -> Int[Tensor, "H W"]:
        """Say who is seen."""
        return self.layers(camera, time).nan_to_num(torch.inf).argmin(0)

    def pictures(self, camera: int, time: int) -> Float[Tensor, "K H W 3"]:
        """Every body alone."""
        pictures = []
        for body in range(self.num_bodies):
            u, v = self._on_card(camera, time, body).unbind(-1)
            wave = 0.5 + 0.25 * torch.sin(3 * u + body) + 0.2 * torch.cos(4 * v + u)
            pictures.append(wave[..., None] * TINTS[body % len(TINTS)])
        return torch.stack(pictures)

    def body(self, index: int, frames: tuple[int, ...] = tuple(range(FRAMES))) -> RigidBody:
        """Give a body as structure from motion would: its own units, a key point in each pixel."""
        poses, pixels, found = {}, [], []
        for frame in frames:
            away = camera_place(frame) - self.place(index, frame)
            poses[frame] = rigid_matrix(torch.eye(3), away / self.units[index])
            y, x = torch.nonzero(self.seen(frame, frame) == index, as_tuple=True)
            pixels.append(torch.stack([x, y], 1) + 0.5)
            found.append(torch.full((len(x),), frame))
        count = sum(map(len, pixels))
        depth = torch.full((count,), self.depths[index] / self.units[index])
        ones = torch.ones(count)
        points = KeyPoints(torch.cat(pixels), depth, torch.cat(found), ones, ones)
        bounds = torch.tensor([[-5.0, -5.0, -0.1], [5.0, 5.0, 0.1]]) / self.units[index]
        return RigidBody(self.names[index], poses, bounds, RANGE if index else None, points)

    def film(self, pairs: list[tuple[int, int]]) -> OsnFrames:
        """Film from the camera of one frame at the time of another."""
        labels = [self.seen(*pair) for pair in pairs]
        pictures, layers = ([f(*pair) for pair in pairs] for f in (self.pictures, self.layers))
        bodies = range(self.num_bodies)
        return OsnFrames(
            images=[_pick(shown, label) for shown, label in zip(pictures, labels, strict=True)],
            focal=FOCAL,
            world_from_camera=torch.stack([_moved(camera_place(camera)) for camera, _ in pairs]),
            world_from_object=torch.stack(
                [torch.stack([_moved(self.place(k, time)) for k in bodies]) for _, time in pairs]
            ),
            labels=labels,
            depth=[
                _pick(layer[..., None], seen)[..., 0]
                for layer, seen in zip(layers, labels, strict=True)
            ],
            time_steps=[time for _, time in pairs],
            views=[camera for camera, _ in pairs],
        )

    def _on_card(self, camera: int, time: int, body: int) -> Float[Tensor, "H W 2"]:
        """Where the rays of OSN's pixels meet a body's plane, from the body's middle."""
        y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
        rays = torch.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL], -1)
        return rays * self.depths[body] + (camera_place(camera) - self.place(body, time))[:2]


PAIR = Film(
    ("background", "blue", "red"),
    depths=(8.0, 4.0, 3.0),
    units=(1.0, 2.0, 1.5),
    starts=(0.0, -0.25, 0.25),
    speeds=(0.0, 0.22, -0.22),
    heights=(0.0, 0.0, 0.0),
)
TRUE_SCALES = torch.tensor(PAIR.units[1:])
APART = replace(PAIR, starts=(0.0, -1.1, 1.0), speeds=(0.0, 0.04, 0.04))
"""Neither card ever hides the other."""
EIGHT = Film(
    ("background", *(f"card{k}" for k in range(8))),
    depths=(8.0, *(4.0, 3.0) * 4),
    units=(1.0, *(2.0, 1.5) * 4),
    starts=(0.0, -1.2, -0.6, 0.0, 0.5, -1.0, -0.5, 0.1, 0.6),
    speeds=(0.0, *(0.05, -0.05) * 4),
    heights=(0.0, *(-0.5,) * 4, *(0.5,) * 4),
    half=(0.4, 0.35),
)


def write_cards(folder: Path, film: Film = PAIR, truth: bool = True) -> Path:
    """Write a clip in OSN's layout, with exact poses and truth."""
    frames, tests = [(t, t) for t in range(FRAMES)], list(TESTS)
    return write_osn(
        folder,
        film.film(frames),
        film.film(tests) if truth else None,
        bodies=[film.body(k) for k in range(film.num_bodies)],
        true_scales=film.units,
        truth=OsnTruth(
            layers_train=[film.layers(*pair) for pair in frames],
            layers_test=[film.layers(*pair) for pair in tests],
            layer_images_test=[film.pictures(*pair) for pair in tests],
        )
        if truth
        else None,
    )


def cards(folder: Path, film: Film = PAIR) -> Capture:
    """Write a clip and open it."""
    return open_capture(write_cards(folder / "cards", film))


def with_bodies(capture: Capture, *bodies: RigidBody) -> Capture:
    """Give the same open capture, of whose bodies other things are known."""
    changed = copy(capture)
    vars(changed)["bodies"] = bodies
    return changed


def camera_place(frame: int) -> Float[Tensor, " 3"]:
    """Where the camera is in the world."""
    return torch.tensor([0.16 * (frame - (FRAMES - 1) / 2), 0.05 * frame, 0.0])


def _moved(place: Float[Tensor, " 3"]) -> Float[Tensor, "4 4"]:
    return rigid_matrix(torch.eye(3), place)


def _pick(layers: Float[Tensor, "K H W C"], labels: Int[Tensor, "H W"]) -> Float[Tensor, "H W C"]:
    index = labels[None, ..., None].expand(1, *layers.shape[1:])
    return layers.gather(0, index)[0]
