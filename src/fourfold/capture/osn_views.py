"""Views that an OSN capture keeps for testing, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture.depths import DEPTH_SUFFIXES, read_depth
from fourfold.capture.images import image_size, read_image
from fourfold.capture.label_maps import LABEL_SUFFIXES, read_label_map
from fourfold.capture.layers import read_layers
from fourfold.capture.mask_files import read_mask
from fourfold.capture.names import list_files, list_images, match_frame
from fourfold.capture.osn_transforms import OsnPose, OsnTransforms, read_osn_transforms
from fourfold.capture.sizes import scale_depth, scale_image, scale_mask
from fourfold.errors import InputError
from fourfold.geometry import Camera, invert_rigid


@dataclass(frozen=True, eq=False)
class TestView:
    """One picture that the input does not have; read when asked for, in working pixels.

    Attributes:
        name: of the picture.
        frame: index among the selected frames, of its time.
        camera: in the capture's world, which is the background's frame, in its units.
        combination: index into `RigidTruth.combinations` of the scene that is shown; None for the
            scene as filmed.
        image_path, label_path, depth_path, covisible_path, layers_path, layer_image_paths: files.
        depth_unit: true units per count of 16-bit depths.
    """

    # pytest would take the name for that of a test
    __test__ = False

    name: str
    frame: int
    camera: Camera
    combination: int | None
    depth_unit: float
    image_path: Path
    label_path: Path | None = None
    depth_path: Path | None = None
    covisible_path: Path | None = None
    layers_path: Path | None = None
    layer_image_paths: tuple[Path, ...] = ()

    @property
    def _size(self) -> tuple[int, int]:
        return self.camera.width, self.camera.height

    @property
    def _stored_size(self) -> tuple[int, int]:
        return image_size(self.image_path, self.name)

    def image(self) -> Float[Tensor, "H W 3"]:
        """Read the picture; float32 in [0, 1], transparent parts on white."""
        return self._read_image(self.image_path)

    def labels(self) -> Int[Tensor, "H W"] | None:
        """Read which body is seen, 0 for the background; int64; None where not stored."""
        if self.label_path is None:
            return None
        labels = read_label_map(self.label_path, self._stored_size, self.name)
        return torch.from_numpy(scale_depth(labels, self._size))

    def depth(self) -> Float[Tensor, "H W"] | None:
        """Read true z in true units, NaN where unknown; None where not stored."""
        if self.depth_path is None:
            return None
        depth = read_depth(self.depth_path, self._stored_size, self.depth_unit, self.name)
        return torch.from_numpy(np.ascontiguousarray(scale_depth(depth, self._size)))

    def covisible(self) -> Bool[Tensor, "H W"] | None:
        """Read which pixels training frames see too; None where not stored."""
        if self.covisible_path is None:
            return None
        mask = read_mask(self.covisible_path, self._stored_size, self.name)
        return torch.from_numpy(scale_mask(mask, self._size))

    def layers(self) -> Float[Tensor, "K H W"] | None:
        """Read true z of each body alone, NaN where it is not; None where not stored."""
        if self.layers_path is None:
            return None
        return read_layers(self.layers_path, self.depth_unit, self._size)

    def layer_images(self) -> Float[Tensor, "K H W 3"] | None:
        """Read each body alone; None where not stored."""
        if not self.layer_image_paths:
            return None
        return torch.stack([self._read_image(path) for path in self.layer_image_paths])

    def _read_image(self, path: Path) -> Float[Tensor, "H W 3"]:
        image = scale_image(read_image(path, self.name), self._size)
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).clamp_(0, 1)


def find_test_views(
    folder: Path, file: Path, combination: int | None, depth_unit: float, ratio: float
) -> list[tuple[TestView, OsnPose]]:
    """Find the pictures of the test views, with the cameras and times that the file gives them.

    Args:
        folder: of the capture.
        file: its `transforms_test.json`.
        combination: which scene; None for the one that was filmed.
        depth_unit: true units per count of 16-bit depths.
        ratio: working over stored size.

    Returns:
        Views in the file's world; `frame` is the file's time step, counted among all frames.

    Raises:
        InputError: files are missing or damaged, or do not fit together.
    """
    place = folder if combination is None else folder / "truth/combinations" / f"{combination:02d}"
    if not (place / "images_test").is_dir():
        raise InputError("there are no pictures of the test views", path=place / "images_test")
    pictures = list_images(place / "images_test")
    transforms = read_osn_transforms(file)
    found = []
    for name, pose in transforms.by_picture("images_test", tuple(pictures)).items():
        camera = _file_camera(transforms, pose, image_size(pictures[name], name), ratio)
        view = TestView(name, pose.time_step, camera, combination, depth_unit, pictures[name])
        view = replace(
            view,
            label_path=_beside(place / "segm_test", LABEL_SUFFIXES, name),
            depth_path=_beside(place / "depth_test", DEPTH_SUFFIXES, name),
            covisible_path=_beside(folder / "covis_mask", frozenset({".png"}), name),
        )
        found.append((view if combination is not None else _with_layers(view, folder), pose))
    return found


def _file_camera(
    transforms: OsnTransforms, pose: OsnPose, stored: tuple[int, int], ratio: float
) -> Camera:
    intrinsics = transforms.intrinsics(stored)
    camera = Camera(invert_rigid(pose.world_from_camera), intrinsics, *stored)
    return camera.resized(*(max(1, round(side * ratio)) for side in stored))


def _with_layers(view: TestView, folder: Path) -> TestView:
    layers = folder / "truth" / "layers_test" / f"{view.name}.npz"
    images = folder / "truth" / "layer_images_test"
    found = list_images(images) if images.is_dir() else {}
    names = [f"{view.name}_{body}" for body in range(len(found))]
    return replace(
        view,
        layers_path=layers if layers.is_file() else None,
        layer_image_paths=tuple(found[name] for name in names if name in found),
    )


def _beside(folder: Path, suffixes: frozenset[str], name: str) -> Path | None:
    found = list_files(folder, suffixes) if folder.is_dir() else {}
    match = match_frame(name, frozenset(found))
    return None if match is None else found[match]
