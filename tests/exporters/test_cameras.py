"""Exported cameras: coordinates of the capture, in nerfstudio's and COLMAP's conventions."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.exporters import undo_normalization, write_cameras
from fourfold.geometry import Camera, project_points, transform_points
from tests.tiny import tiny_camera, tiny_scene


def test_normalization_is_undone_so_that_pixels_stay() -> None:
    scene = tiny_scene()
    turned = torch.tensor([[0.0, 0, 1, 0.3], [0, 1, 0, -0.2], [-1, 0, 0, 2.0], [0, 0, 0, 1]])
    camera = tiny_camera().moved(turned)
    point = torch.tensor([-3.0, 0.4, 0.2])
    in_capture = transform_points(torch.linalg.inv(scene.normalization), point[None])[0]
    pixel, depth = project_points(camera, point)
    moved = undo_normalization(camera, scene.normalization)
    pixel_there, depth_there = project_points(moved, in_capture.double())
    assert depth > 0
    assert torch.allclose(pixel_there.float(), pixel, atol=1e-4)
    assert float(depth_there) == pytest.approx(2.0 * float(depth), rel=1e-5)  # twice as large


def test_transforms_json_has_opengl_axes_and_times(tmp_path: Path) -> None:
    shifted = torch.eye(4)
    shifted[0, 3] = -2.0  # the camera stands at x = 2
    cameras = [tiny_camera(), tiny_camera().moved(shifted)]
    write_cameras(tmp_path / "out", cameras, ["a.png", "b.png"], 10.0, torch.eye(4))
    content = json.loads((tmp_path / "out" / "transforms.json").read_text())
    first, second = content["frames"]
    assert (first["file_path"], second["file_path"]) == ("a.png", "b.png")
    assert (first["time"], second["time"]) == (0.0, 0.1)
    assert (first["fl_x"], first["cx"], first["cy"], first["w"]) == (48.0, 32.0, 24.0, 64)
    # x right, y up, z backward; the position is untouched by the change of axes
    expected = [[1, 0, 0, 2], [0, -1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]
    assert np.allclose(second["transform_matrix"], expected)


def test_colmap_reads_the_model(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    scene = tiny_scene()
    turned = torch.tensor([[0.0, 0, 1, 0.3], [0, 1, 0, -0.2], [-1, 0, 0, 2.0], [0, 0, 0, 1]])
    camera: Camera = tiny_camera().moved(turned)
    write_cameras(tmp_path / "out", [camera], ["a.png"], 10.0, scene.normalization)
    model = pycolmap.Reconstruction(str(tmp_path / "out" / "sparse" / "0"))
    image = next(iter(model.images.values()))
    assert image.name == "a.png"
    point = np.array([-3.0, 0.4, 0.2])
    ours, _ = project_points(camera, torch.tensor(point, dtype=torch.float32))
    there = (point - [-0.5, -1.0, -1.5]) / 0.5  # undo tiny_scene's normalisation by hand
    assert np.allclose(image.project_point(there), ours.numpy(), atol=1e-4)
