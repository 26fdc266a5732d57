"""The stage lift: a background, cameras, and every object at rest with its path through space."""

from torch import Tensor

from fourfold.capture import Capture
from fourfold.estimators import Background, estimate_background
from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.backdrop import background_gaussians, continue_plate
from fourfold.methods.dreamscene4d.body import lift_silhouette
from fourfold.methods.dreamscene4d.camera_path import spread_cameras
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig
from fourfold.methods.dreamscene4d.depths import Arrangement, arrange_depths
from fourfold.methods.dreamscene4d.draft import Draft
from fourfold.methods.dreamscene4d.merge import merge_frames
from fourfold.methods.dreamscene4d.nodes import NodeGraph, cut_stretched_edges, place_nodes
from fourfold.methods.dreamscene4d.paths import reference_frame, start_motion
from fourfold.methods.dreamscene4d.register import register_object
from fourfold.methods.dreamscene4d.trainable import cosine_appearance
from fourfold.scene import Gaussians, SceneObject
from fourfold.training import Progress, generator

PIXELS_PER_NODE = 100
"""A small object gets fewer control nodes: one for this many pixels of its mask."""
FEWEST_NODES = 8
NEIGHBORS = 8
"""Nodes that move a point, its nearest one included."""


def lift(capture: Capture, clip: Clip, config: DreamScene4DConfig, progress: Progress) -> Draft:
    """Build everything at rest and where it goes, without optimisation through pictures.

    ``progress`` counts the frames of every object.
    """
    background, cameras = _film_background(capture, clip, config)
    plate, view = continue_plate(background.plate, background.plate_camera)
    given = background.mode == "given"
    arrangement = arrange_depths(
        capture, clip, cameras, background.triangulation, plate, view, config.horizon
    )
    backdrop = background_gaussians(
        plate, arrangement.background_depth, view, config.lift.background_gaussians
    )
    fronts, references = [], {}
    for index, name in enumerate(clip.object_names):
        reference = reference_frame(clip, index)
        references[name] = reference
        fronts.append(
            _lift_object(clip, index, reference, cameras, arrangement, given, config, progress)
        )
    notes = {
        "objects": list(clip.object_names),
        "trained_frames": list(clip.trained),
        # What lies beyond the background is seen from the side: its mean colour shows least.
        "background_color": backdrop.colors().mean(0).clamp(0, 1).tolist(),
        "reference_frames": references,
        "camera": {"mode": background.mode, "reason": background.reason},
        "depth": arrangement.notes,
    }
    return Draft(backdrop, cameras, fronts, notes)


def _film_background(capture, clip, config) -> tuple[Background, list[Camera]]:
    """Estimate the background from the trained frames, and a camera for every frame."""
    images = [clip.image(t) for t in clip.trained]
    masks = [clip.masks[t] for t in clip.trained]
    given = [capture.camera(t) for t in range(clip.num_frames)]
    if all(camera is not None for camera in given):
        cameras = [camera for camera in given if camera is not None]
        return estimate_background(images, masks, [cameras[t] for t in clip.trained]), cameras
    background = estimate_background(images, masks, "auto", config.fov)
    return background, spread_cameras(background.cameras, clip.trained, clip.num_frames)


def _lift_object(
    clip: Clip,
    index: int,
    reference: int,
    cameras: list[Camera],
    arrangement: Arrangement,
    given: bool,
    config: DreamScene4DConfig,
    progress: Progress,
) -> SceneObject:
    """Make one object's visible side, its control nodes and their paths."""
    depths = arrangement.depths[index]
    mask, center = clip.masks[reference, index], clip.centroid(reference, index)
    front = lift_silhouette(
        clip.image(reference),
        mask,
        cameras[reference],
        float(depths[reference]),
        center,
        config.lift.gaussians_per_object,
        config.lift.roundness,
    )
    graph = _place_nodes(mask, config.move.nodes)
    tracks = register_object(
        clip,
        index,
        reference,
        graph,
        arrangement.sizes[index],
        generator(config.seed, "register", clip.object_names[index]),
        progress,
    )
    keys = clip.visible_frames(index)
    graph = cut_stretched_edges(graph, tracks.pixels[keys])
    rest = merge_frames(
        clip, index, reference, graph, tracks, cameras[reference], float(depths[reference]), center
    )
    if rest is not None:
        front = Gaussians.cat([front, rest])
    motion = start_motion(graph, tracks, cameras, depths, reference, center, keys, not given)
    appearance = cosine_appearance(
        list(clip.trained), keys, len(front), config.move.appearance_rank
    )
    return SceneObject(clip.object_names[index], front, motion, appearance)


def _place_nodes(mask: Tensor, most: int) -> NodeGraph:
    count = min(max(int(mask.sum()) // PIXELS_PER_NODE, FEWEST_NODES), most)
    return place_nodes(mask, count, NEIGHBORS)
