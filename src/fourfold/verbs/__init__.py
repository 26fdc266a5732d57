"""One function per verb. Torch is imported when a verb runs, not before."""

from fourfold.verbs.demo import DemoResult, demo
from fourfold.verbs.draw import DrawOptions, draw
from fourfold.verbs.evaluate import evaluate as eval
from fourfold.verbs.export import export
from fourfold.verbs.info import info
from fourfold.verbs.methods import METHODS, Method
from fourfold.verbs.options import CaptureOptions, InputOptions, PhotoOptions, RigOptions
from fourfold.verbs.prepare import Prepared, SfmOptions, prepare
from fourfold.verbs.prepare_poses import PosesOptions, PreparedPoses, prepare_poses
from fourfold.verbs.render import RenderOptions, render
from fourfold.verbs.sample import SampleResult, sample
from fourfold.verbs.synth import synth
from fourfold.verbs.train import train

__all__ = [
    "METHODS",
    "CaptureOptions",
    "DemoResult",
    "DrawOptions",
    "InputOptions",
    "Method",
    "PhotoOptions",
    "PosesOptions",
    "Prepared",
    "PreparedPoses",
    "RenderOptions",
    "RigOptions",
    "SampleResult",
    "SfmOptions",
    "demo",
    "draw",
    "eval",
    "export",
    "info",
    "prepare",
    "prepare_poses",
    "render",
    "sample",
    "synth",
    "train",
]
