"""Metrics, baselines, the pieces of protocol that the methods share, and the report."""

from fourfold.evaluation.alignment import align_camera, fit_alignment, fit_similarity_robustly
from fourfold.evaluation.baselines import WarpedFrame, mask_box, warp_nearest_frame
from fourfold.evaluation.billboards import Card, render_cards, view_with_cards
from fourfold.evaluation.charts import Curve, draw_curve, training_curves
from fourfold.evaluation.contact_sheet import contact_sheet
from fourfold.evaluation.covisibility import covisibility_mask, covisible_by_flow
from fourfold.evaluation.depth_metrics import depth_error, ssimae, ssimse
from fourfold.evaluation.flip import flip, has_flip
from fourfold.evaluation.frame_file import FrameFile
from fourfold.evaluation.jod import has_jod, jod
from fourfold.evaluation.lpips import Lpips
from fourfold.evaluation.masked_ssim import masked_ssim
from fourfold.evaluation.metric_names import describe_metric, format_metric, metrics_to_show
from fourfold.evaluation.metrics import (
    endpoint_error,
    front_most,
    iou,
    mask_iou,
    mean_of_records,
    mean_over_frames,
    psnr,
    ssim,
)
from fourfold.evaluation.ordering import (
    count_ordered_pairs,
    depth_order_accuracy,
    median_depths,
)
from fourfold.evaluation.pictures import encode_image, to_pillow
from fourfold.evaluation.protocol import (
    query_objects,
    score_against_truth,
    score_frames,
    score_image,
    score_warped_frames,
)
from fourfold.evaluation.report import Picture, Report, render_report, write_report
from fourfold.evaluation.scale_picture import scale_picture
from fourfold.evaluation.segmentation import mean_iou, panoptic_quality
from fourfold.evaluation.sharpness import sharpness
from fourfold.evaluation.tracks import (
    PredictedTracks,
    counted_entries,
    first_visible,
    predict_tracks,
    track_epe_2d,
    track_epe_3d,
)

__all__ = [
    "Card",
    "Curve",
    "FrameFile",
    "Lpips",
    "Picture",
    "PredictedTracks",
    "Report",
    "WarpedFrame",
    "align_camera",
    "contact_sheet",
    "count_ordered_pairs",
    "counted_entries",
    "covisibility_mask",
    "covisible_by_flow",
    "depth_error",
    "depth_order_accuracy",
    "describe_metric",
    "draw_curve",
    "encode_image",
    "endpoint_error",
    "first_visible",
    "fit_alignment",
    "fit_similarity_robustly",
    "flip",
    "format_metric",
    "front_most",
    "has_flip",
    "has_jod",
    "iou",
    "jod",
    "mask_box",
    "mask_iou",
    "masked_ssim",
    "mean_iou",
    "mean_of_records",
    "mean_over_frames",
    "metrics_to_show",
    "median_depths",
    "panoptic_quality",
    "predict_tracks",
    "psnr",
    "sharpness",
    "query_objects",
    "render_cards",
    "render_report",
    "scale_picture",
    "score_against_truth",
    "score_frames",
    "score_image",
    "score_warped_frames",
    "ssim",
    "ssimae",
    "ssimse",
    "to_pillow",
    "track_epe_2d",
    "track_epe_3d",
    "training_curves",
    "view_with_cards",
    "warp_nearest_frame",
    "write_report",
]
