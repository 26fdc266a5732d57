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


def test_what_is_not_asked_for_is_left_to_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {}

    def film(scene, out, progress, **options):
        asked.update(options, scene=scene)
        for done in (1, 2, 3):
            progress(done, 3)
        return out

    monkeypatch.setattr("fourfold.synthetic.synthesize", film)
    ff.synth("tabletop", out=tmp_path / "out", frames=6)
    assert asked == {
        "scene": "tabletop",
        "width": None,
        "height": None,
        "frames": 6,
        "samples": None,
        "seed": 0,
    }
    assert "rendering tabletop: 3/3" in capsys.readouterr().err


def test_an_unknown_scene_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="juggler, tabletop, crowd, gnome"):
        ff.synth("circus", out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
