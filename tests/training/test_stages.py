"""The order in which stages may be asked for."""

import pytest

from fourfold.errors import UsageError
from fourfold.training import Checkpoint, check_first_stage, require_previous

STAGES = ("lift", "move", "compose")


def _at(stage: str, done: bool) -> Checkpoint:
    return Checkpoint(stage, 0, {}, {"done": done})


def test_a_stage_needs_the_one_before():
    require_previous(None, "lift", STAGES)
    require_previous(_at("move", done=False), "move", STAGES)
    require_previous(_at("move", done=True), "compose", STAGES)
    for checkpoint in (None, _at("lift", done=True), _at("move", done=False)):
        with pytest.raises(UsageError, match="stage compose needs stage move"):
            require_previous(checkpoint, "compose", STAGES)


def test_a_run_begins_with_the_first_stage(tmp_path):
    check_first_stage(("lift", "move"), STAGES, tmp_path, begin=False)
    with pytest.raises(UsageError, match="stage move needs stage lift"):
        check_first_stage(("move",), STAGES, tmp_path, begin=False)
    (tmp_path / "config.yml").touch()
    check_first_stage(("move",), STAGES, tmp_path, begin=False)
    check_first_stage(("lift",), STAGES, tmp_path, begin=True)
    with pytest.raises(UsageError, match="--overwrite with stage move first"):
        check_first_stage(("move",), STAGES, tmp_path, begin=True)
