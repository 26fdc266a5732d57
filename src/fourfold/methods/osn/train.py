"""Train osn: each body alone, then all together at valid scales, then the set of valid scales."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture import Capture
from fourfold.methods.osn.body import Fit
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.finish import check_scales, finish_scene
from fourfold.methods.osn.footage import Footage, read_footage
from fourfold.methods.osn.geometry import GaussianGeometry, Geometry
from fourfold.methods.osn.lens import check_lens
from fourfold.methods.osn.scales import draw_scales, known_scales, make_scale_set, new_network
from fourfold.methods.osn.tensorf import TensorGeometry
from fourfold.scene import ScaleNetwork, Scene
from fourfold.splat import warm_up
from fourfold.training import (
    COMPILE,
    Checkpoint,
    Progress,
    Run,
    Watch,
    check_first_stage,
    check_scene,
    deterministic,
    generator,
    parse_stages,
    require_previous,
    stage_is_done,
)

STAGES = ("bootstrap", "rounds", "scales")
GEOMETRIES: dict[str, type[Geometry]] = {"gaussians": GaussianGeometry, "tensorf": TensorGeometry}


@dataclass
class State:
    """What a stage hands on: the fit, the network, the scales drawn for the steps of a round."""

    fit: Fit
    network: ScaleNetwork | None
    scales: Float[Tensor, "S K"] = field(default_factory=lambda: torch.zeros(0, 0))

    def tensors(self) -> dict[str, Any]:
        """Give everything that a checkpoint needs to go on, nested."""
        network = {} if self.network is None else self.network.tensors()
        return {"fit": self.fit.state(), "network": network, "scales": self.scales}


def train(capture: Capture, out: Path, config: OSNConfig, overwrite: bool) -> Run:
    """Turn a capture of rigid bodies into a scene, or go on where a run was stopped.

    Raises:
        InputError: nothing is known about the bodies' poses, or it contradicts the frames.
        UsageError: unknown stages, a setting out of its range, or ``out`` is a run with other
            settings.
        ResultError: the scene is empty or not finite, or no combination of scales is valid.
    """
    stages = parse_stages(config.stages, STAGES)
    check_first_stage(stages, STAGES, out, overwrite)
    config.check()
    # Which stages run now is no property of the result: all of them are stored.
    config = replace(config, stages=",".join(STAGES))
    footage = read_footage(capture)
    check_lens(footage, capture)
    known_scales(footage, config)  # says what is wrong with them before a run is made
    run = Run.open(
        out,
        method="osn",
        config=config,
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
        overwrite=overwrite,
    )
    with run, deterministic():
        with run.stopwatch.lap(COMPILE), Progress(1, "compiling kernels (once per machine)") as bar:
            warm_up()
            bar.advance()
        for stage in stages:
            _run_stage(stage, capture, footage, run, config)
    return run


def _run_stage(stage: str, capture: Capture, footage: Footage, run: Run, config: OSNConfig) -> None:
    """Run a stage, or what is left of it."""
    checkpoint = run.latest_checkpoint()
    if stage_is_done(checkpoint, stage, STAGES):
        if stage == STAGES[-1] and checkpoint is not None:
            state = _restore(footage, config, checkpoint)
            _save_scene(state, capture, footage, run, config)
        return
    require_previous(checkpoint, stage, STAGES)
    with run.stopwatch.lap(stage):
        if stage == "bootstrap":
            state = bootstrap(footage, run, config, checkpoint)
        elif stage == "rounds":
            assert checkpoint is not None
            state = fit_together(footage, run, config, checkpoint)
        else:
            assert checkpoint is not None
            state = _restore(footage, config, checkpoint)
            _save_scene(state, capture, footage, run, config)
    run.save_checkpoint(stage, 0, state.tensors(), {"done": True})


def bootstrap(
    footage: Footage, run: Run, config: OSNConfig, checkpoint: Checkpoint | None
) -> State:
    """Fit every body alone to the pixels in which it is seen."""
    geometry, steps = GEOMETRIES[config.geometry](footage, config), config.schedule.iterations
    first = 0 if checkpoint is None else checkpoint.step
    if checkpoint is None:
        with Progress(footage.num_bodies, "first geometry") as bar:
            fit = geometry.start(bar)
        network = new_network(footage.num_bodies - 1, config.seed)
        state = State(fit, network if config.network.iterations else None)
    else:
        state = _restore(footage, config, checkpoint)
    with Progress(steps, "bootstrap", start=first) as progress:
        watch = Watch(run, "bootstrap", progress)
        for step in range(first, steps):
            watch.after(step, geometry.bootstrap_step(state.fit, step), state.tensors)
    return state


def fit_together(footage: Footage, run: Run, config: OSNConfig, checkpoint: Checkpoint) -> State:
    """Fit all bodies together, each round at scales that are valid for the bodies before it."""
    schedule, state = config.schedule, _restore(footage, config, checkpoint)
    geometry = GEOMETRIES[config.geometry](footage, config)
    first = checkpoint.step if checkpoint.stage == "rounds" else 0
    steps = schedule.rounds * schedule.iterations_per_round
    with Progress(steps, "rounds", start=first) as progress:
        watch = Watch(run, "rounds", progress)
        for step in range(first, steps):
            turn, place = divmod(step, schedule.iterations_per_round)
            if place == 0:
                geometry.begin_round(state.fit)
                network = state.network if config.scales == "network" else None
                scale_set = make_scale_set(state.fit, footage, config, network, turn)
                state.network = scale_set.network or state.network
                random = generator(config.seed, "scales", turn)
                state.scales = draw_scales(scale_set, schedule.iterations_per_round, random)
                _preview(run, f"round-{turn}", state, footage)
            watch.after(
                step, geometry.round_step(state.fit, step, state.scales[place]), state.tensors
            )
    return state


def _restore(footage: Footage, config: OSNConfig, checkpoint: Checkpoint) -> State:
    tensors = checkpoint.tensors
    geometry = GEOMETRIES[config.geometry](footage, config)
    network = new_network(footage.num_bodies - 1, 0) if tensors["network"] else None
    if network is not None:
        network.load_state_dict(tensors["network"])
    return State(geometry.restore(tensors["fit"]), network, tensors["scales"])


@torch.no_grad()
def _preview(run: Run, name: str, state: State, footage: Footage) -> None:
    """Put the middle frame beside its drawing."""
    frame = footage.frames[len(footage.frames) // 2]
    indices = torch.nonzero(footage.known[frame])[:, 0].tolist()
    camera = footage.cameras[frame]
    color = footage.background_color
    drawing = state.fit.draw_together(camera, frame, indices, state.scales[0], color)
    run.preview(name, torch.cat([footage.image(frame), drawing.colors.clamp(0, 1)], 1))


def _save_scene(
    state: State, capture: Capture, footage: Footage, run: Run, config: OSNConfig
) -> None:
    """Compute the final set of scales and save the scene, where there is none yet.

    Raises:
        ResultError: the scene fails its checks, or no combination of scales is valid; in the
            second case it is saved all the same.
    """
    if not run.scene_folder.exists():
        with Progress(1, "valid scales") as bar:
            scale_set = make_scale_set(
                state.fit, footage, config, state.network, config.schedule.rounds
            )
            bar.advance()
        scene = finish_scene(state.fit, footage, capture, scale_set, config)
        check_scene(scene)
        scene.save(run.scene_folder)
    check_scales(Scene.load(run.scene_folder))
