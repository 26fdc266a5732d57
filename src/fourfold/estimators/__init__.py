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
from fourfold.estimators.membrane import fill_membrane
from fourfold.estimators.object_flow import estimate_object_flow
from fourfold.estimators.ordering import (
    occlusion_order,
    order_from_junctions,
    order_from_shapes,
)
from fourfold.estimators.plate import fill_unseen, render_plate
from fourfold.estimators.sampling import pixel_centres, sample_image

__all__ = [
    "Background",
    "BackgroundDepth",
    "Flow",
    "FlowEstimator",
    "GroundPlane",
    "Triangulation",
    "background_pixels",
    "complete",
    "contact_depth",
    "dense_inverse_search",
    "depth_in_view",
    "estimate_background",
    "estimate_flow",
    "estimate_object_flow",
    "fill_membrane",
    "fill_unseen",
    "fit_ground_plane",
    "forward_backward_valid",
    "grow_mask",
    "occlusion_order",
    "order_from_junctions",
    "order_from_shapes",
    "pixel_centres",
    "render_plate",
    "sample_image",
    "triangulate_background",
    "triangulate_frames",
    "up_from_horizon",
]
