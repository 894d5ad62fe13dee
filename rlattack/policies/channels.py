"""Agents that see pictures channels first, in games that show them channels last."""

from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.games.card import ActionMode
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State


class ChannelsLast(Differentiable):
    """A policy that is asked about pictures (height, width, channels), and sees (channels, height, width).

    Args:
        policy: Who sees channels first, as Stable-Baselines3 turns pictures for its networks.
    """

    normaliser: Normaliser | None = None

    def __init__(self, policy: Policy) -> None:
        channels, height, width = policy.observation
        self.policy, self.observation = policy, (height, width, channels)
        self.acts: ActionMode | None = policy.acts

    @property
    def action(self) -> Space[object]:
        """One action."""
        return self.policy.action

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy about the picture that it sees."""
        return self.policy(obs.permute(0, 3, 1, 2), state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy says of the value."""
        return self.policy.value(obs.permute(0, 3, 1, 2), action, state)

    def initial_state(self, n: int) -> State:
        """The policy's own."""
        return self.policy.initial_state(n)


def turned(policy: Policy, shown: tuple[int, ...]) -> Policy:
    """The policy as it takes observations of a shape: behind a turn where its channels come first and theirs last."""
    seen = tuple(policy.observation)
    if len(seen) == 3 and shown == (*seen[1:], seen[0]) and shown != seen and policy.normaliser is None:
        return ChannelsLast(policy)
    return policy
