"""The verb synth: what it refuses before anything is rendered."""

from pathlib import Path

import pytest

import fourfold as ff
from fourfold.errors import UsageError


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match=r"already there.*--overwrite"):
        ff.synth("juggler", out=tmp_path, progress=False)
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown option colour"):
        ff.synth("juggler", out=tmp_path / "out", colour="red")
