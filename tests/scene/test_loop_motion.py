"""Matter that flows in a loop: its copies, its paths, its pictures."""

from dataclasses import replace

import pytest
import torch

from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.scene import Gaussians, LoopMotion, Scene, SceneObject, StaticMotion
from fourfold.scene.loop_motion import LoopCopy

WIDTH, HEIGHT, PERIOD = 48, 32, 12.0
INTRINSICS = torch.tensor([[40.0, 0.0, 24.0], [0.0, 40.0, 16.0], [0.0, 0.0, 1.0]])
CAMERA = Camera(torch.eye(4), INTRINSICS, WIDTH, HEIGHT)


def _motion(phases: int = 1, cycles: float = 2.0, speed: float = 1.0) -> LoopMotion:
    """A stream to the right in the middle rows, on a plane that comes nearer to the right."""
    velocity = torch.zeros(HEIGHT, WIDTH, 2)
    velocity[..., 0] = speed
    surface = (5.0 - 0.02 * torch.arange(WIDTH)).expand(HEIGHT, WIDTH).contiguous()
    presence = torch.zeros(HEIGHT, WIDTH)
    presence[8:24] = 1.0
    return LoopMotion(
        velocity,
        surface,
        presence,
        torch.full((HEIGHT, WIDTH), cycles),
        torch.full((phases, HEIGHT, WIDTH), 1.0 / phases),
        torch.tensor(PERIOD),
        INTRINSICS,
        torch.eye(4),
    )


def _pixels(rows: slice) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(HEIGHT)[rows], torch.arange(WIDTH), indexing="ij")
    return torch.stack((x, y), -1).reshape(-1, 2) + 0.5


def _sheet(pixels: torch.Tensor, motion: LoopMotion, farther: float = 1.0) -> Gaussians:
    depth = motion.surface[pixels[:, 1].long(), pixels[:, 0].long()] * farther
    random = torch.Generator().manual_seed(len(pixels))
    colors = torch.rand(len(pixels), 3, generator=random)
    points = unproject_pixels(CAMERA, pixels, depth)
    return Gaussians.from_colors(
        points, colors, depth[:, None] / 80, torch.full((len(points),), 0.95)
    )


def _scene(motion: LoopMotion) -> Scene:
    banks = _sheet(_pixels(slice(None)), motion, farther=1.02)
    stream = _sheet(_pixels(slice(8, 24)), motion)
    objects = [
        SceneObject("background", banks, StaticMotion()),
        SceneObject("stream", stream, motion),
    ]
    return Scene(objects, [CAMERA] * int(PERIOD), period=PERIOD, eps2d=0.1)


def test_the_forward_copy_leaves_and_the_backward_copy_arrives():
    motion, points = (
        _motion(),
        unproject_pixels(CAMERA, torch.tensor([[20.0, 16.0]]), torch.tensor([4.61])),
    )
    forward, backward = motion.copies(3.0)  # half of a sub-loop of 6 frames
    for copy, column in ((forward, 23.0), (backward, 17.0)):
        pixels, depth = project_points(CAMERA, copy.move_points(points, 3.0))
        torch.testing.assert_close(pixels, torch.tensor([[column, 16.0]]), atol=1e-3, rtol=0)
        # as far behind the surface as it was, in proportion: 4.61 at a surface of 4.61
        torch.testing.assert_close(
            depth, torch.tensor([5.0 - 0.02 * (column - 0.5)]), atol=1e-4, rtol=0
        )


def test_copies_go_on_where_the_loop_turns():
    motion, points = (
        _motion(),
        unproject_pixels(CAMERA, torch.tensor([[20.0, 16.0]]), torch.tensor([4.61])),
    )
    forward = motion.copies(5.5)[0]
    ahead, _ = project_points(CAMERA, forward.move_points(points, 6.5))
    torch.testing.assert_close(ahead[0, 0], torch.tensor(26.5), atol=1e-3, rtol=0)


@pytest.mark.parametrize("phases", [1, 3])
def test_shares_sum_to_one_at_any_time(phases: int):
    motion = _motion(phases)
    stream = _sheet(_pixels(slice(8, 24)), motion)
    for time in (0.0, 1.3, 5.9, 11.0):
        shares = [copy.share(stream, time) for copy in motion.copies(time)]
        torch.testing.assert_close(torch.stack(shares).sum(0), torch.ones(len(stream)))


