"""The learned part: a small network that tells valid combinations of scales from invalid ones."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Width and hidden layers of OSN's object scale network (Song et al., ICML 2024).
WIDTH, HIDDEN_LAYERS = 64, 4


class ScaleNetwork(nn.Module):
    """Score combinations of object scales; OSN's object scale network (Song et al., ICML 2024).

    The input is u (B, K-1) in [0,1], each object's place in its scale range; the score is
    p = sigmoid(sharpness x + shift) of the last layer's output x, which has no bias, so that an
    untrained network calls about everything valid (p near 0.73).
    """

    def __init__(
        self,
        num_objects: int,
        width: int = WIDTH,
        hidden_layers: int = HIDDEN_LAYERS,
        sharpness: float = 1.0,
        shift: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_objects, self.width, self.hidden_layers = num_objects, width, hidden_layers
        self.sharpness, self.shift = sharpness, shift
        layers: list[nn.Module] = []
        for index in range(hidden_layers):
            layers += [nn.Linear(width if index else num_objects, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1, bias=False))

    def logits(self, places: Float[Tensor, "B K-1"]) -> Float[Tensor, " B"]:
        """Give the log-odds that combinations are valid. Differentiable."""
        return self.sharpness * self.layers(places).squeeze(-1) + self.shift

    def forward(self, places: Float[Tensor, "B K-1"]) -> Float[Tensor, " B"]:
        """Give the scores in (0,1) of combinations. Differentiable."""
        return torch.sigmoid(self.logits(places))

    def config(self) -> dict[str, float]:
        """Give what a saved scene writes down about the network beside its tensors."""
        return {
            "num_objects": self.num_objects,
            "width": self.width,
            "hidden_layers": self.hidden_layers,
            "sharpness": self.sharpness,
            "shift": self.shift,
        }

    def tensors(self) -> dict[str, Tensor]:
        """Give the weights by name."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items()}

    @staticmethod
    def restore(config: Mapping[str, float], tensors: Mapping[str, Tensor]) -> "ScaleNetwork":
        """Rebuild a network from its `config` and `tensors`.

        Raises:
            ValueError: the tensors are not those of such a network.
        """
        network = ScaleNetwork(
            int(config["num_objects"]),
            int(config["width"]),
            int(config["hidden_layers"]),
            float(config["sharpness"]),
            float(config["shift"]),
        )
        try:
            network.load_state_dict(dict(tensors))
        except RuntimeError as error:
            raise ValueError(f"the scale network does not fit its tensors: {error}") from error
        return network
