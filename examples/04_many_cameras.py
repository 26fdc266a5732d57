"""Train on the footage of several cameras with and without depth, and look at what moves.

    python examples/04_many_cameras.py [CAPTURE] [FOLDER] [STEPS]

The capture is the embedded example by default. A model of one still per camera comes first; its
depth then guides the voxels of the whole clip.
"""

import sys
from pathlib import Path

import fourfold as ff
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from fourfold.verbs.demo import example_path

path = Path(sys.argv[1]) if len(sys.argv) > 1 else example_path("arena")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/arena")
steps = int(sys.argv[3]) if len(sys.argv) > 3 else 400

capture = ff.open_capture(path, max_size=128, frames="0:6")
print(f"training on {', '.join(capture.train_views)}; {capture.held_out_views[0]} is held out")
voxels = VoxelConfig(resolution=64, iterations=steps)
still = ff.train(
    "mixvoxels", capture, out=out / "still", config=MixVoxelsConfig(static=True, voxels=voxels)
)
settings = MixVoxelsConfig(depth=f"static:{still.path}", voxels=voxels)
run = ff.train("mixvoxels", capture, out=out / "run", config=settings)

scene = ff.Scene.load(run.scene_folder)
for item in scene.objects:
    print(f"{item.name}: {len(item.at(2.5))} voxels are seen between frames 2 and 3")
camera = capture.held_out_views[0]
for video in ff.render(run, camera=camera, outputs="rgb,depth,moving"):
    print(video)
figures = ff.eval(run, capture)
print(f"psnr {figures['psnr']:.2f} in {camera}, motion_iou {figures['motion_iou']:.3f}")
