"""One PettingZoo `ParallelEnv` of two agents, in the shape of a duel of one slot."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium import Space

from rlattack.errors import InvalidInput
from rlattack.games.batch import BoolArray, IntArray, check_seeds
from rlattack.games.duel import NOBODY, DuelStep, Sight

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

__all__ = ["ParallelDuel"]


class ParallelDuel:
    """Seats are the agents in their order; the game is over when it is for either of them.

    What the infos say counts, as Bansal et al. 2018 wrote them: `winner` for the one who won, `reward_remaining` for
    the sparse part of a reward. Else the higher return has won, and every reward counts as sparse.

    Args:
        env: The game; array observations.

    Raises:
        InvalidInput: Another number of agents than two.
    """

    slots: int = 1
    endings: tuple[str, ...] = ("", "end", "time")

    def __init__(self, env: "ParallelEnv[Any, Any, Any]") -> None:
        if len(agents := list(env.possible_agents)) != 2:
            raise InvalidInput(f"expected a game of two agents, got {len(agents)}: {', '.join(map(str, agents))}")
        self._env, self._agents = env, agents
        self.seats: tuple[str, str] = (str(agents[0]), str(agents[1]))
        self.observation_spaces: tuple[Space[Any], Space[Any]] = (
            env.observation_space(agents[0]),
            env.observation_space(agents[1]),
        )
        self.action_spaces: tuple[Space[Any], Space[Any]] = (env.action_space(agents[0]), env.action_space(agents[1]))
        self._last: list[npt.NDArray[Any]] = []
        self._returns = np.zeros(2)

    def reset(self, mask: BoolArray, seeds: IntArray) -> Sight:
        """See `DuelGame.reset`."""
        if len(seeds := check_seeds(mask, seeds)):
            shown, _ = self._env.reset(seed=int(seeds[0]))
            self._last = [np.asarray(shown[agent])[None] for agent in self._agents]
            self._returns = np.zeros(2)
        return self._sight()

    def step(self, actions: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> DuelStep:
        """See `DuelGame.step`."""
        both = zip(self._agents, actions, self.action_spaces, strict=True)
        shown, rewards, terminations, truncations, infos = self._env.step(
            {agent: action[0] if space.shape else int(action[0]) for agent, action, space in both}
        )
        self._last = [
            np.asarray(shown[agent])[None] if agent in shown else old for agent, old in self._each(self._last)
        ]
        earned = np.asarray([[float(rewards.get(agent, 0.0))] for agent in self._agents])
        self._returns += earned[:, 0]
        ended = any(terminations.values()) or not self._env.agents
        cut = any(truncations.values()) and not any(terminations.values())
        over = ended or cut
        sparse = [[float(infos.get(agent, {}).get("reward_remaining", own[0]))] for agent, own in self._each(earned)]
        return DuelStep(
            sight=self._sight(), rewards=earned, sparse=np.asarray(sparse), terminated=np.asarray([over and not cut]),
            truncated=np.asarray([cut]), winner=np.asarray([self._winner(infos) if over else NOBODY]),
            ending=np.asarray([2 if cut else int(over)]),
        )  # fmt: skip

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _each(self, values: Any) -> Any:  # pairs of agent and value
        return zip(self._agents, values, strict=True)

    def _winner(self, infos: dict[Any, dict[str, Any]]) -> int:
        said = [seat for seat, agent in enumerate(self._agents) if infos.get(agent, {}).get("winner")]
        if said:
            return said[0]
        if any("reward_remaining" in info for info in infos.values()) or self._returns[0] == self._returns[1]:
            return NOBODY
        return int(self._returns[1] > self._returns[0])

    def _sight(self) -> Sight:
        turn: BoolArray = np.ones((2, 1), dtype=np.bool_)
        return Sight((self._last[0], self._last[1]), turn)
