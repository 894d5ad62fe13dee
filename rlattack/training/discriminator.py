"""Who tells demonstrations from play, and pays a perturber by it: the reward of behaviour-targeted attacks.

BIA (Yamabe et al. 2026): the perturber that leads a victim to a wanted policy is found by adversarial imitation in the
game of who perturbs: by GAIL (Ho and Ermon 2016, eq. 16, alg. 1) on states and the victim's actions (BIA-ILfD), or by
GAIfO (Torabi et al. 2018, alg. 1) on states and next states (BIA-ILfO). Of both the discriminator D rises by
E_play[log D] + E_demonstrations[log(1 - D)], and the perturber is paid -log D. D is kept from being steep (Mescheder et
al. 2018, eq. 9 and 10): who is quite sure of a few demonstrations pays nothing anywhere.
"""

import itertools

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own convention
from gymnasium import Space
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from torch import Tensor, nn

from rlattack.arrays import Array, FloatArray
from rlattack.training.demonstrations import Experience

_HIDDEN = 100
"""Width of both hidden layers, as Ho and Ermon's (sec. 6)."""
_BATCH, _PASSES, _RATE = 128, 2, 1e-3
"""Steps of play a gradient step, beside as many of demonstrations; how often each is taken; Adam's learning rate."""
_SMOOTH = 0.1
"""Weight of the squared slope."""
_FAR = 10.0
"""Deviations beyond which a number counts as that many."""


class Discriminator:
    """Learns in turns with a perturber whether steps came from demonstrations, and pays for those that seem to.

    Args:
        demonstrations: Of the wanted behaviour; what is shown is numbers in a row.
        action: One action of the game.
        states_only: Whether it sees where a step led and not what was done (BIA-ILfO).
        seed: Of its weights, and of the order in which it learns.
        device: Where it computes.

    Attributes:
        net: Its network, which holds the demonstrations too: what a checkpoint keeps of it.
        optimizer: Of the network.
    """

    def __init__(
        self, demonstrations: Experience, action: Space[object], states_only: bool, seed: int, device: str = "cpu"
    ) -> None:  # fmt: skip
        self._action, self._states_only = action, states_only
        self._rng = np.random.default_rng(seed)
        self.net = _Net(self._rows(demonstrations), seed).to(device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=_RATE)
        self._play: list[Experience] = []

    def pay(self, shown: Array, did: Array, then: Array) -> FloatArray:
        """Pays for a step of play, and keeps it to learn from: -log D, shape (slots,), float64, 0 or more.

        Args:
            shown: What was truly shown, shape (slots, entries).
            did: What the victim did, shape (slots,) or (slots, numbers).
            then: What was truly shown after it, shape (slots, entries).
        """
        step = Experience(shown.copy(), did.copy(), then.copy())
        self._play.append(step)
        with torch.no_grad():
            paid: FloatArray = F.softplus(self.net(self._rows(step))).numpy(force=True).astype(np.float64)
        return paid

    def learn(self) -> tuple[Experience, dict[str, float]]:
        """Learns from what was played since it last did, beside as many steps of demonstrations, drawn anew.

        Returns:
            What was played, and the mean `loss` (cross-entropy) and `accuracy` of its parts before each was learned.
        """
        play = Experience.together(self._play)
        self._play.clear()
        rows, shown = self._rows(play).to(self.net.mean), self.net.demonstrations
        self.net.look(rows)
        told = []
        for _ in range(_PASSES):
            mixed = self._rng.permutation(len(rows))
            for part in np.array_split(mixed, -(-len(rows) // _BATCH)):
                drawn = self._rng.integers(len(shown), size=len(part))
                told.append(self._step(rows[part], shown[drawn]))
        loss, accuracy = np.mean(told, axis=0).tolist()
        return play, {"loss": loss, "accuracy": accuracy}

    def _step(self, play: Tensor, demonstrations: Tensor) -> tuple[float, float]:
        """One step of Adam (Kingma and Ba 2015) on as many rows of each."""
        scaled = self.net.scaled(torch.cat([play, demonstrations])).requires_grad_(True)
        told = self.net.told(scaled)
        true = torch.arange(len(told), device=told.device) >= len(play)
        loss = F.binary_cross_entropy_with_logits(told, true.to(told))
        (slope,) = torch.autograd.grad(told.sum(), scaled, create_graph=True)
        self.optimizer.zero_grad()
        (loss + _SMOOTH * slope.square().sum(dim=1).mean()).backward()  # type: ignore[no-untyped-call]  # of torch
        self.optimizer.step()
        self.optimizer.zero_grad()  # the perturber's own step is clipped by all gradients that it finds
        return float(loss.detach()), float(((told > 0) == true).float().mean())

    def _rows(self, steps: Experience) -> Tensor:
        """What it looks at, a row a step, float32: the state, and the action or the way to the next state."""
        shown = steps.shown.astype(np.float32)
        beside = steps.then.astype(np.float32) - shown if self._states_only else self._numbers(steps.did)
        return torch.as_tensor(np.concatenate([shown, beside], axis=1))

    def _numbers(self, did: Array) -> Array:
        """Actions as numbers, a row each: as the game takes them, which clips them; a place each of those to choose."""
        action = self._action
        if isinstance(action, Box):
            return did.clip(action.low, action.high).astype(np.float32).reshape(len(did), -1)
        assert isinstance(action, Discrete | MultiDiscrete), "there are no others"
        counts = action.nvec.tolist() if isinstance(action, MultiDiscrete) else [int(action.n)]
        chosen = did.reshape(len(did), -1).astype(np.int64).T
        return np.concatenate([np.eye(n, dtype=np.float32)[one] for n, one in zip(counts, chosen, strict=True)], axis=1)


class _Net(nn.Module):
    """Maps rows to how sure it is that they are of demonstrations: the logit of 1 - D in the papers' words, (n,)."""

    demonstrations: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, demonstrations: Tensor, seed: int) -> None:
        super().__init__()
        self.register_buffer("demonstrations", demonstrations)
        self.register_buffer("mean", torch.zeros(demonstrations.shape[1]))
        self.register_buffer("deviation", torch.ones(demonstrations.shape[1]))
        self.look(demonstrations)
        sizes = (demonstrations.shape[1], _HIDDEN, _HIDDEN, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [part for pair in itertools.pairwise(sizes) for part in (nn.Linear(*pair), nn.Tanh())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, rows: Tensor) -> Tensor:
        """Tells it of rows, shape (n, numbers)."""
        return self.told(self.scaled(rows))

    def look(self, play: Tensor) -> None:
        """Takes the statistics of demonstrations and of play, of which each counts as half, whatever its size."""
        both = [torch.var_mean(one.double(), dim=0, correction=0) for one in (self.demonstrations, play)]
        (theirs, mean), (own, other) = both
        deviation = ((theirs + own) / 2 + ((mean - other) / 2).square()).sqrt()
        self.mean.copy_((mean + other) / 2)
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows in deviations from the mean."""
        return ((rows.to(self.mean) - self.mean) / self.deviation).clamp(-_FAR, _FAR)

    def told(self, scaled: Tensor) -> Tensor:
        """Tells it of such rows."""
        found: Tensor = self.layers(scaled)
        return found.squeeze(1)
