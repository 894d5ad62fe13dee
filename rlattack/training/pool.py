"""Several policies for one seat of a game in slots: whom a slot meets is drawn when its episode starts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rlattack.draws import Draws, RowDraws
from rlattack.games.card import ActionMode
from rlattack.games.game import Seat
from rlattack.policies.distributions import Actions
from rlattack.policies.mixed import Mixed
from rlattack.policies.policy import Differentiable, Normaliser, Output, Policy, State


class Pool(Differentiable):
    """A policy that is one of several, uniformly drawn, for the whole of an episode.

    The recurrent state of a row is the key of its policy, then that policy's own state: so whoever clears the state
    when an episode starts also draws the opponent, and a row keeps its policy while others start anew.

    Args:
        seat: What it holds.
        seed: Of the draws.
        policies: Key and policy, as `serve` takes them.
    """

    acts: ActionMode | None = None
    normaliser: Normaliser | None = None

    def __init__(self, seat: Seat, seed: int, policies: Sequence[tuple[int, Policy]] = ()) -> None:
        self.observation, self.action = tuple(seat.observation.shape or ()), seat.action
        self._generator = torch.Generator().manual_seed(seed)
        self._policies: dict[int, Policy] = {}
        self._served: list[int] = []
        self._held: set[int] = set()
        self._width = 0
        self.serve(policies)

    def serve(self, policies: Sequence[tuple[int, Policy]]) -> None:
        """Lets episodes that start from now on meet these; the others are kept until nobody plays them any more.

        Args:
            policies: Keys (whole numbers) and policies, some perhaps more than once. Those that come later have no
                larger states than the first ones.
        """
        wanted = self._held | set(self._served)  # drawn since they last acted
        self._policies = {key: one for key, one in self._policies.items() if key in wanted} | dict(policies)
        self._served = [key for key, _ in policies]
        states = [one.initial_state(1) for _, one in policies]
        self._width = max([self._width, *(0 if state is None else state.shape[1] for state in states)])

    def initial_state(self, n: int) -> Tensor:
        """Draws a policy a row; shape (n, 1 + its state), float64, which holds keys and float32 states exactly."""
        drawn = torch.zeros(n, 1 + self._width, dtype=torch.float64)
        if not self._served:  # before the first one is known
            return drawn
        served = torch.tensor(self._served, dtype=torch.float64)
        drawn[:, 0] = served[torch.randint(len(served), (n,), generator=self._generator)]
        for key in set(self._served):
            start = self._policies[key].initial_state(n)
            if start is not None:
                mine = drawn[:, 0] == key
                drawn[mine, 1 : 1 + start.shape[1]] = start[mine].double()
        return drawn

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        """Asks every row's policy."""
        assert state is not None, "initial_state comes first"
        keys, after = state[:, 0].long(), state.clone()
        self._held = set(keys.tolist())
        parts: list[tuple[Tensor, Actions]] = []
        for key in sorted(self._held):
            policy, rows = self._policies[key], keys == key
            start = policy.initial_state(1)
            own = None if start is None else state[rows, 1 : 1 + start.shape[1]].float()
            out = policy(obs[rows], own, None if draws is None else RowDraws(draws, rows))
            every = torch.ones(int(rows.sum()), dtype=torch.bool)
            parts.append((rows, _Certain([(every, out.actions)]) if policy.acts == "greedy" else out.actions))
            if out.state is not None:
                after[rows, 1 : 1 + out.state.shape[1]] = out.state.double()
        return Output(Mixed(parts), state=after)

    def value(self, obs: Tensor, action: Tensor | None = None, state: State = None) -> Tensor | None:
        """None: values of different policies are not compared."""
        return None


class _Certain(Mixed):
    """The greedy actions of a policy that never samples; draws nothing."""

    def sample(self, draws: Draws) -> Tensor:
        """The most likely action of each row."""
        return self.greedy
