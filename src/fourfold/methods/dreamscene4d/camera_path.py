"""A camera for every frame, from those of the frames that were looked at."""

from collections.abc import Sequence

import torch

from fourfold.geometry import Camera, interpolate_cameras


def spread_cameras(
    cameras: Sequence[Camera], frames: Sequence[int], num_frames: int
) -> list[Camera]:
    """Give every frame a camera, between those of the frames that have one.

    Before the first and after the last of ``frames`` the camera stands still.
    """
    times = torch.tensor(frames, dtype=torch.float64)
    spread = []
    for frame in range(num_frames):
        after = int(torch.searchsorted(times, float(frame)).clamp(1, max(len(frames) - 1, 1)))
        gap = times[after] - times[after - 1] if len(frames) > 1 else torch.tensor(1.0)
        position = after - 1 + float((frame - times[after - 1]) / gap)
        spread.append(interpolate_cameras(cameras, min(max(position, 0.0), len(cameras) - 1.0)))
    return spread
