"""A game for one who learns or is measured alone: frozen policies hold all other seats (Gleave et al. 2019, sec. 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput
from rlattack.games.game import NOBODY, UNDECIDED, WAIT, Game, Step, View, always
from rlattack.games.opponents import Opponents, Others

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

Info = dict[str, Any]


class Options(TypedDict, total=False):
    """How a learner is paid and how the others play; `EmbedOpponent` says what each is."""

    sparse: float
    dense: float
    greedy: bool


@overload
def EmbedOpponent(game: Game, seat: int, opponents: Opponents, **options: Unpack[Options]) -> "Solo": ...
@overload
def EmbedOpponent(
    game: "ParallelEnv[Any, Any, Any]", seat: int, opponents: Opponents, **options: Unpack[Options]
) -> "SoloEnv": ...
def EmbedOpponent(game: Any, seat: int, opponents: Opponents, **options: Unpack[Options]) -> Any:  # noqa: N802  # makes
    """Turns a game of several seats into one of one seat: frozen policies hold the others.

    A game of `make_game` becomes a `gymnasium.vector.VectorEnv` with SAME_STEP autoreset (and, through
    `rlattack.training.GymnasiumVecEnv`, a `VecEnv` of Stable-Baselines3); a PettingZoo `ParallelEnv` becomes a
    `gymnasium.Env`. `SoloEnv(EmbedOpponent(...))` makes a single one of a game of one slot.

    A learner's action is followed by as many of the others' as come before the learner is to act again. Legal actions,
    where the game tells, are `action_mask` in the info; the last info of an episode (`final_info` in the vector
    environment) holds `outcome`, 1, 0 or -1 for a win, a tie, a loss of the learner, and `ending`, its name.

    Args:
        game: The game.
        seat: The learner's number.
        opponents: Hold the other seats; their recurrent states are cleared when an episode starts.
        options: `sparse`, weight of what comes for the end of the game, 0.01 by default as Gleave et al. train;
            `dense`, of what comes on the way, 0 by default and 0.1 in their shaped rewards; `greedy`, whether opponents
            play their most likely actions instead of sampling, False by default.

    Raises:
        InvalidInput: Neither kind of game, a seat that there is none of, or a seat without an opponent.

    >>> from rlattack import EmbedOpponent, find_game, load_agent, make_game
    >>> game = make_game(find_game("mujoco/sumo-humans"), slots=2)
    >>> victim = load_agent("mujoco/sumo-humans/self-play", game.seats[0], game="mujoco/sumo-humans")
    >>> env = EmbedOpponent(game, 1, victim.policy)
    >>> obs, info = env.reset(seed=0)
    >>> obs.shape[0], env.single_action_space.shape
    (2, (17,))
    """
    if hasattr(game, "agent_iter"):
        raise InvalidInput(
            f"expected agents that act at once, got {type(game).__name__}, whose agents take turns: a game of "
            "PettingZoo's registry comes as make_game(find_game('pettingzoo/...'), 1)"
        )
    if hasattr(game, "possible_agents"):
        from rlattack.games.pettingzoo_envs import ParallelGame

        return SoloEnv(Solo(ParallelGame(game), seat, opponents, **options))
    if hasattr(game, "seats") and hasattr(game, "slots"):
        return Solo(game, seat, opponents, **options)
    raise InvalidInput(f"expected a game of make_game or a PettingZoo ParallelEnv, got {type(game).__name__}")


class Solo(VectorEnv[Array, Array, Array]):
    """A game in slots as a vector environment for the player of one seat; made by `EmbedOpponent`."""

    weights: tuple[float, float]
    """Of what comes for the end of the game, and of what comes on the way; may be changed between steps."""
    begins: Callable[[IntArray, IntArray], None] | None = None
    """Called with the numbers of slots, and the seeds, of games that are about to begin."""

    def __init__(
        self, game: Game, seat: int, opponents: Opponents, *, sparse: float = 0.01, dense: float = 0.0,
        greedy: bool = False,
    ) -> None:  # fmt: skip
        self.game, self.seat = game, seat
        self._others = Others(opponents, len(game.seats), seat, game.slots, greedy=greedy)
        self.num_envs = game.slots
        self.single_observation_space = game.seats[seat].observation
        self.single_action_space = game.seats[seat].action
        self.observation_space = batch_space(self.single_observation_space, game.slots)
        self.action_space = batch_space(self.single_action_space, game.slots)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.weights = sparse, dense
        self._endings = np.asarray(game.endings, dtype=object)
        self._all = always(game.slots)
        self._views: tuple[View, ...] = ()
        self._seed(None)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: Info | None = None
    ) -> tuple[Array, Info]:  # seeds of a sequence are mixed into one
        """Starts all games; `seed` makes all that follows repeatable."""
        if seed is not None:
            self._seed(seed)
        self._begin(self._all)
        return self._view.obs, self._info()

    def step(self, actions: Array) -> tuple[Array, FloatArray, BoolArray, BoolArray, Info]:
        """Plays one action of the learner in every slot; games that ended start again at once."""
        turn = self._play(actions)
        done = turn.done
        if not done.any():
            return self._view.obs, turn.earned, turn.terminated, turn.truncated, self._info()
        final: Info = {
            "outcome": turn.outcome(self.seat), "_outcome": done & (turn.winner != UNDECIDED),
            "ending": self._endings[turn.ending], "_ending": done,
        }  # fmt: skip
        last = self._view.obs
        self._begin(done)
        info = self._info() | {"final_obs": last, "_final_obs": done, "final_info": final, "_final_info": done}
        return self._view.obs, turn.earned, turn.terminated, turn.truncated, info

    def action_masks(self) -> BoolArray:
        """Legal actions of the learner, shape (slots, actions); all of them where the game does not tell."""
        if not self._views or self._view.legal is None:
            return np.ones((self.num_envs, int(getattr(self.single_action_space, "n", 0))), dtype=np.bool_)
        return self._view.legal

    def close_extras(self, **_: Any) -> None:
        """Closes the game."""
        self.game.close()

    @property
    def _view(self) -> View:
        """What the learner sees."""
        return self._views[self.seat]

    def _seed(self, seed: int | Sequence[int] | None) -> None:
        games, draws = np.random.SeedSequence(seed).spawn(2)
        self._games = np.random.default_rng(games)
        self._draws = SharedDraws(self.num_envs, int(draws.generate_state(1)[0]))

    def _begin(self, mask: BoolArray) -> None:
        """Starts games, and lets the others play where they are first; a game that they end so starts anew."""
        while mask.any():
            seeds = self._games.integers(2**31, size=int(mask.sum()))
            if self.begins is not None:
                self.begins(np.flatnonzero(mask), seeds)
            self._views = self.game.reset(mask, seeds)
            self._others.restart(mask)
            mask = self._follow(_Turn.nothing(self.num_envs), mask).done

    def _play(self, actions: Array) -> "_Turn":
        assert self._views, "reset comes first"
        turn = _Turn.nothing(self.num_envs)
        self._move(turn, actions, self._all)
        return self._follow(turn, self._all)

    def _follow(self, turn: "_Turn", mask: BoolArray) -> "_Turn":
        """Lets the others play in the slots of `mask` until the learner is to act, or the game is over."""
        while (rest := mask & ~turn.done & ~self._view.turn).any():
            self._move(turn, np.full(self.num_envs, WAIT), rest)
        return turn

    def _move(self, turn: "_Turn", actions: Array, mask: BoolArray) -> None:
        """One step of the game: the learner's actions, and those of the others who are to act where `mask` is set."""
        theirs = self._others.act(self._views, mask, self._draws)
        seats = range(len(self.game.seats))
        step = self.game.step([actions if seat == self.seat else theirs[seat] for seat in seats])
        self._views = step.views
        turn.add(step, mask, self.seat, *self.weights)

    def _info(self) -> Info:
        if self._view.legal is None:
            return {}
        return {"action_mask": self._view.legal.astype(np.int8), "_action_mask": self._all}


