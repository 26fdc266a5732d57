"""The pinhole camera."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry.distortion import undistort
from fourfold.geometry.rigid import invert_rigid


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with OpenCV axes: x right, y down, z forward.

    `camera_from_world` (4,4) is rigid. `intrinsics` (3,3) are in pixels; the centre of the first
    pixel is at (0.5, 0.5), so an image spans 0 … width, 0 … height. `distortion` holds OpenCV's
    k1, k2, p1, p2[, k3], or None for an ideal lens, which is what readers hand on.
    """

    camera_from_world: Float[Tensor, "4 4"]
    intrinsics: Float[Tensor, "3 3"]
    width: int
    height: int
    distortion: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.camera_from_world.shape != (4, 4) or self.intrinsics.shape != (3, 3):
            raise ValueError(
                "a camera needs a 4x4 camera_from_world and 3x3 intrinsics, got "
                f"{tuple(self.camera_from_world.shape)} and {tuple(self.intrinsics.shape)}"
            )
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a camera of {self.width}x{self.height} pixels has no image")

    @staticmethod
    def from_fov(
        width: int,
        height: int,
        vertical_fov_degrees: float = 49.1,
        camera_from_world: Float[Tensor, "4 4"] | None = None,
    ) -> "Camera":
        """Build a camera with square pixels and a centred axis from its vertical field of view.

        The default of 49.1 degrees is DreamScene4D's. Without a pose the camera stands in the
        origin and looks along +z.

        >>> Camera.from_fov(200, 100, 90.0).intrinsics
        tensor([[ 50.,   0., 100.],
                [  0.,  50.,  50.],
                [  0.,   0.,   1.]])
        """
        if not 0.0 < vertical_fov_degrees < 180.0:
            raise ValueError(f"a field of view of {vertical_fov_degrees} degrees is impossible")
        pose = torch.eye(4) if camera_from_world is None else camera_from_world
        focal = 0.5 * height / math.tan(math.radians(vertical_fov_degrees) / 2)
        matrix = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
        return Camera(pose, pose.new_tensor(matrix), width, height)

    @property
    def world_from_camera(self) -> Float[Tensor, "4 4"]:
        """The camera's pose in the world."""
        return invert_rigid(self.camera_from_world)

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The optical centre in the world."""
        return self.world_from_camera[:3, 3]

    @property
    def forward(self) -> Float[Tensor, "3"]:
        """The unit viewing direction in the world."""
        return self.camera_from_world[2, :3]

    @property
    def focal(self) -> tuple[float, float]:
        """The focal lengths (fx, fy) in pixels."""
        return float(self.intrinsics[0, 0]), float(self.intrinsics[1, 1])

    @property
    def vertical_fov(self) -> float:
        """The vertical field of view in degrees, as if the axis went through the middle."""
        return math.degrees(2.0 * math.atan(0.5 * self.height / self.focal[1]))

    def resized(self, width: int, height: int) -> "Camera":
        """Give the camera of the same view with another number of pixels."""
        factors = [[width / self.width], [height / self.height], [1.0]]
        intrinsics = self.intrinsics * self.intrinsics.new_tensor(factors)
        return replace(self, intrinsics=intrinsics, width=width, height=height)

    def scaled(self, factor: float) -> "Camera":
        """Give the camera of the same view with so many times its pixels per side, one at least."""
        width, height = round(factor * self.width), round(factor * self.height)
        return self.resized(max(width, 1), max(height, 1))

    def cropped(self, x: int, y: int, width: int, height: int) -> "Camera":
        """Give the camera of the image part whose upper left pixel is (x, y).

        The part may reach over the image's borders: the view is then widened.
        """
        shift = [[0.0, 0.0, -x], [0.0, 0.0, -y], [0.0, 0.0, 0.0]]
        intrinsics = self.intrinsics + self.intrinsics.new_tensor(shift)
        return replace(self, intrinsics=intrinsics, width=width, height=height)

    def moved(self, camera_from_world: Float[Tensor, "4 4"]) -> "Camera":
        """Give the same camera at another pose."""
        return replace(self, camera_from_world=camera_from_world)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Camera":
        """Give the camera with its tensors on another device or of another type."""
        return replace(
            self,
            camera_from_world=self.camera_from_world.to(device=device, dtype=dtype),
            intrinsics=self.intrinsics.to(device=device, dtype=dtype),
        )

    def pixel_grid(self) -> Float[Tensor, "H W 2"]:
        """Give the pixel centres (x, y): the first is (0.5, 0.5)."""
        like = {"dtype": self.intrinsics.dtype, "device": self.intrinsics.device}
        y, x = torch.meshgrid(
            torch.arange(self.height, **like) + 0.5,
            torch.arange(self.width, **like) + 0.5,
            indexing="ij",
        )
        return torch.stack((x, y), dim=-1)

    def directions(self, pixels: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3"]:
        """Give the camera-frame points at depth z = 1 that are seen at `pixels`."""
        k = self.intrinsics
        y = (pixels[..., 1] - k[1, 2]) / k[1, 1]
        x = (pixels[..., 0] - k[0, 2] - k[0, 1] * y) / k[0, 0]
        plane = torch.stack((x, y), dim=-1)
        if self.distortion is not None:
            plane = undistort(plane, self.distortion)
        return torch.cat((plane, torch.ones_like(plane[..., :1])), dim=-1)

    def rays(self) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W 3"]]:
        """Give the origin and the unit direction of each pixel centre's ray, in the world."""
        world_from_camera = self.world_from_camera
        directions = self.directions(self.pixel_grid()) @ world_from_camera[:3, :3].mT
        return world_from_camera[:3, 3].expand_as(directions), functional.normalize(
            directions, dim=-1
        )
