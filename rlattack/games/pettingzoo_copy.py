"""One PettingZoo environment, in which agents act at once or in turns, played in one way (Terry et al. 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Copy", "Look", "copy_of"]


@dataclass(frozen=True)
class Look:
    """How a game stands in one copy, by agent; `over` once nobody is left, `cut` where somebody could have gone on."""

    obs: Mapping[Any, Any]
    infos: Mapping[Any, Mapping[str, Any]]
    acting: list[Any]
    rewards: Mapping[Any, float] = field(default_factory=dict)
    over: bool = False
    cut: bool = False


class Copy(Protocol):
    """One environment of either kind."""

    env: Any

    def reset(self, seed: int) -> Look:
        """Starts an episode."""

    def step(self, actions: Mapping[Any, Any]) -> Look:
        """Plays the actions of those who are to act."""


def copy_of(env: Any) -> Copy:
    """Returns what plays a `ParallelEnv` or an `AECEnv`."""
    from pettingzoo import ParallelEnv

    return _AtOnce(env) if isinstance(env, ParallelEnv) else _InTurns(env)


class _AtOnce:
    """A `ParallelEnv`: all who are left act."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, seed: int) -> Look:
        """See `Copy`."""
        obs, infos = self.env.reset(seed=seed)
        return Look(obs, infos, list(self.env.agents))

    def step(self, actions: Mapping[Any, Any]) -> Look:
        """See `Copy`."""
        obs, rewards, terminated, truncated, infos = self.env.step(dict(actions))
        left = _left(self.env.agents, terminated, truncated)
        return Look(obs, infos, left, rewards, not left, _cut(terminated, truncated))


class _InTurns:
    """An `AECEnv`: the selected agent acts, and either can be rewarded for it."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, seed: int) -> Look:
        """See `Copy`."""
        self.env.reset(seed=seed)
        return self._look()

    def step(self, actions: Mapping[Any, Any]) -> Look:
        """See `Copy`."""
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
        return Look(obs, env.infos, acting, rewards, not left, _cut(terminated, truncated))


def _left(agents: list[Any], terminated: Mapping[Any, bool], truncated: Mapping[Any, bool]) -> list[Any]:
    return [agent for agent in agents if not (terminated.get(agent) or truncated.get(agent))]


def _cut(terminated: Mapping[Any, bool], truncated: Mapping[Any, bool]) -> bool:
    return any(flag and not terminated.get(agent) for agent, flag in truncated.items())