class SoloEnv(gymnasium.Env[Array, Any]):
    """A game of one slot as a single environment for the player of one seat.

    Args:
        env: What `EmbedOpponent` made of it.

    Raises:
        InvalidInput: More than one slot.
    """

    def __init__(self, env: Solo) -> None:
        if env.num_envs != 1:
            raise InvalidInput(f"expected a game of one slot, got {env.num_envs}: make it with make_game(card, 1)")
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
        turn = env._play(np.asarray(action)[None])
        terminated, truncated = bool(turn.terminated[0]), bool(turn.truncated[0])
        info = _first(env._info())
        if terminated or truncated:
            info |= {"outcome": int(turn.outcome(env.seat)[0]), "ending": env._endings[turn.ending[0]]}
        return env._view.obs[0], float(turn.earned[0]), terminated, truncated, info

    def action_masks(self) -> BoolArray:
        """Legal actions, shape (actions,), as sb3-contrib asks for them."""
        masks: BoolArray = self._env.action_masks()[0]
        return masks

    def close(self) -> None:
        """Closes the game."""
        self._env.close()


@dataclass(frozen=True)
class _Turn:
    """What came of one action of the learner until it is to act again, each of shape (slots,)."""

    earned: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    winner: IntArray
    ending: IntArray

    @classmethod
    def nothing(cls, slots: int) -> "_Turn":
        numbers, (terminated, truncated) = np.zeros(slots, dtype=np.int64), np.zeros((2, slots), dtype=np.bool_)
        return cls(np.zeros(slots), terminated, truncated, numbers + NOBODY, numbers)

    def add(self, step: Step, mask: BoolArray, seat: int, sparse: float, dense: float) -> None:
        """Adds a step in the slots of `mask`; where the game does not tell, all that a seat earned came for the end."""
        rewards = step.rewards[seat]
        end = rewards if step.sparse is None else step.sparse[seat]
        self.earned[mask] += (sparse * end + dense * (rewards - end))[mask]
        for name in ("terminated", "truncated", "winner", "ending"):
            np.copyto(getattr(self, name), getattr(step, name), where=mask)

    @property
    def done(self) -> BoolArray:
        return self.terminated | self.truncated

    def outcome(self, seat: int) -> IntArray:
        """1, 0 or -1 for a win, a tie or a loss of a seat."""
        return np.where(self.winner < 0, 0, np.where(self.winner == seat, 1, -1))


def _first(info: Info) -> Info:
    """What a vector environment's info says of its first slot."""
    return {key: value[0] for key, value in info.items() if not key.startswith("_")}
