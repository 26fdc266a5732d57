"""Open a capture, say what is in it, and draw its objects over its frames.

    python examples/02_look_into_a_capture.py [CAPTURE] [FOLDER]

The capture is the embedded example by default; any input that `fourfold info` knows will do.
"""

import sys
from pathlib import Path

import torch

import fourfold as ff
from fourfold.exporters import color_objects, write_video
from fourfold.verbs.demo import example_path

path = Path(sys.argv[1]) if len(sys.argv) > 1 else example_path("juggler")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/capture")

capture = ff.open_capture(path, max_size=240)
print(capture)
print("channels:", ", ".join(sorted(capture.channels)))
for index, name in enumerate(capture.object_names):
    share = capture.areas[:, index].float().mean() / (capture.width * capture.height)
    print(f"{name}: {share:.1%} of the picture")


def overlay(frame: int) -> torch.Tensor:
    """Draw a frame with each of its objects in a colour of its own."""
    weights = capture.masks(frame).float().permute(1, 2, 0)  # (K, H, W) to (H, W, K)
    return color_objects(capture.image(frame), weights, background=False)


print(write_video(out / "objects.gif", map(overlay, range(capture.num_frames)), capture.fps))
