"""Kinds by their names: found again, built of their tensors, unknown ones refused."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from fourfold.fields.kinds import Kinds


@dataclass
class Ball:
    kind: ClassVar[str] = "ball"
    center: Tensor
    bounces: int = field(init=False, default=0)


def balls() -> Kinds[Ball]:
    kinds: Kinds[Ball] = Kinds("toy")
    kinds.add(Ball)
    return kinds


def test_a_kind_is_built_of_its_tensors():
    ball = balls().build({"kind": "ball"}, {"center": torch.ones(3)})
    assert isinstance(ball, Ball)
    assert ball.center.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("config", [{"kind": "doll"}, {}])
def test_an_unknown_kind_is_refused(config: dict[str, str]):
    with pytest.raises(ValueError, match=r"unknown kind of toy .*; known are \['ball'\]"):
        balls().named(config)


@pytest.mark.parametrize("names", [[], ["centre"], ["center", "bounces"]])
def test_other_tensors_are_refused(names: list[str]):
    with pytest.raises(ValueError, match=r"a ball toy has \['center'\], not"):
        balls().build({"kind": "ball"}, dict.fromkeys(names, torch.ones(3)))