def test_where_matter_comes_to_the_bank_it_vanishes():
    motion = replace(_motion(), presence=_motion().presence * (torch.arange(WIDTH) < 24))
    stream = _sheet(torch.tensor([[20.5, 16.5], [10.5, 16.5]]), motion)
    moved = motion.copies(5.9)[0].apply(stream, 5.9)
    assert moved.opacities[0] < 1e-3  # at column 26.4
    torch.testing.assert_close(moved.opacities[1], torch.tensor(0.95), atol=1e-3, rtol=0)


def test_the_loop_closes_exactly_from_any_camera():
    scene = _scene(_motion(2))
    pose = torch.eye(4)
    pose[0, 3] = 0.3
    camera = Camera(pose, INTRINSICS, WIDTH, HEIGHT)
    first, last = (scene.render(camera, time)["rgb"] for time in (0.0, PERIOD))
    assert torch.equal(first, last)
    before = scene.render(camera, PERIOD - 1e-3)["rgb"]
    torch.testing.assert_close(before, first, atol=2e-2, rtol=0)
    middle = scene.render(camera, 1.6)["rgb"]
    assert float((middle - first).abs().max()) > 0.1


def test_at_time_0_everything_is_in_its_place():
    motion = _motion()
    scene = _scene(motion)
    still = replace(scene, objects=[replace(item, motion=StaticMotion()) for item in scene.objects])
    torch.testing.assert_close(
        scene.render(CAMERA, 0.0)["rgb"], still.render(CAMERA, 0.0)["rgb"], atol=1e-5, rtol=0
    )


def test_beyond_the_banks_nothing_changes():
    scene = _scene(_motion(2))
    first, later = (scene.render(CAMERA, time)["rgb"] for time in (0.0, 4.3))
    calm = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    calm[4:28] = False
    torch.testing.assert_close(first[calm], later[calm], atol=1e-6, rtol=0)


def test_flow_is_the_velocity_also_where_the_loop_turns():
    scene = _scene(_motion())
    for time in (2.0, 5.5, PERIOD - 0.5):
        flow = scene.render(CAMERA, time, outputs=("flow",))["flow"]
        inner = flow[12:20, 12:36]
        torch.testing.assert_close(inner[..., 0], torch.ones(8, 24), atol=0.05, rtol=0)
        assert float(inner[..., 1].abs().max()) < 0.01
        assert not flow[:4].any()


def test_later_pictures_are_drawn_only_where_they_matter():
    """Leaving out what is far from the stream changes nothing: both copies, drawn whole."""
    from fourfold.scene import loop_drawing

    scene = _scene(_motion(2))
    found = scene.render(CAMERA, 4.3, outputs=("rgb", "depth", "alpha", "objects", "flow"))
    with pytest.MonkeyPatch.context() as patch:
        everything = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
        patch.setattr(loop_drawing, "_area", lambda *_: everything)
        patch.setattr(loop_drawing._Still, "near", lambda *_: [None, None])
        whole = scene.render(CAMERA, 4.3, outputs=("rgb", "depth", "alpha", "objects", "flow"))
    for name, picture in found.items():
        torch.testing.assert_close(picture, whole[name], atol=2e-3, rtol=1e-3, equal_nan=True)


def test_matter_is_followed_beyond_a_sub_loop():
    motion = _motion()
    points = unproject_pixels(CAMERA, torch.tensor([[8.0, 16.0]]), torch.tensor([4.85]))
    path = motion.trajectory(points, torch.tensor([0.0, 6.0, 11.0]))
    pixels, _ = project_points(CAMERA, path)
    torch.testing.assert_close(pixels[:, 0, 0], torch.tensor([8.0, 14.0, 19.0]), atol=1e-3, rtol=0)


def test_who_cannot_blend_gets_all_copies_with_part_of_the_opacity():
    motion = _motion()
    stream = _sheet(torch.tensor([[20.5, 16.5]]), motion)
    at_rest = motion.apply(stream, 0.0)
    assert len(at_rest) == 2
    torch.testing.assert_close(at_rest.opacities, torch.tensor([0.95, 0.0]), atol=1e-4, rtol=0)
    # two coincident copies of shares 1/2 make up the whole: 1 - (1 - a)^(1/2) each
    half = replace(motion, velocity=torch.zeros_like(motion.velocity)).apply(stream, 3.0)
    torch.testing.assert_close(
        1 - (1 - half.opacities).prod(), torch.tensor(0.95), atol=1e-4, rtol=0
    )


