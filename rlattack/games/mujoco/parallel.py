"""A two-player MuJoCo game as a PettingZoo `ParallelEnv`: one slot of the batched game, with names for its seats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import Space

from rlattack.arrays import Array
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.games.camera import Picture
from rlattack.games.card import GameCard, Variant
from rlattack.games.find import find_game
from rlattack.games.game import View
from rlattack.games.mujoco.duel import DuelGame
from rlattack.games.mujoco.render import Renderer

try:
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise MissingExtra('a parallel environment needs pettingzoo: pip install "rlattack[pettingzoo]"') from error

Infos = dict[str, dict[str, Any]]


def parallel_env(name: str, render_mode: str | None = None) -> "MujocoParallelEnv":
    """Builds a two-player MuJoCo game for PettingZoo.

    Args:
        name: Id of the game: `mujoco/sumo-ants`.
        render_mode: `rgb_array` to draw it, or None.
    """
    return MujocoParallelEnv(find_game(name), render_mode)


class MujocoParallelEnv(ParallelEnv[str, Array, Array]):  # type: ignore[misc]  # pettingzoo may be missing
    """Two agents, named by the seats on the card, act at once; both are done when the game is over.

    Infos of a seat hold `winner` (True for the one who won, False for all others), `reward_remaining` (the sparse part
    of the reward, as Bansal et al. 2018 call it) and `ending` (how the game ended; "" while it goes on).

    Args:
        card: A game of MuJoCo's.
        render_mode: `rgb_array` to draw it, or None.

    Raises:
        InvalidInput: A game that is none of MuJoCo's, or another render mode.
        MissingExtra: There is no GL library to draw with.
    """

    def __init__(self, card: GameCard, render_mode: str | None = None) -> None:
        if card.mujoco is None:
            raise InvalidInput(f"game {card.id}: expected one of MuJoCo's, like mujoco/sumo-ants")
        if render_mode not in (None, "rgb_array"):
            raise InvalidInput(f"render_mode: expected 'rgb_array' or None, got {render_mode!r}")
        self.metadata = {
            "name": card.id, "render_modes": ["rgb_array"], "is_parallelizable": True,
            "render_fps": round(card.mujoco.scene.fps),
        }  # fmt: skip
        self._game = DuelGame(Variant(card), 1)
        self.render_mode = render_mode
        self._renderer = Renderer(self._game) if render_mode else None
        self.possible_agents = [seat.name for seat in self._game.seats]
        self.agents: list[str] = []
        self.observation_spaces = {seat.name: seat.observation for seat in self._game.seats}
        self.action_spaces = {seat.name: seat.action for seat in self._game.seats}
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> Space[Array]:
        """What a seat sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Array]:
        """What a seat can do; other actions are clipped to it."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Array], Infos]:
        """Starts an episode; a seed starts the same series of episodes each time. There are no options."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        views = self._game.reset(np.ones(1, dtype=np.bool_), self._rng.integers(2**31, size=1))
        return self._shown(views), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Plays one action a seat, each of shape (actuators,).

        Raises:
            InvalidInput: No episode has begun, or not exactly one action of the right shape for each agent.
        """
        if not self.agents:
            raise InvalidInput("step: no episode has begun; call reset() first")
        if set(actions) != set(self.agents):
            raise InvalidInput(f"step: expected actions of {self.agents}, got {sorted(actions)}")
        step = self._game.step([np.asarray(actions[agent])[None] for agent in self.agents])
        assert step.sparse is not None, "MuJoCo games tell"
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        rewards = dict(zip(self.agents, step.rewards[:, 0].tolist(), strict=True))
        ends = dict.fromkeys(self.agents, terminated), dict.fromkeys(self.agents, truncated)
        infos = {
            agent: {
                "winner": bool(step.winner[0] == seat), "reward_remaining": float(step.sparse[seat, 0]),
                "ending": self._game.endings[step.ending[0]],
            }
            for seat, agent in enumerate(self.agents)
        }  # fmt: skip
        if terminated or truncated:
            self.agents = []
        return self._shown(step.views), rewards, *ends, infos

    def render(self) -> Picture | None:
        """Draws the scene, shape (320, 480, 3); None without a render mode."""
        return self._renderer.frame(0) if self._renderer is not None else None

    def close(self) -> None:
        """Frees what draws."""
        if self._renderer is not None:
            self._renderer.close()
        self._game.close()

    def _shown(self, views: tuple[View, ...]) -> dict[str, Array]:
        return {agent: view.obs[0] for agent, view in zip(self.possible_agents, views, strict=True)}
