"""Cameras, rotations, rigid motions and similarities, projection, orbits, homographies, harmonics.

OpenCV axes (x right, y down, z forward), pixel centres at +0.5, quaternions wxyz, transforms
named `a_from_b`.
"""

from fourfold.geometry.camera import Camera
from fourfold.geometry.distortion import distort, undistort
from fourfold.geometry.focus import focus_point
from fourfold.geometry.harmonics import DC_BASIS, harmonics_basis, rotate_harmonics
from fourfold.geometry.homography import (
    apply_homography,
    homography_from_rotation,
    rotation_from_homography,
)
from fourfold.geometry.orbit import dreamscene4d_orbit, look_at, orbit_camera, upward_direction
from fourfold.geometry.projection import (
    interpolate_cameras,
    log_depth_ratio,
    project_points,
    unproject_pixels,
)
from fourfold.geometry.rigid import (
    decompose_similarity,
    fit_similarity,
    invert_rigid,
    invert_similarity,
    rigid_matrix,
    similarity_matrix,
    transform_points,
)
from fourfold.geometry.rotation import (
    axis_angle_to_quaternion,
    closest_rotation,
    matrix_to_quaternion,
    normalize_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_slerp,
    quaternion_to_matrix,
)

__all__ = [
    "DC_BASIS",
    "Camera",
    "apply_homography",
    "axis_angle_to_quaternion",
    "closest_rotation",
    "decompose_similarity",
    "distort",
    "dreamscene4d_orbit",
    "fit_similarity",
    "focus_point",
    "harmonics_basis",
    "homography_from_rotation",
    "interpolate_cameras",
    "invert_rigid",
    "invert_similarity",
    "look_at",
    "matrix_to_quaternion",
    "normalize_quaternion",
    "orbit_camera",
    "log_depth_ratio",
    "project_points",
    "quaternion_conjugate",
    "quaternion_multiply",
    "quaternion_rotate",
    "quaternion_slerp",
    "quaternion_to_matrix",
    "rigid_matrix",
    "rotate_harmonics",
    "rotation_from_homography",
    "similarity_matrix",
    "transform_points",
    "undistort",
    "unproject_pixels",
    "upward_direction",
]
