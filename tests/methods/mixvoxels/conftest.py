"""A small rig on disk, and its footage: see `yard`."""

import pytest

from fourfold.capture import Capture, store_frames
from fourfold.methods.mixvoxels.footage import Footage, read_footage
from tests.methods.mixvoxels.yard import NUM_FRAMES, open_yard, write_yard


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """The rig, whose camera in the middle is held out."""
    return open_yard(write_yard(tmp_path_factory.mktemp("yard") / "rig"))


@pytest.fixture(scope="session")
def footage(yard: Capture, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    """All frames of its four training cameras."""
    store = store_frames(yard, tmp_path_factory.mktemp("frames"))
    return read_footage(yard, store, range(NUM_FRAMES))
