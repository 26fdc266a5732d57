"""Settings for trainings as short as a test."""

from fourfold.methods.osn.config import BodyConfig, NetworkConfig, OSNConfig

BODY = BodyConfig(iterations=30, rounds=2, iterations_per_round=12, max_gaussians=2000)
NO_NETWORK = NetworkConfig(iterations=0)
QUICK = OSNConfig(body=BODY, network=NO_NETWORK)
WITH_NETWORK = OSNConfig(body=BODY, network=NetworkConfig(iterations=60, combinations=256))
WORDS = (
    "--body.iterations=2",
    "--body.rounds=1",
    "--body.iterations-per-round=2",
    "--body.max-gaussians=300",
    "--network.iterations=0",
)
"""A training of four steps, on the command line."""
