"""The clip of two cards, written and read once for all tests that only look at it."""

import pytest

from fourfold.capture import Capture
from fourfold.methods.osn.footage import Footage, read_footage
from tests.methods.osn.cards import cards


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Two cards before a wall; see `cards.PAIR`."""
    return cards(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def footage(capture: Capture) -> Footage:
    """What is read from it."""
    return read_footage(capture)
