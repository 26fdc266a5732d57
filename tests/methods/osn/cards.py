"""Two flat cards before a wall, filmed by a camera that slides: every depth is a plain number.

The wall is at z = 8, card "blue" at z = 4, card "red" at z = 3; the camera looks along +z and moves
in x and y only. Blue slides to the right behind red, which slides to the left. True depth is
UNITS[k] times the depth in body units: the wall is at 8, blue at 2 and red at 2 of their own units.
In the middle of the clip red hides part of blue, so 2 s_red < 2 s_blue; that both hide the wall,
2 s < 8, is true all over the box of RANGES. So the valid half of the box is s_red < s_blue.
"""

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
DEPTHS = (8.0, 4.0, 3.0)
UNITS = (1.0, 2.0, 1.5)
NAMES = ("background", "blue", "red")
RANGES = (None, (1.0, 3.0), (1.0, 3.0))
TRUE_SCALES = (1.0, 2.0, 1.5)
HALF = torch.tensor([0.75, 0.6])
"""Half the width and height of a card."""
TESTS = ((1, 4), (4, 1))
"""(camera's frame, time's frame) of the test views."""


def write_cards(folder: Path, bodies: int = 3, truth: bool = True) -> Path:
    """Write the clip with its first bodies in OSN's layout, with exact poses and truth."""
    frames = [(t, t) for t in range(FRAMES)]
    return write_osn(
        folder,
        _film(frames, bodies),
        _film(TESTS, bodies) if truth else None,
        bodies=[rigid_body(k) for k in range(bodies)],
        true_scales=UNITS[:bodies],
        truth=OsnTruth(
            layers_train=[_layers(*pair, bodies) for pair in frames],
            layers_test=[_layers(*pair, bodies) for pair in TESTS],
            layer_images_test=[_pictures(*pair, bodies) for pair in TESTS],
        )
        if truth
        else None,
    )


def cards(folder: Path, bodies: int = 3) -> Capture:
    """Write the clip and open it."""
    return open_capture(write_cards(folder / "cards", bodies))


def camera_place(frame: int) -> Float[Tensor, " 3"]:
    """Where the camera is in the world."""
    return torch.tensor([0.16 * (frame - (FRAMES - 1) / 2), 0.05 * frame, 0.0])


def card_place(body: int, frame: int) -> Float[Tensor, " 3"]:
    """Where the middle of a body is in the world."""
    along = 0.22 * (frame - (FRAMES - 1) / 2)
    x = (0.0, along - 0.25, 0.25 - along)[body]
    return torch.tensor([x, 0.0, DEPTHS[body]])


def rigid_body(body: int, frames: tuple[int, ...] = tuple(range(FRAMES))) -> RigidBody:
    """Give a body as structure from motion would: its own units, a key point in every pixel."""
    poses, pixels, found = {}, [], []
    for frame in frames:
        away = camera_place(frame) - card_place(body, frame)
        poses[frame] = rigid_matrix(torch.eye(3), away / UNITS[body])
        y, x = torch.nonzero(seen(frame, frame, 3) == body, as_tuple=True)
        pixels.append(torch.stack([x, y], 1) + 0.5)
        found.append(torch.full((len(x),), frame))
    count = sum(map(len, pixels))
    depth = torch.full((count,), DEPTHS[body] / UNITS[body])
    points = KeyPoints(
        torch.cat(pixels), depth, torch.cat(found), torch.ones(count), torch.ones(count)
    )
    bounds = torch.tensor([[-5.0, -5.0, -0.1], [5.0, 5.0, 0.1]]) / UNITS[body]
    return RigidBody(NAMES[body], poses, bounds, RANGES[body], points)


def seen(camera: int, time: int, bodies: int) -> Int[Tensor, "H W"]:
    """Say who is seen from the camera of one frame at the time of another."""
    depth = _layers(camera, time, bodies).nan_to_num(torch.inf)
    return depth.argmin(0)


def _film(pairs: list[tuple[int, int]] | tuple[tuple[int, int], ...], bodies: int) -> OsnFrames:
    labels = [seen(camera, time, bodies) for camera, time in pairs]
    pictures = [_pictures(camera, time, bodies) for camera, time in pairs]
    layers = [_layers(camera, time, bodies) for camera, time in pairs]
    return OsnFrames(
        images=[_pick(shown, label) for shown, label in zip(pictures, labels, strict=True)],
        focal=FOCAL,
        world_from_camera=torch.stack([_moved(camera_place(camera)) for camera, _ in pairs]),
        world_from_object=torch.stack(
            [
                torch.stack([_moved(card_place(body, time)) for body in range(bodies)])
                for _, time in pairs
            ]
        ),
        labels=labels,
        depth=[
            _pick(layer[..., None], seen)[..., 0]
            for layer, seen in zip(layers, labels, strict=True)
        ],
        time_steps=[time for _, time in pairs],
        views=[camera for camera, _ in pairs],
    )


def _moved(place: Float[Tensor, " 3"]) -> Float[Tensor, "4 4"]:
    return rigid_matrix(torch.eye(3), place)


def _pick(layers: Float[Tensor, "K H W C"], labels: Int[Tensor, "H W"]) -> Float[Tensor, "H W C"]:
    index = labels[None, ..., None].expand(1, *layers.shape[1:])
    return layers.gather(0, index)[0]


def _on_card(camera: int, time: int, body: int) -> Float[Tensor, "H W 2"]:
    """Where the rays of OSN's pixels meet a body's plane, from the body's middle."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    rays = torch.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL], -1)
    place = camera_place(camera)[:2] - card_place(body, time)[:2]
    return rays * DEPTHS[body] + place


def _layers(camera: int, time: int, bodies: int) -> Float[Tensor, "K H W"]:
    layers = []
    for body in range(bodies):
        there = (_on_card(camera, time, body).abs() <= HALF).all(-1) | (body == 0)
        layers.append(torch.full((HEIGHT, WIDTH), DEPTHS[body]).masked_fill(~there, torch.nan))
    return torch.stack(layers)


def _pictures(camera: int, time: int, bodies: int) -> Float[Tensor, "K H W 3"]:
    pictures = []
    for body in range(bodies):
        u, v = _on_card(camera, time, body).unbind(-1)
        wave = 0.5 + 0.25 * torch.sin(3 * u + body) + 0.2 * torch.cos(4 * v + u)
        tint = torch.tensor([[0.5, 0.9, 0.5], [0.3, 0.4, 1.0], [1.0, 0.4, 0.3]][body])
        pictures.append(wave[..., None] * tint)
    return torch.stack(pictures)
