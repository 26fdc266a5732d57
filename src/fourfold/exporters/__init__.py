"""What leaves the house: videos, point clouds, tracks, cameras."""

from fourfold.exporters.cameras import (
    colmap_text,
    transforms_json,
    undo_normalization,
    write_cameras,
)
from fourfold.exporters.colors import color_depth, color_flow, color_objects, object_colors
from fourfold.exporters.ply_sequence import write_ply_sequence
from fourfold.exporters.track_video import draw_tracks, spread_colors
from fourfold.exporters.tracks import (
    PointTracks,
    ScenePoints,
    Sight,
    follow,
    look,
    pick_points,
    see,
    track_points,
    write_tracks,
)
from fourfold.exporters.video import VideoFormat, VideoWriter, open_video, to_bytes, write_video

__all__ = [
    "PointTracks",
    "ScenePoints",
    "Sight",
    "VideoFormat",
    "VideoWriter",
    "color_depth",
    "color_flow",
    "color_objects",
    "colmap_text",
    "draw_tracks",
    "follow",
    "look",
    "object_colors",
    "open_video",
    "pick_points",
    "see",
    "spread_colors",
    "to_bytes",
    "track_points",
    "transforms_json",
    "undo_normalization",
    "write_cameras",
    "write_ply_sequence",
    "write_tracks",
    "write_video",
]
