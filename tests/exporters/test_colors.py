"""Colours of depth, flow and objects: known answers."""

import torch

from fourfold.exporters import color_depth, color_flow, color_objects, object_colors

NAN = float("nan")


def test_depth_runs_from_red_to_blue_and_unknown_is_grey() -> None:
    image = color_depth(torch.tensor([[1.0, 4.0, NAN, 0.5, 9.0]]), near=1.0, far=4.0)
    near, far, unknown, nearer, farther = image[0]
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert torch.equal(unknown, torch.full((3,), 0.15))
    # what is outside of the range takes the colour of its end
    assert torch.equal(nearer, near)
    assert torch.equal(farther, far)


def test_depth_is_linear_in_its_inverse() -> None:
    # 1/2 is the middle of 1/1 and 1/inf, at every scale
    half = color_depth(torch.tensor([[2.0]]), 1.0, 1e9)
    same = color_depth(torch.tensor([[20.0]]), 10.0, 1e9)
    assert torch.equal(half, same)


def test_flow_has_the_hue_of_its_direction() -> None:
    flow = torch.tensor([[[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0], [1.0, 0.0], [NAN, 0.0]]])
    right, left, rest, slow, unknown = color_flow(flow, 2.0)[0]
    assert torch.allclose(right, torch.tensor([1.0, 0.0, 0.0]), atol=1e-5)  # hue 0: red
    assert torch.allclose(left, torch.tensor([0.0, 1.0, 1.0]), atol=1e-5)  # hue 1/2: cyan
    assert torch.allclose(rest, torch.ones(3))
    assert torch.allclose(slow, torch.tensor([1.0, 0.5, 0.5]), atol=1e-5)  # half the saturation
    assert torch.equal(unknown, torch.full((3,), 0.15))


def test_objects_are_tinted_and_the_background_is_dimmed() -> None:
    rgb = torch.full((1, 2, 3), 0.8)
    weights = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # background, then the object
    image = color_objects(rgb, weights, background=True)
    assert torch.allclose(image[0, 0], torch.full((3,), 0.35 * 0.8))
    expected = 0.45 * 0.8 + 0.55 * object_colors(1)[0]
    assert torch.allclose(image[0, 1], expected)


def test_twelve_objects_have_twelve_colours() -> None:
    colors = object_colors(12)
    distance = torch.cdist(colors, colors) + 10.0 * torch.eye(12)
    assert distance.min() > 0.1
    assert colors.min() >= 0.0
    assert colors.max() <= 1.0
