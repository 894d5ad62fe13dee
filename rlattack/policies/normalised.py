"""Agents behind the statistics of what they saw in training, which their own file or code leaves out."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.games.card import ActionMode
from rlattack.games.game import Part
from rlattack.policies.folder import AgentCard, AnyNetwork, AnySpec, build
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.gaussian_spec import GaussianSpec
from rlattack.policies.network import NetworkSpec
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State, judged
from rlattack.policies.statistics import Statistics, statistics_for
from rlattack.policies.tensors import Tensors


def behind(network: AnyNetwork, seen: Statistics, where: str) -> GaussianNetwork:
    """The same network behind statistics, as an agent folder can hold it.

    Args:
        network: Who was trained on normalised observations.
        seen: The statistics by which they were.
        where: What messages call the agent.

    Raises:
        RefusedFile: It has statistics of its own, sees something else, or sees pictures.
    """
    spec: AnySpec = network.spec
    state: Tensors = network.state_dict()
    if not isinstance(spec, GaussianSpec):
        spec, state = of_numbers(spec, state, where)
    if spec.clip:
        raise RefusedFile(f"{where}: has statistics of its own; leave out --normaliser")
    whole = flat(seen, spec.parts, where)
    if tuple(whole.mean.shape) != spec.observation:
        raise RefusedFile(
            f"{where}: its statistics are of observations of shape {tuple(whole.mean.shape)}, it sees "
            f"{spec.observation}: expected those it was trained with, by --normaliser FILE"
        )
    kept = {"obs_mean": whole.mean, "obs_std": whole.deviation}
    raw = tuple(part.name for part in spec.parts if isinstance(seen, dict) and part.name not in seen)
    kept |= {"obs_raw": whole.raw.float()} if raw and whole.raw is not None else {}
    return build(dataclasses.replace(spec, clip=whole.clip, raw=raw), state | kept, where)


def flat(seen: Statistics, parts: Sequence[Part], where: str) -> Normaliser:
    """Statistics of an observation as it lies flattened; keys without any are seen as they are.

    Args:
        seen: Of one array, or by keys.
        parts: What lies where; none of one array.
        where: What messages call the agent.

    Raises:
        RefusedFile: Statistics of keys of which the agent has none, or of other shapes.
    """
    if isinstance(seen, Normaliser):
        return seen
    if not parts:
        raise RefusedFile(f"{where}: its statistics are of a Dict of {', '.join(seen)}, and it sees one array")
    size = parts[-1].start + parts[-1].entries
    mean, deviation, raw = torch.zeros(size), torch.ones(size), torch.ones(size, dtype=torch.bool)
    clip = 0.0
    for part in parts:
        if (one := seen.get(part.name)) is None:
            continue
        if tuple(one.mean.shape) != part.shape:
            got = tuple(one.mean.shape)
            raise RefusedFile(f"{where}: its statistics of {part.name!r} are of shape {got}, it sees {part.shape}")
        rows = slice(part.start, part.start + part.entries)
        mean[rows], deviation[rows], raw[rows], clip = one.mean.flatten(), one.deviation.flatten(), False, one.clip
    if raw.all():
        known = ", ".join(part.name for part in parts)
        raise RefusedFile(f"{where}: its statistics are of {', '.join(seen)}, it sees {known}")
    return Normaliser(mean, deviation, clip, raw if raw.any() else None)


def behind_found(
    card: AgentCard, network: AnyNetwork, source: str, normaliser: str
) -> tuple[AgentCard, AnyNetwork]:  # fmt: skip
    """An agent behind the statistics that lie beside its file or that the user names; as it is where there are none.

    Raises:
        RefusedFile: Statistics that cannot be read, or are not its own.
    """
    statistics = statistics_for(Path(source), normaliser)
    if statistics is None:
        return card, network
    seen = behind(network, statistics, source)
    return dataclasses.replace(card, network=seen.spec), seen


def of_numbers(old: NetworkSpec, tensors: Tensors, where: str) -> tuple[GaussianSpec, Tensors]:
    """A network of discrete actions that sees numbers, by the names of networks that can have statistics.

    Raises:
        RefusedFile: It sees pictures, or its actor and critic share layers.
    """
    if old.convolutions or old.hidden or len(old.observation) != 1 or old.scale != 1:
        raise RefusedFile(f"{where}: statistics of pictures, or of layers shared by actor and critic, are not read")
    critic = old.critic if old.head == "actor-critic" else None
    spec = GaussianSpec(
        observation=old.observation, actions=old.actions, head="q" if critic is None else "categorical", clip=0.0,
        hidden=old.actor, critic=critic, critics=int(critic is not None), activation=old.activation,
    )  # fmt: skip
    state = _head(tensors, "actor", "pi", old.actor) | _head(tensors, "critic", "vf", critic or ())
    if old.head == "quantile":
        state |= {f"pi.out.{kind}": _mean(state[f"pi.out.{kind}"], old) for kind in ("weight", "bias")}
    return spec, state | as_they_are(old.observation[0])


def _head(tensors: Tensors, theirs: str, ours: str, hidden: tuple[int, ...]) -> Tensors:
    """The layers of an actor or a critic, the last of which is the output."""
    last = f"{theirs}.{2 * len(hidden)}."
    found = {name.replace(last, f"{ours}.out."): one for name, one in tensors.items() if name.startswith(last)}
    before = {name: one for name, one in tensors.items() if name.startswith(f"{theirs}.") and not name.startswith(last)}
    return found | {name.replace(f"{theirs}.", f"{ours}.layers.", 1): one for name, one in before.items()}


def _mean(outputs: Tensor, spec: NetworkSpec) -> Tensor:
    """Of quantiles, as one layer: the mean of linear outputs is linear."""
    return outputs.view(spec.quantiles, spec.actions, *outputs.shape[1:]).mean(dim=0)


def as_they_are(entries: int) -> Tensors:
    """Statistics of observations and returns that change nothing."""
    return {
        "obs_mean": torch.zeros(entries), "obs_std": torch.ones(entries),
        "value_mean": torch.zeros(()), "value_std": torch.ones(()),
    }  # fmt: skip


class Normalised(Differentiable):
    """A policy that is shown normalised observations; what it is asked about are the game's own.

    Args:
        policy: Who was trained on normalised observations.
        normaliser: The statistics by which they were.
        where: What messages call the statistics.

    Raises:
        InvalidInput: Statistics of observations of another shape.
        RefusedFile: Statistics of other keys.
    """

    def __init__(self, policy: Policy, normaliser: Statistics, where: str) -> None:
        self.parts: Sequence[Part] = getattr(policy, "parts", ())
        normaliser = flat(normaliser, self.parts, where)
        seen = tuple(normaliser.mean.shape)
        if seen != tuple(policy.observation):
            raise InvalidInput(f"{where}: statistics of shape {seen}, the agent sees {tuple(policy.observation)}")
        self.policy, self.normaliser, self.observation = policy, normaliser, policy.observation
        self.acts: ActionMode | None = policy.acts

    @property
    def action(self) -> Space[object]:
        """One action."""
        return self.policy.action

    @property
    def judged(self) -> "Normalised":
        """The same whose critic can be asked, where it has a memory of its own."""
        return Normalised(judged(self.policy), self.normaliser, "")

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy about what it sees."""
        return self.policy(self.normaliser(obs), state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy says of the value."""
        return self.policy.value(self.normaliser(obs), action, state)

    def initial_state(self, n: int) -> State:
        """The policy's own."""
        return self.policy.initial_state(n)
