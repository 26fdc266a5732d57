"""Stages of a training by name: which are asked for, which are done."""

from collections.abc import Sequence

from fourfold.errors import UsageError
from fourfold.training.checkpoints import Checkpoint


def parse_stages(text: str, stages: Sequence[str]) -> tuple[str, ...]:
    """Read a comma list of some of a method's stages, in their order.

    >>> parse_stages("move, compose", ("lift", "move", "compose"))
    ('move', 'compose')

    Raises:
        UsageError: an unknown stage, or stages in another order than they run in.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or tuple(name for name in stages if name in names) != names:
        raise UsageError(f"stages {text!r}", expected=f"some of {','.join(stages)}, in this order")
    return names


def stage_is_done(checkpoint: Checkpoint | None, stage: str, stages: Sequence[str]) -> bool:
    """Tell whether a stage was ended before a checkpoint, or by it (its state is then "done")."""
    if checkpoint is None:
        return False
    reached = stages.index(checkpoint.stage)
    return stages.index(stage) < reached + bool(checkpoint.state.get("done"))
