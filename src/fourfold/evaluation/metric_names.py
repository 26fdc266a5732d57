"""What the keys of metrics.json mean, for those who read the report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fourfold.training import format_duration


@dataclass(frozen=True)
class MetricName:
    """How a figure is called, written and judged: `better` is "higher", "lower" or ""."""

    label: str
    unit: str = ""
    digits: int = 2
    better: str = ""


# Without their prefix; docs/evaluation.md defines them.
_NAMES = {
    "psnr": MetricName("PSNR", "dB", 2, "higher"),
    "ssim": MetricName("SSIM", "", 3, "higher"),
    "object_psnr": MetricName("PSNR on the objects", "dB", 2, "higher"),
    "mask_iou": MetricName("Mask IoU", "", 3, "higher"),
    "flow_epe": MetricName("Flow error", "px", 2, "lower"),
    "track_epe_2d": MetricName("Track error, image", "px", 2, "lower"),
    "track_epe_3d": MetricName("Track error, space", "units", 3, "lower"),
    "depth_order_accuracy": MetricName("Depth order right", "", 3, "higher"),
    "lpips": MetricName("LPIPS", "", 3, "lower"),
    "ssimae": MetricName("Depth error (SSIMAE)", "", 3, "lower"),
    "ssimse": MetricName("Depth error, squared", "", 3, "lower"),
    "pq": MetricName("Panoptic quality", "", 3, "higher"),
    "miou": MetricName("Mean IoU", "", 3, "higher"),
    "scale_precision": MetricName("Scale set: precision", "", 3, "higher"),
    "scale_recall": MetricName("Scale set: recall", "", 3, "higher"),
    "polytope_precision": MetricName("Strict set: precision", "", 3, "higher"),
    "polytope_recall": MetricName("Strict set: recall", "", 3, "higher"),
    "network_precision": MetricName("Scale network: precision", "", 3, "higher"),
    "network_recall": MetricName("Scale network: recall", "", 3, "higher"),
    "true_scale_score": MetricName("Score of the true scale", "", 3, "higher"),
    "scale_mse": MetricName("Scale error, squared", "", 3, "lower"),
    "scale_box_share": MetricName("Valid share of the box", "", 3),
    "true_combinations_inside": MetricName("True combinations inside", "", 3, "higher"),
    "sample_valid_share": MetricName("Samples that are valid", "", 3, "higher"),
    "sample_seconds": MetricName("Time for 1000 samples"),
    "scale_set_seconds": MetricName("Time for a million combinations"),
    "samples_valid": MetricName("Sampled scales are valid", "", 0, "higher"),
    "masked_psnr": MetricName("PSNR where it moves", "dB", 2, "higher"),
    "masked_ssim": MetricName("SSIM where it moves", "", 3, "higher"),
    "rest_sharpness": MetricName("Sharpness at rest, of the photo's", "", 3, "higher"),
    "loop_seam_db": MetricName("Seam of the loop beside other frames", "dB", 2, "higher"),
    "sharpness_min": MetricName("Sharpness in the loop, least", "", 3, "higher"),
    "sharpness_max": MetricName("Sharpness in the loop, largest", "", 3),
    "still_psnr": MetricName("Stillness of the rest", "dB", 2, "higher"),
    "hint_angle_deg": MetricName("Hints: angle missed", "°", 1, "lower"),
    "hint_angle_deg_near": MetricName("Hints: angle missed, near", "°", 1, "lower"),
    "hint_angle_deg_far": MetricName("Hints: angle missed, far", "°", 1, "lower"),
    "hint_speed_error": MetricName("Hints: speed missed", "", 3, "lower"),
    "hint_speed_error_near": MetricName("Hints: speed missed, near", "", 3, "lower"),
    "hint_speed_error_far": MetricName("Hints: speed missed, far", "", 3, "lower"),
    "hints_used": MetricName("Hints used", "", 0, "higher"),
    "hints_given": MetricName("Hints given", "", 0),
    "holes": MetricName("Holes on the worst path", "", 5, "lower"),
    "invented": MetricName("Filled-in share on the worst path", "", 3),
    "multiview_flow_epe": MetricName("Flow of the views against the 3D motion", "px", 3, "lower"),
    "depth_error": MetricName("Depth error, relative", "", 3, "lower"),
    "motion_epe": MetricName("Motion error", "px", 2, "lower"),
    "motion_error": MetricName("Motion error, relative", "", 3, "lower"),
    "refine_psnr_before": MetricName("PSNR to the animated photo, before", "dB", 2, "higher"),
    "refine_psnr_after": MetricName("PSNR to the animated photo, after", "dB", 2, "higher"),
    "refine_seconds": MetricName("Time for the stage refine"),
    "psnr_static": MetricName(
        "PSNR of the still part, against the still picture", "dB", 2, "higher"
    ),
    "motion_iou": MetricName("Moving pixels, IoU", "", 3, "higher"),
    "motion_iou_deviation": MetricName("Moving pixels, IoU with what deviates", "", 3, "higher"),
    "depth_error_key_points": MetricName("Depth error at key points, relative", "", 3, "lower"),
    "flip": MetricName("FLIP", "", 3, "lower"),
    "jod": MetricName("JOD", "", 2, "higher"),
    "render_seconds_per_frame": MetricName("Time to draw a frame", "s", 3, "lower"),
    "render_seconds_per_frame_moving": MetricName(
        "Time to draw a frame, camera moving", "s", 3, "lower"
    ),
    "model_mb": MetricName("Scene on disk", "MB", 1, "lower"),
    "num_voxels": MetricName("Voxels", "", 0),
    "seconds": MetricName("Training time"),
    "peak_memory_mb": MetricName("Peak memory", "MB", 0, "lower"),
    "num_gaussians": MetricName("Gaussians", "", 0),
}
_PREFIXES = {
    "train_": "as filmed",
    "covisible_": "co-visible",
    "heldout_": "held out",
    "baseline_": "baseline",
    "rest_": "at rest",
    "novel_": "other views",
    "animated_": "other views, later",
    "novel20_": "±20°",
    "novel45_": "±45°",
    "billboard_": "billboard",
    "true_scale_": "true scale",
    "oracle_": "oracle",
    "ceiling_": "ceiling",
}


def describe_metric(key: str) -> MetricName:
    """Say how to show a key of metrics.json; an unknown one is shown as it is.

    >>> describe_metric("heldout_object_psnr").label
    'PSNR on the objects, held out'
    >>> describe_metric("psnr_static_cam10").label
    'PSNR of the still part, against the still picture, cam10'
    """
    notes = []
    name = key
    while name not in _NAMES and (prefix := _prefix(name)) is not None:
        notes.append(_PREFIXES[prefix])
        name = name.removeprefix(prefix)
    known = _NAMES.get(name)
    if known is None and (found := _of_camera(name)) is not None:
        figure, camera = found
        known = _NAMES[figure]
        notes.append(camera)
    if known is None:
        return MetricName(key, digits=3)
    return MetricName(", ".join([known.label, *notes]), known.unit, known.digits, known.better)


def metrics_to_show(keys: Iterable[str]) -> list[str]:
    """Leave out the figures of one camera where it is the only one: those of all say the same.

    >>> metrics_to_show(["psnr", "psnr_static", "psnr_cam10", "psnr_static_cam10", "seconds"])
    ['psnr', 'psnr_static', 'seconds']
    >>> metrics_to_show(["psnr", "psnr_cam10", "psnr_cam20"])
    ['psnr', 'psnr_cam10', 'psnr_cam20']
    """
    keys = list(keys)
    found = {key: _of_camera(key) for key in keys if key not in _NAMES}
    cameras = {key: pair[1] for key, pair in found.items() if pair is not None}
    return [key for key in keys if key not in cameras or len(set(cameras.values())) > 1]


def _prefix(name: str) -> str | None:
    return next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)


def _of_camera(name: str) -> tuple[str, str] | None:
    """Give the figure that a key gives for one camera, and the camera's name, which follows."""
    figures = [known for known in _NAMES if name.startswith(f"{known}_")]
    figure = max(figures, key=len, default=None)
    return None if figure is None else (figure, name.removeprefix(f"{figure}_"))


def format_metric(key: str, value: Any) -> str:
    """Write a figure with its unit; what could not be measured is a dash.

    >>> format_metric("psnr", 31.234), format_metric("seconds", 184.0), format_metric("ssim", None)
    ('31.23 dB', '3 min 4 s', '–')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    if key == "seconds" or key.endswith("_seconds"):
        return format_duration(value)
    name = describe_metric(key)
    number = f"{value:,.{0 if isinstance(value, int) else name.digits}f}"
    return f"{number} {name.unit}".rstrip()
