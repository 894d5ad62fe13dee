"""One PettingZoo environment, in which agents act at once or in turns, played in one way (Terry et al. 2021)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.game import NOBODY, Seat, Step, View, always, check_seeds

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv


@dataclass(frozen=True)
class Look:
    """How a game stands in one copy, by agent: over once nobody is to act, `cut` where somebody could have gone on."""

    obs: Mapping[Any, Any]
    infos: Mapping[Any, Mapping[str, Any]]
    acting: list[Any]
    rewards: Mapping[Any, float] = field(default_factory=dict)
    cut: bool = False


def copy_of(env: Any) -> "_AtOnce | _InTurns":
    """Returns what plays a `ParallelEnv` or an `AECEnv`."""
    from pettingzoo import ParallelEnv

    return _AtOnce(env) if isinstance(env, ParallelEnv) else _InTurns(env)


class _AtOnce:
    """A `ParallelEnv`: all who are left act."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, seed: int) -> Look:
        obs, infos = self.env.reset(seed=seed)
        return Look(obs, infos, list(self.env.agents))

    def step(self, actions: Mapping[Any, Any]) -> Look:
        obs, rewards, terminated, truncated, infos = self.env.step(dict(actions))
        left = _left(self.env.agents, terminated, truncated)
        return Look(obs, infos, left, rewards, _cut(terminated, truncated))


class _InTurns:
    """An `AECEnv`: the selected agent acts, and either can be rewarded for it."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, seed: int) -> Look:
        self.env.reset(seed=seed)
        return self._look()

    def step(self, actions: Mapping[Any, Any]) -> Look:
        self.env.step(actions[self.env.agent_selection])
        return self._look()

    def _look(self) -> Look:
        env = self.env
        # `rewards` are those of the last step; the cumulated ones start anew at another time for each agent
        rewards, terminated, truncated = dict(env.rewards), dict(env.terminations), dict(env.truncations)
        left = _left(env.agents, terminated, truncated)
        while left and env.agent_selection not in left:  # it is taken out of the game by an action of None
            env.step(None)
        obs = {agent: env.observe(agent) for agent in env.agents}
        acting = [env.agent_selection] if left else []
        return Look(obs, env.infos, acting, rewards, _cut(terminated, truncated))


def _left(agents: list[Any], terminated: Mapping[Any, bool], truncated: Mapping[Any, bool]) -> list[Any]:
    return [agent for agent in agents if not (terminated.get(agent) or truncated.get(agent))]


def _cut(terminated: Mapping[Any, bool], truncated: Mapping[Any, bool]) -> bool:
    return any(flag and not terminated.get(agent) for agent, flag in truncated.items())


class ParallelGame:
    """A `ParallelEnv` of two agents as a game of one slot; it is over when it is for either of them.

    Seats are the agents in their order. What the infos say counts, as Bansal et al. 2018 wrote them: `winner` for the
    one who won, `reward_remaining` for the sparse part of a reward. Else the higher return has won, and every reward
    counts as sparse.

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
        self.seats = tuple(Seat(str(one), env.observation_space(one), env.action_space(one)) for one in agents)
        self._shown: dict[Any, Array] = {}
        self._returns = np.zeros(2)
        self._turn = always(1)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts a new episode, where `mask` says so."""
        if len(seeds := check_seeds(mask, seeds)):
            shown, _ = self._env.reset(seed=int(seeds[0]))
            self._shown = {agent: np.asarray(shown[agent])[None] for agent in self._agents}
            self._returns = np.zeros(2)
        return self._views()

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat, each of shape (1, *action)."""
        chosen = {
            agent: action[0] if seat.action.shape else int(action[0])
            for agent, seat, action in zip(self._agents, self.seats, actions, strict=True)
        }
        shown, rewards, terminations, truncations, infos = self._env.step(chosen)
        self._shown |= {agent: np.asarray(shown[agent])[None] for agent in self._agents if agent in shown}
        earned = [float(rewards.get(agent, 0.0)) for agent in self._agents]
        self._returns += earned
        ended = any(terminations.values())
        cut = any(truncations.values()) and not ended
        over = ended or cut or not self._env.agents
        said = [infos.get(agent, {}) for agent in self._agents]
        sparse = [[float(info.get("reward_remaining", own))] for info, own in zip(said, earned, strict=True)]
        return Step(
            views=self._views(), rewards=np.asarray(earned)[:, None], sparse=np.asarray(sparse),
            terminated=np.asarray([over and not cut]), truncated=np.asarray([cut]),
            winner=np.asarray([self._winner(said) if over else NOBODY]), ending=np.asarray([2 if cut else int(over)]),
        )  # fmt: skip

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _winner(self, said: Sequence[Mapping[str, Any]]) -> int:
        named = [seat for seat, info in enumerate(said) if info.get("winner")]
        if named:
            return named[0]
        if any("reward_remaining" in info for info in said) or self._returns[0] == self._returns[1]:
            return NOBODY
        return int(self._returns[1] > self._returns[0])

    def _views(self) -> tuple[View, ...]:
        return tuple(View(self._shown[agent], self._turn) for agent in self._agents)
