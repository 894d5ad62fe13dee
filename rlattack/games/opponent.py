"""A two-player game for one who learns: a frozen player holds the other seat (Gleave et al. 2019, section 3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from rlattack.budget import Draws
from rlattack.errors import InvalidInput
from rlattack.games.batch import BoolArray, FloatArray
from rlattack.games.draws import SharedDraws
from rlattack.games.duel import WAIT, DuelGame, DuelStep, Sight
from rlattack.games.played import Played

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

__all__ = ["EmbedOpponent", "EmbeddedEnv", "EmbeddedVectorEnv", "Opponent", "renewed"]

Array = npt.NDArray[Any]
Info = dict[str, Any]


class Opponent(Protocol):
    """Who holds the other seat, in n slots at once: a `Player` of `rlattack.policies`."""

    def initial_state(self, n: int) -> Tensor | None:
        """Recurrent state at the start of n episodes."""

    def act(
        self, obs: Array, state: Tensor | None, draws: Draws, *, legal: BoolArray | None = None, greedy: bool = False
    ) -> tuple[Array, Tensor | None]:
        """Actions for observations (n, *observation), and the state after."""


@overload
def EmbedOpponent(
    game: DuelGame, seat: int, opponent: Opponent, *, sparse: float = 0.01, dense: float = 0.0, greedy: bool = False
) -> "EmbeddedVectorEnv": ...
@overload
def EmbedOpponent(
    game: "ParallelEnv[Any, Any, Any]",
    seat: int,
    opponent: Opponent,
    *,
    sparse: float = 0.01,
    dense: float = 0.0,
    greedy: bool = False,
) -> "EmbeddedEnv": ...
def EmbedOpponent(  # noqa: N802  # a constructor
    game: Any, seat: int, opponent: Opponent, *, sparse: float = 0.01, dense: float = 0.0, greedy: bool = False
) -> Any:
    """Turns a two-player game with a frozen player in one seat into a game of one seat.

    A batched game becomes a `gymnasium.vector.VectorEnv` with SAME_STEP autoreset (and, through
    `rlattack.training.GymnasiumVecEnv`, a `VecEnv` of Stable-Baselines3); a PettingZoo `ParallelEnv` becomes a
    `gymnasium.Env`. `EmbeddedEnv(EmbedOpponent(...))` makes a single one of a batched game of one slot.

    A learner's action is followed by as many of the opponent's as come before the learner is to act again. Legal
    actions, where the game tells, are `action_mask` in the info; the last info of an episode (`final_info` in the
    vector environment) holds `outcome`, 1, 0 or -1 for a win, a tie, a loss of the learner, and `ending`, its name.

    Args:
        game: The game.
        seat: The learner's, 0 or 1.
        opponent: Holds the other seat; its recurrent state is cleared when an episode starts.
        sparse: Weight of what comes for the end of the game; 0.01 as Gleave et al. train.
        dense: Weight of what comes on the way; 0.1 in their shaped rewards.
        greedy: Whether the opponent plays its most likely actions instead of sampling.

    Raises:
        InvalidInput: Neither kind of game, or a seat that there is none of.
    """
    options: Any = {"sparse": sparse, "dense": dense, "greedy": greedy}
    if hasattr(game, "agent_iter"):
        raise InvalidInput(
            f"expected agents that act at once, got {type(game).__name__}, whose agents take turns: a game of "
            "PettingZoo's registry comes as make_duel(find_game('pettingzoo/...'), 1)"
        )
    if hasattr(game, "possible_agents"):
        from rlattack.games.parallel import ParallelDuel

        return EmbeddedEnv(EmbeddedVectorEnv(ParallelDuel(game), seat, opponent, **options))
    if hasattr(game, "observation_spaces") and hasattr(game, "slots"):
        return EmbeddedVectorEnv(game, seat, opponent, **options)
    raise InvalidInput(
        f"expected a two-player game of make_duel or a PettingZoo ParallelEnv, got {type(game).__name__}"
    )


class EmbeddedVectorEnv(VectorEnv[Array, Array, Array]):
    """A duel in slots as a vector environment for the player of one seat; made by `EmbedOpponent`."""

    def __init__(
        self,
        game: DuelGame,
        seat: int,
        opponent: Opponent,
        *,
        sparse: float = 0.01,
        dense: float = 0.0,
        greedy: bool = False,
    ) -> None:
        if seat not in (0, 1):
            raise InvalidInput(f"expected seat 0 or 1, got {seat}")
        self.game, self.seat, self.opponent = game, seat, opponent
        self.num_envs = game.slots
        self.single_observation_space = game.observation_spaces[seat]
        self.single_action_space = game.action_spaces[seat]
        self.observation_space = batch_space(self.single_observation_space, game.slots)
        self.action_space = batch_space(self.single_action_space, game.slots)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.weights, self._greedy = (sparse, dense), greedy
        self._endings = np.asarray(game.endings, dtype=object)
        self._all: BoolArray = np.ones(game.slots, dtype=np.bool_)
        self._all.flags.writeable = False
        self._state = opponent.initial_state(game.slots)
        self._sight: Sight | None = None
        self._seed(None)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Info | None = None
    ) -> tuple[Array, Info]:  # seeds of a sequence are mixed into one
        """Starts all games; `seed` makes all that follows repeatable."""
        if seed is not None:
            self._seed(seed)
        self._begin(self._all)
        return self._shown(), self._info()

    def step(self, actions: Array) -> tuple[Array, FloatArray, BoolArray, BoolArray, Info]:
        """Plays one action of the learner in every slot; games that ended start again at once."""
        played = self._play(actions)
        done = played.done
        if not done.any():
            return self._shown(), played.earned, played.terminated, played.truncated, self._info()
        final: Info = {
            "outcome": played.outcome(self.seat), "_outcome": done,
            "ending": self._endings[played.ending], "_ending": done,
        }  # fmt: skip
        last = self._shown()
        self._begin(done)
        info = self._info() | {"final_obs": last, "_final_obs": done, "final_info": final, "_final_info": done}
        return self._shown(), played.earned, played.terminated, played.truncated, info

    def action_masks(self) -> BoolArray:
        """Legal actions of the learner, shape (slots, actions); all of them where the game does not tell."""
        if self._sight is None or self._sight.legal is None:
            return np.ones((self.num_envs, int(getattr(self.single_action_space, "n", 0))), dtype=np.bool_)
        return self._sight.legal[self.seat]

    def close_extras(self, **_: Any) -> None:
        """Closes the game."""
        self.game.close()

    def _seed(self, seed: int | Sequence[int] | None) -> None:
        games, draws = np.random.SeedSequence(seed).spawn(2)
        self._games = np.random.default_rng(games)
        self._draws = SharedDraws(self.num_envs, int(draws.generate_state(1)[0]))

    def _begin(self, mask: BoolArray) -> None:
        """Starts games, and lets the opponent play where it is first; a game that it ends so starts anew."""
        while mask.any():
            self._sight = self.game.reset(mask, self._games.integers(2**31, size=int(mask.sum())))
            self._state = renewed(mask, self.opponent.initial_state(self.num_envs), self._state)
            played = self._follow(Played.nothing(self.num_envs), mask)
            mask = played.done

    def _play(self, actions: Array) -> Played:
        return self._follow(self._move(actions, self._all), self._all)

    def _follow(self, played: Played, mask: BoolArray) -> Played:
        """Lets the opponent play in the slots of `mask` until the learner is to act, or the game is over."""
        waiting = None
        while True:
            assert self._sight is not None
            rest = mask & ~played.done & ~self._sight.turn[self.seat]
            if not rest.any():
                return played
            if waiting is None:
                waiting = np.full(self.num_envs, WAIT)
            played = played.then(self._move(waiting, rest), rest)

    def _move(self, actions: Array, mask: BoolArray) -> Played:
        """One step of the game: the learner's actions, and the opponent's where it is to act and `mask` is set."""
        assert self._sight is not None, "reset comes first"
        sight, other = self._sight, 1 - self.seat
        acting = mask & sight.turn[other]
        theirs = np.full(self.num_envs, WAIT)
        if acting.any():
            legal = None if sight.legal is None else sight.legal[other] | ~acting[:, None]  # else nothing may be legal
            theirs, state = self.opponent.act(
                sight.obs[other], self._state, self._draws, legal=legal, greedy=self._greedy
            )
            self._state = renewed(acting, state, self._state)
            if not sight.turn[self.seat].all():  # a game of turns
                theirs = np.where(acting, theirs, WAIT)
        step = self.game.step((actions, theirs) if self.seat == 0 else (theirs, actions))
        self._sight = step.sight
        return self._earned(step)

    def _earned(self, step: DuelStep) -> Played:
        sparse, dense = self.weights
        earned = sparse * step.sparse[self.seat] + dense * (step.rewards[self.seat] - step.sparse[self.seat])
        return Played(earned, step.terminated, step.truncated, step.winner, step.ending)

    def _shown(self) -> Array:
        assert self._sight is not None
        return self._sight.obs[self.seat]

    def _info(self) -> Info:
        assert self._sight is not None
        if self._sight.legal is None:
            return {}
        return {"action_mask": self._sight.legal[self.seat].astype(np.int8), "_action_mask": self._all}


class EmbeddedEnv(gymnasium.Env[Array, Any]):
    """A duel of one slot as a single environment for the player of one seat.

    Args:
        env: What `EmbedOpponent` made of it.

    Raises:
        InvalidInput: More than one slot.
    """

    def __init__(self, env: EmbeddedVectorEnv) -> None:
        if env.num_envs != 1:
            raise InvalidInput(f"expected a game of one slot, got {env.num_envs}: make it with make_duel(card, 1)")
        self._env = env
        self.metadata = {"render_modes": []}
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Array, Info]:
        """Starts a game."""
        super().reset(seed=seed)
        obs, info = self._env.reset(seed=seed)
        return obs[0], _first(info)

    def step(self, action: Any) -> tuple[Array, float, bool, bool, Info]:  # of the game's own kind
        """Plays one action of the learner; a game that ended waits for `reset`."""
        env = self._env
        played = env._play(np.asarray(action)[None])
        terminated, truncated = bool(played.terminated[0]), bool(played.truncated[0])
        info = _first(env._info())
        if terminated or truncated:
            info |= {"outcome": int(played.outcome(env.seat)[0]), "ending": env._endings[played.ending[0]]}
        return env._shown()[0], float(played.earned[0]), terminated, truncated, info

    def action_masks(self) -> BoolArray:
        """Legal actions, shape (actions,), as sb3-contrib asks for them."""
        masks: BoolArray = self._env.action_masks()[0]
        return masks

    def close(self) -> None:
        """Closes the game."""
        self._env.close()


def renewed(mask: BoolArray, new: Tensor | None, old: Tensor | None) -> Tensor | None:
    """A recurrent state, shape (slots, width), with the rows of `mask`, shape (slots,), from the new one."""
    if new is None or old is None or mask.all():
        return new
    return torch.where(torch.from_numpy(mask).reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _first(info: Info) -> Info:
    """What a vector environment's info says of its first slot."""
    return {key: value[0] for key, value in info.items() if not key.startswith("_")}
