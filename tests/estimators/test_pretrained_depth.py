"""A tiny model with random weights, saved in the layout of the large ones."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

from fourfold.errors import InputError, MissingDependencyError
from fourfold.estimators.pretrained_depth import PretrainedDepth, load_depth_estimator

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a Depth Anything of four layers and 16 channels."""
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=28,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[4, 4, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=4,
    )
    path = tmp_path_factory.mktemp("models") / "tiny"
    model = transformers.DepthAnythingForDepthEstimation(config)
    torch.nn.init.constant_(model.head.conv3.bias, 0.5)
    model.save_pretrained(path)
    size = {"height": 56, "width": 56}
    processor = DPTImageProcessorPil(size=size, keep_aspect_ratio=True, ensure_multiple_of=14)
    processor.save_pretrained(path)
    return path


def test_a_saved_model_gives_depth_of_the_pictures_size(folder):
    estimator = load_depth_estimator(folder)
    assert estimator.output == "inverse"
    depth = estimator(torch.rand(45, 80, 3, generator=torch.Generator().manual_seed(1)))
    assert depth.shape == (45, 80)
    assert bool((depth.isfinite() & (depth > 0)).all())
    assert "torchvision" not in sys.modules


def test_metric_models_say_so(folder, tmp_path):
    target = tmp_path / "metric"
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text())
    config |= {"depth_estimation_type": "metric", "max_depth": 80}
    (target / "config.json").write_text(json.dumps(config))
    assert load_depth_estimator(target).output == "metric"
    assert load_depth_estimator(target, output="inverse").output == "inverse"


def answering(values: torch.Tensor, output) -> PretrainedDepth:
    def model(**inputs):
        return SimpleNamespace(predicted_depth=values[None])

    return PretrainedDepth("stub", model, lambda **options: {}, output)


def test_inverse_depth_is_turned_around():
    """By hand: the 98 % quantile, 4, is z = 1; a hundredth of it is 100; nothing is beyond 300."""
    values = torch.full((10, 10), 4.0)
    values[0, 0], values[9, 9] = 0.04, -0.001
    depth = answering(values, "inverse")(torch.zeros(10, 10, 3))
    assert float(depth[0, 0]) == pytest.approx(100)
    assert float(depth[9, 9]) == pytest.approx(300)
    assert float(depth[5, 5]) == pytest.approx(1)
    with pytest.raises(InputError, match="no positive"):
        answering(-values, "inverse")(torch.zeros(10, 10, 3))


def test_metric_depth_stays_as_it_is():
    values = torch.full((10, 10), 7.0)
    values[3, 3] = 0.0
    depth = answering(values, "metric")(torch.zeros(10, 10, 3))
    assert float(depth[0, 0]) == pytest.approx(7)
    assert bool(depth[3, 3].isnan())


def test_what_is_no_model_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"expected config\.json"):
        load_depth_estimator(tmp_path)
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(InputError, match="cannot be loaded"):
        load_depth_estimator(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_depth_estimator(tmp_path)


def test_weights_that_lack_a_layer_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    del weights["head.conv1.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack head\.conv1\.weight"):
        load_depth_estimator(tmp_path)


def test_without_transformers_the_error_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"fourfold\[pretrained\]"):
        load_depth_estimator(folder)
