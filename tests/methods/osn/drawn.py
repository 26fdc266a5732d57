"""Fits of the two cards that need no training: their first Gaussians are all but right."""

from fourfold.methods.osn.config import BodyConfig
from fourfold.methods.osn.fit import GaussianFit, start_fit
from fourfold.methods.osn.footage import Footage
from fourfold.training import Progress


def first_fit(footage: Footage, most: int = 2000) -> GaussianFit:
    """Make the first Gaussians of every body."""
    with Progress(footage.num_bodies, "first Gaussians", enabled=False) as bar:
        return start_fit(footage, BodyConfig(max_gaussians=most), bar)
