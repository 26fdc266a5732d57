"""Metrics of label maps: panoptic quality and mean intersection over union."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# A predicted segment is right when it overlaps a true one by this much (Kirillov et al. 2019).
_MATCH = 0.5


def panoptic_quality(
    labels: Iterable[Int[Tensor, "H W"]], targets: Iterable[Int[Tensor, "H W"]]
) -> float:
    """Measure the panoptic quality of label maps, counted together over all images.

    Kirillov et al., "Panoptic Segmentation", CVPR 2019, without classes: a predicted segment is a
    true positive when its IoU with a true one is .5 or more, whatever its label;
    PQ = sum of their IoUs / (TP + FP / 2 + FN / 2).

    Args:
        labels: predicted, per image; below 0 where nothing is said.
        targets: true, per image; pixels below 0 do not count.

    Returns:
        In [0, 1]; NaN where there is no segment at all.

    >>> maps = [torch.tensor([[0, 0, 1, 1]])]
    >>> panoptic_quality(maps, [torch.tensor([[0, 0, 0, 1]])])  # IoUs of 2/3 and 1/2
    0.583...
    """
    overlap, matched, segments = 0.0, 0, 0
    for label, target in zip(labels, targets, strict=True):
        table, true, predicted = _ious(label, target)
        table = table[true][:, predicted]
        segments += sum(table.shape)
        if table.numel():
            best, _ = table.max(dim=0)
            # two halves of one true segment reach .5 both: they are one match
            right = {int(table[:, k].argmax()): float(v) for k, v in enumerate(best) if v >= _MATCH}
            matched += len(right)
            overlap += math.fsum(right.values())
    # TP + FP/2 + FN/2 = (predicted + true) / 2, as each has TP matched ones
    return overlap / (segments / 2) if segments else math.nan


def mean_iou(labels: Int[Tensor, "H W"], target: Int[Tensor, "H W"]) -> float:
    """Measure the IoU of equal labels, averaged over the labels that the target has.

    Own words for the usual mIoU. Pixels below 0 in the target do not count.

    >>> mean_iou(torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 0, 0, 1]]))
    0.583...
    """
    table, true, _ = _ious(labels, target)
    scores = table.diagonal()[true].tolist()
    return math.fsum(scores) / len(scores) if scores else math.nan


def _ious(
    labels: Int[Tensor, "H W"], target: Int[Tensor, "H W"]
) -> tuple[Float[Tensor, "L L"], Bool[Tensor, " L"], Bool[Tensor, " L"]]:
    """Give the IoU of every true label (row) and predicted one, and which of either there are."""
    if labels.shape != target.shape:
        raise ValueError(f"shapes differ: {tuple(labels.shape)} and {tuple(target.shape)}")
    counted = target >= 0
    # a predicted label comes one later: the first column is of pixels where nothing is said
    label, true = labels[counted].long().clamp_min(-1) + 1, target[counted].long()
    size = int(max(label.max(), true.max() + 1)) if len(true) else 1
    counts = torch.bincount(true * (size + 1) + label, minlength=size * (size + 1))
    counts = counts.reshape(size, size + 1)
    overlap, of_true, of_predicted = counts[:, 1:].double(), counts.sum(1), counts.sum(0)[1:]
    union = of_true[:, None] + of_predicted - overlap
    return overlap / union, of_true > 0, of_predicted > 0
