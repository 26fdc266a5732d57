"""Flow, background and depth from images and masks, without weights."""

from fourfold.estimators.background import (
    Background,
    background_pixels,
    estimate_background,
    grow_mask,
)
from fourfold.estimators.completion import complete
from fourfold.estimators.depth import (
    BackgroundDepth,
    Triangulation,
    depth_in_view,
    triangulate_background,
    triangulate_frames,
)
from fourfold.estimators.flow import (
    Flow,
    FlowEstimator,
    dense_inverse_search,
    estimate_flow,
    forward_backward_valid,
)
from fourfold.estimators.ground import (
    GroundPlane,
    contact_depth,
    fit_ground_plane,
    up_from_horizon,
)
from fourfold.estimators.guided_filter import guided_filter, snap_mask
from fourfold.estimators.horizon import Horizon, find_horizon
from fourfold.estimators.landscape_depth import (
    SKY_DEPTH,
    DepthEstimator,
    LandscapeDepth,
    estimate_landscape_depth,
)
from fourfold.estimators.membrane import fill_membrane
from fourfold.estimators.object_flow import estimate_object_flow
from fourfold.estimators.ordering import (
    occlusion_order,
    order_from_junctions,
    order_from_shapes,
)
from fourfold.estimators.plane_sweep import SweptView, sweep_costs, sweep_pixels
from fourfold.estimators.plate import fill_unseen, render_plate
from fourfold.estimators.pretrained_depth import PretrainedDepth, load_depth_estimator
from fourfold.estimators.sampling import pixel_centres, sample_image
from fourfold.estimators.semi_global import smooth_planes
from fourfold.estimators.sky import detect_sky
from fourfold.estimators.surface import surface_depth

__all__ = [
    "Background",
    "BackgroundDepth",
    "DepthEstimator",
    "Flow",
    "FlowEstimator",
    "GroundPlane",
    "Horizon",
    "LandscapeDepth",
    "PretrainedDepth",
    "SKY_DEPTH",
    "SweptView",
    "Triangulation",
    "background_pixels",
    "complete",
    "contact_depth",
    "dense_inverse_search",
    "depth_in_view",
    "detect_sky",
    "estimate_background",
    "estimate_flow",
    "estimate_landscape_depth",
    "estimate_object_flow",
    "fill_membrane",
    "fill_unseen",
    "find_horizon",
    "fit_ground_plane",
    "forward_backward_valid",
    "grow_mask",
    "guided_filter",
    "load_depth_estimator",
    "occlusion_order",
    "order_from_junctions",
    "order_from_shapes",
    "pixel_centres",
    "render_plate",
    "sample_image",
    "smooth_planes",
    "snap_mask",
    "surface_depth",
    "sweep_costs",
    "sweep_pixels",
    "triangulate_background",
    "triangulate_frames",
    "up_from_horizon",
]
