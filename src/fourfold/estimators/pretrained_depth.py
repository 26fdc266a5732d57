"""Depth by a pretrained model that lies in a local folder: the transformers' depth models.

Any folder that `save_pretrained` wrote: config.json, preprocessor_config.json, model.safetensors
(Depth Anything, MiDaS/DPT, ZoeDepth, GLPN, Depth Pro …). Nothing is downloaded, no code of the
folder is run, and pickled weights are not read.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError, MissingDependencyError

Output = Literal["auto", "inverse", "metric"]

METRIC = ("zoedepth", "glpn", "depth_pro", "prompt_depth_anything")
INVERSE = ("dpt",)
"""Types of model whose config does not tell what they give; MiDaS's weights are the usual `dpt`."""
NEAREST = 0.98
"""Quantile of the inverse depth that is taken for z = 1: a few pixels overshoot."""
FARTHEST = 300.0
"""Times the nearest depth: inverse depths near 0 are sky or noise, and are kept at that."""


@dataclass(frozen=True)
class PretrainedDepth:
    """A depth model with its preprocessing; call it with a picture to get z."""

    name: str
    model: Any
    processor: Any
    output: Literal["inverse", "metric"]

    @torch.no_grad()
    def __call__(self, image: Float[Tensor, "H W 3"]) -> Float[Tensor, "H W"]:
        """Estimate z > 0 of a picture in [0, 1]: metres, or up to a factor for inverse depth.

        NaN where a metric model gives none.

        Inverse depth is scale times 1/z plus a shift that these models put near 0: it is taken
        for 0, which keeps planes planes.
        """
        pixels = (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
        inputs = self.processor(images=pixels, return_tensors="pt")
        answer = self.model(**inputs).predicted_depth[None].float()
        size = (image.shape[0], image.shape[1])
        values = functional.interpolate(answer, size, mode="bicubic", align_corners=False)[0, 0]
        if self.output == "metric":
            return torch.where(values > 0, values, torch.nan)
        nearest = float(values.flatten().kthvalue(max(round(NEAREST * values.numel()), 1)).values)
        if not nearest > 0:
            raise InputError(f"the depth model {self.name} answers with no positive inverse depth")
        return 1 / (values / nearest).clamp(min=1 / FARTHEST)


def load_depth_estimator(folder: str | PathLike[str], output: Output = "auto") -> PretrainedDepth:
    """Load a depth model of transformers from a folder.

    Args:
        folder: as `save_pretrained` writes it, or a clone of a model's repository.
        output: whether the model gives z ("metric") or scale/z ("inverse"); "auto" tells it from
            the config: `depth_estimation_type` of Depth Anything, else the type of the model.

    Raises:
        MissingDependencyError: transformers is not installed.
        InputError: the folder is no depth model, or "auto" does not know what it gives.
    """
    try:
        import transformers
    except ImportError as error:
        feature = "depth by a pretrained model"
        raise MissingDependencyError(feature, package="transformers", extra="pretrained") from error
    path = Path(folder)
    for name in ("config.json", "preprocessor_config.json"):
        if not (path / name).is_file():
            mend = "Give the folder of a transformers depth model with safetensors weights"
            raise InputError("the depth model is incomplete", path=path, expected=name, mend=mend)
    local = {"local_files_only": True, "trust_remote_code": False}
    weights = {"use_safetensors": True, "output_loading_info": True}
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(path, **local)
        model, loaded = transformers.AutoModelForDepthEstimation.from_pretrained(
            path, **weights, **local
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"the depth model cannot be loaded ({reason})", path=path) from error
    if loaded["missing_keys"]:  # transformers would leave these at random
        missing = sorted(loaded["missing_keys"])[0]
        raise InputError(f"the depth model's weights lack {missing}", path=path)
    kind = _output(model.config, path) if output == "auto" else output
    return PretrainedDepth(path.name, model.eval(), processor, kind)


def _output(config: Any, path: Path) -> Literal["inverse", "metric"]:
    told = getattr(config, "depth_estimation_type", None)
    if told is not None:
        return "metric" if told == "metric" else "inverse"
    if config.model_type in METRIC:
        return "metric"
    if config.model_type in INVERSE:
        return "inverse"
    raise InputError(
        f"it is not known what models of type {config.model_type} give",
        path=path,
        mend='Say whether it is "metric" depth or "inverse" depth',
    )
