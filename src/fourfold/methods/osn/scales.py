"""The set of valid scales of what was fitted so far, and draws from it for the next steps."""

from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.errors import UsageError
from fourfold.methods.osn.body import Fit
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.layers import collect_contests, sample_contested
from fourfold.methods.osn.network import soft_accuracy, train_network
from fourfold.scene import Contests, ScaleNetwork, ScaleSet
from fourfold.training import generator, parse_named_numbers

BOX_MARGIN = 1.1
"""A body's box reaches this much beyond its key points, as the original's."""


VALID_PLACES = 2048
"""Valid combinations around which the network looks at others."""


def new_network(num_objects: int, seed: int) -> ScaleNetwork | None:
    """Make an untrained network; None where there is no object to scale."""
    if not num_objects:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ScaleNetwork(num_objects)


def make_scale_set(
    fit: Fit,
    footage: Footage,
    config: OSNConfig,
    network: ScaleNetwork | None,
    turn: int,
) -> ScaleSet:
    """Compute which scales are valid for the bodies as they are now; the network's copy learns it.

    `turn` counts the sets of a run: the randomness of the network's training depends on it.
    """
    contests = collect_contests(fit, footage)
    if network is not None:
        network = deepcopy(network)
        _train(network, contests, fit, footage, config, turn)
    scale_set = ScaleSet(
        names=footage.names,
        ranges=contests.scale_ranges,
        contests=contests,
        tolerance=config.tau,
        mode=config.scales if footage.num_bodies > 1 else "computed",
        network=network,
        score_threshold=config.network.score_threshold,
    )
    for name, scale in known_scales(footage, config).items():
        scale_set = scale_set.pin(name, scale)
    return scale_set


def _train(
    network: ScaleNetwork,
    contests: Contests,
    fit: Fit,
    footage: Footage,
    config: OSNConfig,
    turn: int,
) -> None:
    accuracy = contests.accuracy
    if config.network.zbuffer == "soft":
        pixels = sample_contested(fit, footage, generator(config.seed, "contested", turn))
        accuracy = soft_accuracy(*pixels, config.network.beta)
    computed = ScaleSet(footage.names, contests.scale_ranges, contests, config.tau)
    known = computed.sample(VALID_PLACES, generator(config.seed, "valid places", turn))
    threshold = config.network.accuracy_threshold
    train_network(
        network,
        accuracy,
        torch.tensor(contests.scale_ranges),
        config.tau if threshold is None else threshold,
        replace(config.network, iterations=config.network.iterations * network.num_objects),
        config.seed,
        turn,
        computed.places(known.scales) if bool(known.valid.all()) else None,
    )


def draw_scales(
    scale_set: ScaleSet, count: int, random: torch.Generator
) -> Float[Tensor, "count K"]:
    """Draw combinations for `count` steps, the background's 1 first, in a random order."""
    drawn = scale_set.sample(count, random).scales.float()
    order = torch.randperm(len(drawn), generator=random)
    return functional.pad(drawn[order], (1, 0), value=1.0)


def known_scales(footage: Footage, config: OSNConfig) -> dict[str, float]:
    """Read the scales that the settings pin, from scales or from sizes.

    A size needs the background's too: one size alone tells how many metres a unit is, and
    nothing about the other bodies.

    Raises:
        UsageError: no such object, a number that is none, sizes without the background's, or a
            scale outside of its range.
    """
    names = footage.names
    scales = parse_named_numbers(config.known_scale, "--known-scale", names[1:])
    sizes = parse_named_numbers(config.known_size, "--known-size", names)
    scales |= _scales_of_sizes(footage, sizes) if sizes else {}
    for body in footage.bodies[1:]:
        low, high = body.scale_range or (1.0, 1.0)
        if not low <= scales.get(body.name, low) <= high:
            raise UsageError(
                f"the scale {scales[body.name]:g} of {body.name} is outside of its range",
                expected=f"{low:g} to {high:g}",
            )
    return scales


def _scales_of_sizes(footage: Footage, sizes: dict[str, float]) -> dict[str, float]:
    names = footage.names
    if names[0] not in sizes or len(sizes) == 1:
        raise UsageError(
            "one known size gives the scene metres, but no scale",
            expected=f"sizes of {names[0]} and of an object",
            mend=f"Add {names[0]}=METRES, the longest side of all that was filmed of it",
        )
    extents = {body.name: _extent(footage, index) for index, body in enumerate(footage.bodies)}
    metre = sizes.pop(names[0]) / extents[names[0]]
    return {name: size / (metre * extents[name]) for name, size in sizes.items()}


def _extent(footage: Footage, index: int) -> float:
    bounds = footage.bodies[index].bounds
    if bounds is None:
        raise UsageError(f"the size of '{footage.names[index]}' in the capture is not known")
    return float((bounds[1] - bounds[0]).max()) / BOX_MARGIN
