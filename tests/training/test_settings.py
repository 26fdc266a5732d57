"""Settings as plain YAML, and what is said when they are wrong."""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fourfold.errors import InputError
from fourfold.training import from_plain, read_yaml, to_plain, write_yaml
from fourfold.training.settings import first_difference


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Move:
    steps: int = 100
    rate: float = 1e-3
    range: tuple[float, float] = (0.5, 2.0)


@dataclass(frozen=True)
class Config:
    name: str
    prior: Literal["none", "symmetry"] = "none"
    cameras: Path | None = None
    stages: tuple[str, ...] = ("lift", "move")
    color: Color = Color.RED
    holdout: int | None = None
    weights: dict[str, float] = field(default_factory=dict)
    lite: bool = False
    frames: int | str = 0
    move: Move = field(default_factory=Move)


def through_yaml(config: Config, folder: Path) -> Config:
    path = folder / "config.yml"
    path.write_text(write_yaml(to_plain(config)), encoding="utf-8")
    return from_plain(Config, read_yaml(path))


def test_everything_comes_back(tmp_path):
    config = Config(
        name="Grüße: ja",
        prior="symmetry",
        cameras=Path("a/b.json"),
        stages=(),
        color=Color.BLUE,
        holdout=4,
        weights={"rgb": 1.0},
        lite=True,
        frames="0:10:2",
        move=Move(steps=3, rate=1e-7, range=(1.0, 3.0)),
    )
    assert through_yaml(config, tmp_path) == config


@given(
    name=st.text(max_size=20).filter(lambda text: text.isprintable()),
    rate=st.floats(allow_nan=False),
    steps=st.integers(),
)
def test_any_values_come_back(tmp_path_factory, name, rate, steps):
    config = Config(name=name, move=Move(steps=steps, rate=rate))
    assert through_yaml(config, tmp_path_factory.mktemp("settings")) == config


def test_the_file_needs_no_python_objects():
    text = write_yaml(to_plain(Config(name="a", cameras=Path("x"))))
    assert "!!" not in text
    assert yaml.safe_load(text)["cameras"] == "x"


def test_left_out_settings_take_their_defaults():
    assert from_plain(Config, {"name": "a", "move": {"steps": 5}}).move == Move(steps=5)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"name": "a", "nmae": 1}, "c.yml: unknown setting 'nmae'; expected one of name, prior"),
        ({"name": "a", "move": {"step": 1}}, "unknown setting 'move.step'; expected one of steps"),
        ({}, "setting 'name' is missing"),
        ({"name": 3}, "setting 'name' cannot be 3; expected str"),
        ({"name": "a", "prior": "best"}, "'prior' cannot be 'best'; expected 'none' or 'symmetry'"),
        ({"name": "a", "holdout": True}, "setting 'holdout' cannot be True; expected int"),
        ({"name": "a", "frames": 1.5}, "setting 'frames' cannot be 1.5; expected int or str"),
        ({"name": "a", "color": "GREEN"}, "setting 'color' cannot be 'GREEN'; expected Color"),
        ({"name": "a", "move": {"range": [1.0]}}, "setting 'move.range' cannot be"),
        ({"name": "a", "move": {"range": [1.0, "b"]}}, "setting 'move.range[1]' cannot be 'b'"),
        ({"name": "a", "move": 3}, "setting 'move' cannot be 3; expected a mapping of settings"),
        ([], "the settings cannot be []"),
    ],
)
def test_what_is_wrong_is_named(plain: Any, message: str):
    with pytest.raises(InputError) as caught:
        from_plain(Config, plain, path=Path("c.yml"))
    assert message in str(caught.value)


def test_exponents_without_a_point_are_numbers(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("rate: 1e-3\nsteps: 12\nword: 1e3x\n")
    assert read_yaml(path) == {"rate": 0.001, "steps": 12, "word": "1e3x"}


def test_broken_and_missing_yaml_are_errors_with_a_line(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("a: 1\nb: [1,\n")
    with pytest.raises(InputError, match=r"not valid YAML \(line 3\)"):
        read_yaml(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / "none.yml")


def test_yaml_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("!!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match="not valid YAML"):
        read_yaml(path)


def test_the_first_difference_is_found_whichever_side_lacks_it():
    assert first_difference({"a": 1}, {"a": 1}) is None
    assert first_difference({"a": {"b": 1}}, {"a": {}}) == ("a.b", 1, None)
    assert first_difference({}, {"a": [1]}) == ("a", None, [1])


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(TypeError, match="object has no plain form"):
        to_plain({"a": object()})
