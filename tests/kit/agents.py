"""Policies whose answers are known by hand, small networks of random weights, and agent folders that hold them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from rlattack.draws import Draws, Streams
from rlattack.games.game import PLAYER, Seat
from rlattack.policies.folder import AgentCard, AnyNetwork, save_agent
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.module import ModulePolicy
from rlattack.policies.network import SMALL, Network, NetworkSpec
from rlattack.policies.policy import ActionMode, Policy, State, choose

Weights = Tensor | Sequence[Sequence[float]]

VECTOR = NetworkSpec(observation=(4,), actions=2, head="q", scale=1.0, actor=(8,))
"""A small Q network for state vectors, as those of CartPole."""
CARTPOLE = Seat(PLAYER, Box(-9, 9, (4,), np.float32), Discrete(2))
"""What a player of CartPole sees and does."""


def streams(*seeds: int) -> Streams:
    """Draws of one slot a seed, as a seat has them in play."""
    drawn = Streams(len(seeds))
    for slot, seed in enumerate(seeds):
        drawn.restart(slot, np.random.SeedSequence(seed))
    return drawn


@torch.no_grad()
def act(
    policy: Policy, obs: npt.ArrayLike, draws: Draws, *, state: State = None, legal: npt.ArrayLike | None = None,
    mode: ActionMode = "sampled",
) -> tuple[Tensor, State]:  # fmt: skip
    """Lets a policy act once, as play does: asked, kept to what is legal, then greedy or sampled.

    Returns:
        The action of each row and the state after.
    """
    allowed = None if legal is None else torch.as_tensor(legal)
    out = policy(torch.as_tensor(np.asarray(obs), dtype=torch.float32), state, draws).among(allowed)
    return choose(out.actions, policy.acts or mode, draws), out.state


def linear_policy(
    weights: Weights, bias: Sequence[float] | None = None, shape: tuple[int, ...] | None = None, **about: Any
) -> ModulePolicy:
    """Scores are `weights @ observation + bias`, so that the worst perturbation has a closed form.

    Args:
        weights: Shape (actions, entries).
        bias: One number an action; zeros by default.
        shape: Of one observation, which is flattened; (entries,) by default.
        about: Further arguments of `ModulePolicy`, such as `value_based=True`.
    """
    weight = torch.as_tensor(weights, dtype=torch.float32)
    actions, entries = weight.shape
    layer = nn.Linear(entries, actions)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.zeros(actions) if bias is None else torch.as_tensor(bias, dtype=torch.float32))
    return ModulePolicy(nn.Sequential(nn.Flatten(), layer), shape or (entries,), actions, **about)


def random_linear_policy(shape: tuple[int, ...], actions: int = 3, seed: int = 0, **about: Any) -> ModulePolicy:
    """Linear scores small enough that the gradient of their cross-entropy does not vanish on whole bytes."""
    torch.manual_seed(seed)
    layer = nn.Linear(int(np.prod(shape)), actions)
    return linear_policy(0.02 * layer.weight.detach(), layer.bias.tolist(), shape, **about)


def scores_as_seen(actions: int, **about: Any) -> ModulePolicy:
    """A policy whose scores (or Q values, with `value_based=True`) are what it sees."""
    return ModulePolicy(nn.Identity(), (actions,), actions, **about)


class Counting(nn.Module):
    """Prefers the action that is the number of calls, kept in its state."""

    def __init__(self, actions: int) -> None:
        super().__init__()
        self.actions = actions

    def forward(self, obs: Tensor, state: Tensor) -> tuple[Tensor, None, Tensor]:
        """Scores, no values, and the state after, all of n rows."""
        return nn.functional.one_hot(state[:, 0].long(), self.actions) * 100.0, None, state + 1


def counting_policy(actions: int, observation: tuple[int, ...] = (4,)) -> ModulePolicy:
    """A policy with memory: it plays action 0, 1, 2, ... whatever it sees."""
    return ModulePolicy(Counting(actions), observation, actions, state_shape=(1,))


def gaussian_network(observation: int = 1, actions: int = 1, *, seed: int = 0, **spec: Any) -> GaussianNetwork:
    """A Gaussian network of random weights; `spec` changes `hidden=(4,)`, `memory=0` or `clip`."""
    torch.manual_seed(seed)
    return GaussianNetwork(GaussianSpec(**{"observation": (observation,), "actions": actions, "hidden": (4,)} | spec))


def gaussian_policy(observation: int = 1, actions: int = 1, *, seed: int = 0, **spec: Any) -> GaussianPolicy:
    """`gaussian_network` as a policy whose actions have no bounds."""
    return GaussianPolicy(gaussian_network(observation, actions, seed=seed, **spec))


def linear_gaussian_network(weights: Weights, *, deviation: float = 1.0, scale: float = 1.0) -> GaussianNetwork:
    """A Gaussian network whose mean is `weights @ observation`, as far as it clips nothing.

    Args:
        weights: Shape (actions, entries).
        deviation: Of every entry of the action.
        scale: Standard deviation of every entry of the observation in its normaliser, the unit of `sigma`.
    """
    weight = torch.as_tensor(weights, dtype=torch.float32)
    actions, entries = weight.shape
    network = gaussian_network(entries, actions, hidden=(), clip=1e6)
    with torch.no_grad():
        network.pi.out.weight.copy_(weight * scale)
        network.pi.out.bias.zero_()
        network.obs_std.fill_(scale)
        network.log_std.fill_(float(np.log(deviation)))
    return network


def save_network(folder: Path | str, game: str, network: AnyNetwork, **card: Any) -> str:
    """Saves a network as an agent folder, in full precision, and returns the folder, by which it can be loaded.

    Args:
        folder: Where, such as `tmp_path / "agents" / "my" / "agent"`.
        game: Id of the game that the card names.
        network: What plays.
        card: Further fields of the card, such as `seat="left"`; it is a victim, trained by ppo, unless they say else.
    """
    about = {"game": game, "role": "victim", "algorithm": "ppo", "network": network.spec} | card
    save_agent(Path(folder), AgentCard(**about), network, half=False)
    return str(folder)


def gaussian_agent(
    folder: Path | str, game: str, observation: int = 1, actions: int = 1, *, seat: str = "", seed: int = 0,
    role: str = "victim", **spec: Any,
) -> str:  # fmt: skip
    """Saves an agent of continuous actions that knows nothing, and returns its folder; `spec` as `gaussian_network`."""
    network = gaussian_network(observation, actions, seed=seed, **spec)
    return save_network(folder, game, network, seat=seat, role=role)


def network_agent(folder: Path | str, game: str, spec: NetworkSpec = VECTOR, *, seed: int = 0, **card: Any) -> str:
    """Saves an agent of discrete actions that knows nothing, and returns its folder; `card` as in `save_network`."""
    torch.manual_seed(seed)
    return save_network(folder, game, Network(spec), **card)


def short_pong(folder: Path, frames: int, about: str = "") -> None:
    """Puts into a working folder `atari/short`, a Pong of so many frames, and `me`, who plays it at random.

    Args:
        folder: Where games are looked for in `envs`, and agents in `agents`.
        frames: After which an episode is cut.
        about: More tables of the game's card.
    """
    path = folder / "envs" / "atari" / "short.toml"
    path.parent.mkdir(parents=True)
    head = 'schema = "rlattack/game/1"\ntitle = "A short Pong"\nrom = "pong"\n'
    path.write_text(f"{head}[atari]\nmax_frames = {frames}\n{about}")
    spec = NetworkSpec(observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(32,))
    network_agent(folder / "agents" / "me", "atari/short", spec)


def perturber_agent(folder: Path | str, game: str, network: AnyNetwork, attack: str, **about: Any) -> str:
    """Saves an adversary of `sa-rl` or `pa-ad`, and returns its folder; `about` is what its card tells beside that."""
    told = {"attack": attack, "victim": "v", "eps": 0.1, "norm": "linf", "space": "raw"}
    told |= ({"steps": 1} if attack == "pa-ad" else {}) | about
    return save_network(folder, game, network, role="adversary", provenance={"perturbs": told})
