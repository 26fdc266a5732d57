"""What all trainings share, and no more: runs, checkpoints, schedules, progress, costs, seeds."""

from fourfold.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from fourfold.training.named_numbers import parse_named_numbers
from fourfold.training.nested import adam_state, flatten, load_adam_state, unflatten
from fourfold.training.progress import Progress, format_duration
from fourfold.training.resources import COMPILE, PeakMemory, Stopwatch, process_memory
from fourfold.training.run import Run
from fourfold.training.scene_checks import check_scene
from fourfold.training.schedules import Schedule, exponential, linear, set_learning_rates
from fourfold.training.seeding import deterministic, generator
from fourfold.training.settings import from_plain, read_yaml, to_plain, write_yaml
from fourfold.training.ssim_loss import ssim_loss
from fourfold.training.stages import (
    check_first_stage,
    parse_stages,
    require_previous,
    stage_is_done,
)
from fourfold.training.watch import Watch

__all__ = [
    "COMPILE",
    "Checkpoint",
    "PeakMemory",
    "Progress",
    "Run",
    "Schedule",
    "Stopwatch",
    "Watch",
    "adam_state",
    "check_first_stage",
    "check_scene",
    "deterministic",
    "exponential",
    "flatten",
    "format_duration",
    "from_plain",
    "generator",
    "linear",
    "load_adam_state",
    "parse_named_numbers",
    "parse_stages",
    "require_previous",
    "process_memory",
    "read_checkpoint",
    "read_yaml",
    "set_learning_rates",
    "ssim_loss",
    "stage_is_done",
    "to_plain",
    "unflatten",
    "write_checkpoint",
    "write_yaml",
]
