"""Control nodes inside a silhouette, joined along the body and not across gaps."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

STRETCH_LIMIT = 2.0
"""An edge whose ends move this many times further apart than at rest joins two separate parts."""


@dataclass(frozen=True)
class NodeGraph:
    """Nodes in pixels of the frame they were placed in, and how far apart they are along the body.

    Shapes: pixels (M,2); geodesics (M,M) in pixels, infinite between separate parts;
    neighbors (M,K), nearest first, starting with the node itself.
    """

    pixels: Float[Tensor, "M 2"]
    geodesics: Float[Tensor, "M M"]
    neighbors: Int[Tensor, "M K"]


def place_nodes(mask: Bool[Tensor, "H W"], count: int, neighbors: int) -> NodeGraph:
    """Spread nodes over a silhouette by farthest-point sampling along the body.

    Distances are shortest paths between pixels of the mask (Dijkstra on its 8-connected grid), so
    two legs that touch the same gap are as far apart as the way over the hip. Fewer nodes are
    placed where the mask has fewer pixels.
    """
    pixels, links = _pixel_graph(mask.cpu().numpy())
    chosen = [int(np.argmin(((pixels - pixels.mean(0)) ** 2).sum(1)))]
    distances = [dijkstra(links, indices=chosen[0])]
    nearest = distances[0].copy()
    while len(chosen) < min(count, len(pixels)):
        chosen.append(int(np.argmax(np.where(np.isinf(nearest), 1e9, nearest))))
        distances.append(dijkstra(links, indices=chosen[-1]))
        nearest = np.minimum(nearest, distances[-1])
    geodesics = torch.from_numpy(np.stack(distances)[:, chosen].astype(np.float32))
    placed = torch.from_numpy(pixels[chosen].astype(np.float32)) + 0.5
    return NodeGraph(placed, geodesics, nearest_along_body(geodesics, neighbors))


def cut_stretched_edges(graph: NodeGraph, tracks: Float[Tensor, "T M 2"]) -> NodeGraph:
    """Cut the edges whose ends come apart, and measure distances along the body anew.

    Crossing limbs look connected in the frame the nodes were placed in; their tracks tell. An edge
    is kept where its length never exceeds ``STRETCH_LIMIT`` times its length at rest (plus one
    pixel). A node that would lose every edge keeps its least stretched one.
    """
    count, width = graph.neighbors.shape
    if width < 2:
        return graph
    source = torch.arange(count).repeat_interleave(width - 1)
    target = graph.neighbors[:, 1:].reshape(-1)
    rest = graph.geodesics[source, target]
    length = (tracks[:, source] - tracks[:, target]).norm(dim=-1).amax(0)
    # A neighbour that only fills up the list, the node itself, is no edge worth keeping.
    stretch = (length / (rest + 1.0)).masked_fill(source == target, torch.inf)
    stretch = stretch.reshape(count, width - 1)
    keep = (stretch <= STRETCH_LIMIT) & torch.isfinite(rest).reshape(count, width - 1)
    keep[torch.arange(count), stretch.argmin(1)] = True
    keep = keep.reshape(-1)
    links = coo_matrix(
        (rest[keep].clamp_max(1e6).numpy(), (source[keep].numpy(), target[keep].numpy())),
        shape=(count, count),
    )
    geodesics = torch.from_numpy(dijkstra(links.tocsr(), directed=False).astype(np.float32))
    return NodeGraph(graph.pixels, geodesics, nearest_along_body(geodesics, width))


def nearest_along_body(geodesics: Float[Tensor, "M M"], count: int) -> Int[Tensor, "M K"]:
    """Return each node's nearest nodes along the body, itself first; unreachable ones repeat it."""
    count = min(count, len(geodesics))
    distance, index = torch.sort(geodesics, dim=1, stable=True)
    own = torch.arange(len(geodesics))[:, None]
    return torch.where(torch.isfinite(distance[:, :count]), index[:, :count], own)


def _pixel_graph(mask: np.ndarray) -> tuple[np.ndarray, coo_matrix]:
    """Join each pixel of a mask (thinned to at most ~6000) with its 8 neighbours."""
    step = max(1, int(np.ceil(np.sqrt(mask.sum() / 6000))))
    small = mask[::step, ::step]
    if not small.any():
        small, step = mask, 1
    number = np.full(small.shape, -1)
    number[small] = np.arange(small.sum())
    rows, columns, lengths = [], [], []
    height, width = small.shape
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = number[: height - dy, max(0, -dx) : width - max(0, dx)]
        there = number[dy:, max(0, dx) : width + min(0, dx)]
        both = (here >= 0) & (there >= 0)
        rows.append(here[both])
        columns.append(there[both])
        lengths.append(np.full(both.sum(), step * np.hypot(dy, dx)))
    row, column, length = map(np.concatenate, (rows, columns, lengths))
    size = int(small.sum())
    links = coo_matrix((length, (row, column)), shape=(size, size))
    y, x = np.nonzero(small)
    return np.stack([x, y], 1) * step, (links + links.T).tocsr()
