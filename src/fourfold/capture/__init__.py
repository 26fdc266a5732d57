"""Captures: what was filmed, and one reader per layout on disk."""

from fourfold.capture.capture import Capture
from fourfold.capture.description import (
    Description,
    ObjectDescription,
    describe,
    require_frames,
    require_masks,
)
from fourfold.capture.opening import open_capture
from fourfold.capture.truth import NovelView, Tracks, Truth
from fourfold.capture.writing import FilmedView, write_capture

__all__ = [
    "Capture",
    "Description",
    "FilmedView",
    "NovelView",
    "ObjectDescription",
    "Tracks",
    "Truth",
    "describe",
    "open_capture",
    "require_frames",
    "require_masks",
    "write_capture",
]
