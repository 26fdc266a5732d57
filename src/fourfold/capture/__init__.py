"""Captures: what was filmed, and one reader per layout on disk."""

from fourfold.capture.bodies import BACKGROUND, KeyPoints, RigidBody
from fourfold.capture.body_files import (
    BodiesFolder,
    Trajectories,
    read_bodies,
    read_trajectories,
)
from fourfold.capture.body_head import body_names
from fourfold.capture.body_writing import fill_bodies, write_bodies
from fourfold.capture.capture import Capture
from fourfold.capture.description import (
    Description,
    ObjectDescription,
    describe,
    require_frames,
    require_masks,
    require_one_view,
)
from fourfold.capture.frame_store import FrameStore
from fourfold.capture.frame_storing import store_frames
from fourfold.capture.hints import Hint
from fourfold.capture.key_points import read_key_points
from fourfold.capture.landscape_truth import LandscapeTruth, LandscapeView
from fourfold.capture.opening import open_capture
from fourfold.capture.osn_views import TestView
from fourfold.capture.osn_writing import OsnFrames, OsnTruth, write_osn
from fourfold.capture.photo import photo_capture
from fourfold.capture.regions import REGION_KINDS, region_kind
from fourfold.capture.rig_truth import RigTruth
from fourfold.capture.rigid_truth import RigidTruth
from fourfold.capture.truth import NovelView, Tracks, Truth
from fourfold.capture.writing import FilmedView, write_capture

__all__ = [
    "BACKGROUND",
    "REGION_KINDS",
    "BodiesFolder",
    "Capture",
    "Description",
    "FilmedView",
    "FrameStore",
    "Hint",
    "KeyPoints",
    "LandscapeTruth",
    "LandscapeView",
    "NovelView",
    "ObjectDescription",
    "OsnFrames",
    "OsnTruth",
    "RigTruth",
    "RigidBody",
    "RigidTruth",
    "TestView",
    "Tracks",
    "Trajectories",
    "Truth",
    "body_names",
    "describe",
    "fill_bodies",
    "open_capture",
    "photo_capture",
    "read_bodies",
    "read_key_points",
    "read_trajectories",
    "region_kind",
    "require_frames",
    "require_masks",
    "require_one_view",
    "store_frames",
    "write_bodies",
    "write_capture",
    "write_osn",
]
