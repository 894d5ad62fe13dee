"""The trunk of our networks as a Stable-Baselines3 features extractor, so that SB3 trains what an agent folder holds.

Where the processor multiplies bfloat16, the trunk computes in it: weights and heads stay float32, training is about
twice as fast, and the agent is evaluated in float32.
"""

from pathlib import Path

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from rlattack.policies.network import Convolution, Network, NetworkSpec


class ConvolutionalExtractor(BaseFeaturesExtractor):
    """Convolutions, flatten, hidden layers, ReLU throughout; SB3 divides images by 255 before.

    Args:
        space: Observations (frames, height, width).
        convolutions: As `NetworkSpec.convolutions`.
        hidden: As `NetworkSpec.hidden`.
    """

    def __init__(self, space: Box, convolutions: tuple[Convolution, ...], hidden: tuple[int, ...]) -> None:
        super().__init__(space, features_dim=hidden[-1])
        self._fast = torch.cuda.is_available() or "avx512_bf16" in _processor()
        self.strides = tuple(stride for _, _, stride in convolutions)  # which their tensors do not tell
        spec = NetworkSpec(observation=space.shape, actions=1, head="q", convolutions=convolutions, hidden=hidden)
        self.layers = Network(spec).trunk

    def exact(self) -> None:
        """Lets the trunk compute in float32 from now on."""
        self._fast = False

    def forward(self, observations: Tensor) -> Tensor:
        """Maps scaled images (n, frames, height, width) to features (n, hidden[-1])."""
        with torch.autocast(observations.device.type, torch.bfloat16, enabled=self._fast):
            features: Tensor = self.layers(observations)
        return features.float()


def _processor() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return ""
