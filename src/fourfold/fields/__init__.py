"""Fields: volumes of density and colour, and drawing them along rays."""

from fourfold.fields.compositing import accumulate, ray_weights
from fourfold.fields.depth_losses import expected_depth_loss, ray_distribution_loss
from fourfold.fields.drawing import RayPicture, draw_rays
from fourfold.fields.field import Field
from fourfold.fields.grids import grid_vertices
from fourfold.fields.hex_plane import HexPlaneField
from fourfold.fields.interpolation import interpolate_rows, number_rows, time_keys
from fourfold.fields.masks import pack_mask, unpack_mask
from fourfold.fields.merging import merge_samples
from fourfold.fields.mixed import MixedVoxels
from fourfold.fields.occupancy import dilated, occupied
from fourfold.fields.product_field import ProductSettings
from fourfold.fields.rays import Rays, camera_rays
from fourfold.fields.rendering import MIN_WEIGHT, Part, RayColors, render_rays
from fourfold.fields.row_adam import RowAdam
from fourfold.fields.samples import Samples
from fourfold.fields.sampling import Guide, sample_rays
from fourfold.fields.spaces import BoxSpace, ContractedSpace, NdcSpace, Space
from fourfold.fields.tensor_vm import TensorVMField
from fourfold.fields.voxels import VoxelField
from fourfold.fields.warming import warm_up

__all__ = [
    "Field",
    "HexPlaneField",
    "ProductSettings",
    "TensorVMField",
    "VoxelField",
    "MixedVoxels",
    "RowAdam",
    "interpolate_rows",
    "number_rows",
    "time_keys",
    "BoxSpace",
    "ContractedSpace",
    "NdcSpace",
    "Space",
    "Rays",
    "camera_rays",
    "Guide",
    "Samples",
    "merge_samples",
    "sample_rays",
    "accumulate",
    "expected_depth_loss",
    "ray_distribution_loss",
    "dilated",
    "grid_vertices",
    "occupied",
    "pack_mask",
    "unpack_mask",
    "ray_weights",
    "MIN_WEIGHT",
    "Part",
    "RayColors",
    "RayPicture",
    "draw_rays",
    "render_rays",
    "warm_up",
]
