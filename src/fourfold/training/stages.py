"""Stages of a training by name: which are asked for, which are done."""

from collections.abc import Sequence
from pathlib import Path

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


def require_previous(checkpoint: Checkpoint | None, stage: str, stages: Sequence[str]) -> None:
    """Refuse a stage when the one before it is not done.

    Raises:
        UsageError: it is not.
    """
    number = stages.index(stage)
    if number > 0 and not stage_is_done(checkpoint, stages[number - 1], stages):
        before = stages[number - 1]
        raise UsageError(
            f"stage {stage} needs stage {before}", mend=f"Run --stages {before} first."
        )


def check_first_stage(asked: Sequence[str], stages: Sequence[str], out: Path, begin: bool) -> None:
    """Refuse to begin a run in the middle, before a run that is there is cleared for it.

    Args:
        asked: the stages to run.
        out: the run's folder.
        begin: begin anew also where a run is.

    Raises:
        UsageError: a run begins, and not with the first stage.
    """
    if not (out / "config.yml").is_file():
        require_previous(None, asked[0], stages)
    elif begin and asked[0] != stages[0]:
        raise UsageError(
            f"--overwrite with stage {asked[0]} first",
            expected=f"stage {stages[0]}, with which a run begins, or no --overwrite",
        )