def test_a_looping_scene_is_saved_and_loaded(tmp_path):
    scene = _scene(_motion(2))
    scene.save(tmp_path / "scene")
    loaded = Scene.load(tmp_path / "scene")
    assert loaded.eps2d == 0.1
    assert torch.equal(scene.render(CAMERA, 4.0)["rgb"], loaded.render(CAMERA, 4.0)["rgb"])


def test_drawing_a_loop_is_differentiable_in_its_colours():
    scene = _scene(_motion())
    stream = scene.objects[1]
    harmonics = stream.geometry.harmonics.clone().requires_grad_()
    moving = replace(stream, geometry=replace(stream.geometry, harmonics=harmonics))
    picture = replace(scene, objects=[scene.objects[0], moving]).render(CAMERA, 2.0)["rgb"]
    picture.sum().backward()
    assert harmonics.grad is not None
    assert bool(harmonics.grad.isfinite().all())
    assert float(harmonics.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    "change",
    [
        {"cycles": torch.full((HEIGHT, WIDTH), 1.5)},
        {"presence": torch.zeros(3, 3)},
        {"surface": torch.zeros(HEIGHT, WIDTH)},
        {"period": torch.tensor(0.0)},
    ],
)
def test_maps_that_do_not_fit_are_refused(change):
    with pytest.raises(ValueError, match=r"cycles|presence|positive"):
        replace(_motion(), **change)


def test_a_copy_is_not_saved():
    copy = _motion().copies(0.0)[0]
    assert isinstance(copy, LoopCopy)
    with pytest.raises(TypeError, match="not saved"):
        copy.tensors()


def _alone(stream: Gaussians, motion: LoopMotion) -> Scene:
    """A stream without banks, before white."""
    objects = [SceneObject("stream", stream, motion)]
    return Scene(objects, [CAMERA], period=PERIOD, background_color=torch.ones(3))


def test_where_nothing_is_the_background_is_seen():
    motion = replace(_motion(2), presence=torch.ones(HEIGHT, WIDTH))
    scene = _alone(_sheet(_pixels(slice(8, 24)), motion), motion)
    drawn = scene.render(CAMERA, 4.3, outputs=("rgb", "alpha", "objects", "flow"))
    assert all(bool(picture.isfinite().all()) for picture in drawn.values())
    torch.testing.assert_close(drawn["rgb"][4:6], torch.ones(2, WIDTH, 3), atol=1e-4, rtol=0)
    assert not drawn["alpha"][4:6].any()


def test_a_copy_that_hardly_counts_is_hardly_seen_where_it_is_alone():
    motion = replace(_motion(), presence=torch.ones(HEIGHT, WIDTH))
    stream = _sheet(_pixels(slice(8, 24)), motion)
    right = stream.select(project_points(CAMERA, stream.means)[0][:, 0] > 24)
    # at once the arriving copy is six pixels upstream, before nothing
    first, second = (_alone(right, motion).render(CAMERA, time)["rgb"] for time in (0.0, 1e-6))
    torch.testing.assert_close(first, second, atol=1e-2, rtol=0)


def test_a_looping_object_without_matter_is_no_obstacle():
    scene = _scene(_motion())
    empty = _sheet(_pixels(slice(0)), _motion())
    objects = [scene.objects[0], SceneObject("stream", empty, _motion())]
    still = replace(scene, objects=scene.objects[:1])
    pictures = [
        each.render(CAMERA, 2.0)["rgb"] for each in (replace(scene, objects=objects), still)
    ]
    assert torch.equal(*pictures)


def test_drawing_a_loop_is_differentiable_in_its_velocity_at_each_step():
    motion = _motion()
    velocity = motion.velocity.clone().requires_grad_()
    scene = _scene(replace(motion, velocity=velocity))
    with torch.no_grad():
        before = scene.render(CAMERA, 2.0)["rgb"]
    for _ in range(2):
        velocity.grad = None
        scene.render(CAMERA, 2.0)["rgb"].square().sum().backward()
        assert velocity.grad is not None
        assert float(velocity.grad.abs().sum()) > 0
    with torch.no_grad():
        velocity.mul_(0.5)
        after = scene.render(CAMERA, 2.0)["rgb"]
    assert float((after - before).abs().max()) > 0.05
