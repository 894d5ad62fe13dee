"""A policy behind the statistics of what it saw in training, which its own file or code leaves out."""

from gymnasium import Space
from torch import Tensor

from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.games.card import ActionMode
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State


class Normalised(Differentiable):
    """A policy that is shown normalised observations; what it is asked about are the game's own.

    Args:
        policy: Who was trained on normalised observations.
        normaliser: The statistics by which they were.
        where: What messages call the statistics.

    Raises:
        InvalidInput: Statistics of observations of another shape.
    """

    def __init__(self, policy: Policy, normaliser: Normaliser, where: str) -> None:
        seen = tuple(normaliser.mean.shape)
        if seen != tuple(policy.observation):
            raise InvalidInput(f"{where}: statistics of shape {seen}, the agent sees {tuple(policy.observation)}")
        self.policy, self.normaliser, self.observation = policy, normaliser, policy.observation
        self.acts: ActionMode | None = policy.acts

    @property
    def action(self) -> Space[object]:
        """One action."""
        return self.policy.action

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks the policy about what it sees."""
        return self.policy(self.normaliser(obs), state, draws)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """What the policy says of the value."""
        return self.policy.value(self.normaliser(obs), action, state)

    def initial_state(self, n: int) -> State:
        """The policy's own."""
        return self.policy.initial_state(n)
