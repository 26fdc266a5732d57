"""Train on a capture, render it from the side, measure it, and export it: the verbs from Python.

    python examples/03_train_render_measure.py [CAPTURE] [RUN] [STEPS]

The capture is the embedded example by default. Stopped at any moment, the same call goes on.
"""

import sys
from pathlib import Path

import fourfold as ff
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig, MoveConfig
from fourfold.verbs.demo import example_path

path = Path(sys.argv[1]) if len(sys.argv) > 1 else example_path("juggler")
out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/example")
steps = int(sys.argv[3]) if len(sys.argv) > 3 else 1500

capture = ff.open_capture(path, max_size=160, frames="0:8")
settings = DreamScene4DConfig(move=MoveConfig(iterations=steps, iterations_per_frame=0))
run = ff.train("dreamscene4d", capture, out=out, config=settings)

for video in ff.render(run, path="orbit", angle=20.0, outputs="rgb,depth", seconds=1.0):
    print(video)
# A capture that was opened by hand is given by hand: the run knows its path, not how it was read.
figures = ff.eval(run, capture)
print(f"psnr {figures['psnr']:.2f}, mask_iou {figures['mask_iou']:.3f}")
print(run.report_path)
print(ff.export(run, "tracks"))
