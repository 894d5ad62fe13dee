"""PettingZoo's games of any number of agents (Terry et al. 2021), in turns or at once, in copies stepped one by one."""

import copy
import importlib.util
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.error import DependencyNotInstalled
from gymnasium.spaces import Box, Dict, Discrete

from rlattack.arrays import Array, BoolArray, FloatArray, IntArray
from rlattack.errors import InvalidInput, MissingExtra, UnknownName, nearest, one_line
from rlattack.games.card import GameCard, Variant
from rlattack.games.game import NOBODY, OVER, UNDECIDED, WAIT, Seat, SlotFault, Step, View, check_seeds
from rlattack.games.gymnasium_games import faults
from rlattack.games.pettingzoo_envs import Look, copy_of

_EXTRAS = ("atari", "butterfly", "classic", "sisl")
"""PettingZoo's folders; each has an extra of that name with all that its games need."""


def pettingzoo_ids() -> dict[str, str]:
    """Maps the ids that are registered now, `connect_four_v3`, to PettingZoo's own, `classic/connect_four-v3`.

    Raises:
        MissingExtra: PettingZoo is not installed.
    """
    try:
        import pettingzoo
    except ImportError as error:
        raise MissingExtra('PettingZoo games need pettingzoo: pip install "rlattack[pettingzoo]"') from error
    ids: dict[str, str] = {}
    for known in (*pettingzoo.aec_registry, *pettingzoo.parallel_registry):
        ids.setdefault(re.sub(r"-v(\d+)$", r"_v\1", known.rpartition("/")[2]), known)
    return ids


def make_env(card: GameCard) -> Any:
    """Makes one copy of the environment of a card: a `ParallelEnv` where there is one, else an `AECEnv`.

    Raises:
        UnknownName: No such environment.
        MissingExtra: It needs a package that is not installed.
        InvalidInput: It cannot be made.
    """
    ids, name = pettingzoo_ids(), card.id.removeprefix("pettingzoo/")
    if name not in ids:
        raise UnknownName(f"no PettingZoo game {name!r} is registered{nearest(name, ids)}")
    import pettingzoo
    from pettingzoo.env_registry.exceptions import FailedToImport

    known = ids[name]
    try:
        return pettingzoo.make("parallel" if known in pettingzoo.parallel_registry else "aec", known, **_roms(known))
    except (ImportError, FailedToImport, DependencyNotInstalled) as error:
        extra = known.partition("/")[0]
        remedy = f'pip install "pettingzoo[{extra}]"' if extra in _EXTRAS else "install it"
        raise MissingExtra(f"game {card.id} needs {_package(error)}: {remedy}") from error
    except Exception as error:  # somebody else's constructor can raise anything
        if known.startswith("atari/") and isinstance(error, OSError):
            raise MissingExtra(f'game {card.id} needs its ROM: pip install "rlattack[atari]" brings it') from error
        raise InvalidInput(f"game {card.id}: the environment cannot be made: {one_line(error)}") from error


class PettingZooGame:
    """A PettingZoo game, whose agents take the seats in the order of `possible_agents`.

    Observations are those of the game, a dictionary's `observation` taken out of it: bytes stay bytes, other arrays are
    float32, and a whole number becomes one-hot. Actions are Discrete and count from 0, or a Box, into which they are
    clipped. Legal actions are the game's `action_mask`; whoever is not to act may do anything, since it is not looked
    at. A slot whose game has ended has nobody to act, and it ends when nobody is left.

    The seat with the highest sum of rewards wins when the game ends; equal sums are a tie, and of one seat alone the
    winner is undecided. PettingZoo does not say which rewards come for the end of the game.

    An episode depends on its seed and the actions alone as far as the environment's own `reset(seed=)` sees to it.
    Copies are stepped one by one, whatever the threads.

    Raises:
        InvalidInput: Agents that come and go, observations or actions of another kind, or a player to be hidden.
    """

    endings: tuple[str, ...] = OVER

    def __init__(self, variant: Variant, slots: int, threads: int = 1) -> None:
        variant.check_nothing_hidden()
        card = variant.card
        first = make_env(card)
        # it is no attribute where agents come and go
        self._agents: tuple[Any, ...] = tuple(getattr(first, "possible_agents", ()))
        if not self._agents:
            raise InvalidInput(f"game {card.id}: expected a fixed number of agents, got a changing number")
        self._kinds = [_Agent(card.id, first.observation_space(a), first.action_space(a)) for a in self._agents]
        self.slots = slots
        self.seats = tuple(
            Seat(str(name), kind.seen, kind.done) for name, kind in zip(self._agents, self._kinds, strict=True)
        )
        self._copies = [copy_of(env) for env in (first, *(make_env(card) for _ in range(slots - 1)))]
        self._obs: list[Array] = [np.zeros((slots, *kind.seen.shape), dtype=kind.seen.dtype) for kind in self._kinds]
        self._legal: list[BoolArray] = [np.ones((slots, kind.actions), dtype=np.bool_) for kind in self._kinds]
        self._tells = False
        self._turn: BoolArray = np.zeros((len(self.seats), slots), dtype=np.bool_)
        self._totals: FloatArray = np.zeros((len(self.seats), slots))

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`."""
        for slot, seed in zip(np.flatnonzero(mask), check_seeds(mask, seeds), strict=True):
            self._take(int(slot), self._copies[slot].reset(int(seed)))
        self._totals[:, mask] = 0
        return self._views()

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays the actions of those who are to act, each of shape (slots, *action)."""
        rewards: FloatArray = np.zeros(self._turn.shape)
        terminated, truncated = np.zeros((2, self.slots), dtype=np.bool_)
        for slot in np.flatnonzero(self._turn.any(axis=0) & ~self._waiting(actions)):
            acting = zip(self._agents, self._kinds, actions, self._turn[:, slot], strict=True)
            chosen = {agent: kind.action(done[slot]) for agent, kind, done, acts in acting if acts}
            look = self._copies[slot].step(chosen)
            self._take(int(slot), look)
            rewards[:, slot] = [look.rewards.get(agent, 0.0) for agent in self._agents]
            terminated[slot] = not look.acting and not look.cut
            truncated[slot] = not look.acting and look.cut
        self._totals += rewards
        return Step(
            views=self._views(), rewards=rewards, terminated=terminated, truncated=truncated,
            winner=np.where(terminated | truncated, self._ahead(), NOBODY), ending=terminated + 2 * truncated,
        )  # fmt: skip

    def save(self, slots: IntArray) -> list[object]:
        """Copies of the environments of these slots, with what stands there.

        Raises:
            SlotFault: One cannot be copied.
        """
        return [self._copied(slot) for slot in slots.tolist()]

    def restore(self, slots: IntArray, states: Sequence[Any]) -> None:
        """Puts copies of what was saved into these slots."""
        for slot, (env, rows) in zip(slots.tolist(), states, strict=True):
            with faults("being copied", partial(SlotFault, slot)):
                self._copies[slot] = copy.deepcopy(env)
            for own, row in zip(self._rows(slot), rows, strict=True):
                own[...] = row

    def _copied(self, slot: int) -> tuple[object, list[Array]]:
        with faults("being copied", partial(SlotFault, slot)):
            return copy.deepcopy((self._copies[slot], self._rows(slot)))

    def _rows(self, slot: int) -> list[Array]:
        """All that is kept of a slot, as views."""
        return [self._turn[:, slot], self._totals[:, slot], *(one[slot, ...] for one in (*self._obs, *self._legal))]

    def close(self) -> None:
        """Closes the copies."""
        for one in self._copies:
            one.env.close()

    def _ahead(self) -> IntArray:
        """The seat with the highest sum of rewards, shape (slots,); NOBODY where there are several."""
        if len(self.seats) == 1:
            return np.full(self.slots, UNDECIDED)
        alone = (self._totals == self._totals.max(axis=0)).sum(axis=0) == 1
        return np.where(alone, self._totals.argmax(axis=0), NOBODY)

    def _waiting(self, actions: Sequence[Array]) -> BoolArray:
        """Slots in which somebody who is to act waits, shape (slots,)."""
        waiting: BoolArray = np.zeros(self.slots, dtype=np.bool_)
        for seat, done, turn in zip(self.seats, actions, self._turn, strict=True):
            if isinstance(seat.action, Discrete):
                waiting |= turn & (np.asarray(done) == WAIT)
        return waiting

    def _take(self, slot: int, look: Look) -> None:
        """Keeps what all seats see; one that has left sees the last again."""
        for number, (agent, kind) in enumerate(zip(self._agents, self._kinds, strict=True)):
            self._turn[number, slot] = agent in look.acting
            self._legal[number][slot] = True
            if agent not in look.obs:
                continue
            raw, info = look.obs[agent], look.infos.get(agent, {})
            self._obs[number][slot] = kind.show(raw)
            mask = (raw if isinstance(raw, Mapping) and "action_mask" in raw else info).get("action_mask")
            self._tells |= mask is not None
            # a mask that allows nothing says nothing
            if mask is not None and self._turn[number, slot] and np.any(mask) and kind.actions:
                self._legal[number][slot] = mask

    def _views(self) -> tuple[View, ...]:
        turn = self._turn.copy()
        return tuple(
            View(obs.copy(), turn[seat], may.copy() if self._tells else None)
            for seat, (obs, may) in enumerate(zip(self._obs, self._legal, strict=True))
        )


class _Agent:
    """What an agent sees and does, and how that is said to its environment.

    Raises:
        InvalidInput: Observations or actions of a kind that no policy here takes.
    """

    def __init__(self, game: str, seen: Space[Any], done: Space[Any]) -> None:
        self._seen = seen["observation"] if isinstance(seen, Dict) and "observation" in seen.spaces else seen
        self._done = done
        if not isinstance(self._seen, Discrete) and not (isinstance(self._seen, Box) and self._seen.shape):
            raise InvalidInput(f"game {game}: expected a Box of at least one axis or Discrete observations, got {seen}")
        if not isinstance(done, Discrete | Box):
            raise InvalidInput(f"game {game}: expected Discrete or Box actions, got {done}")
        self.seen = _as_array(self._seen)
        self.done = Discrete(int(done.n)) if isinstance(done, Discrete) else done
        self.actions = int(done.n) if isinstance(done, Discrete) else 0

    def show(self, raw: Any) -> Array:
        """An observation of the environment as an array of `seen`, or one that is cast to it."""
        seen = np.asarray(raw["observation"] if isinstance(raw, Mapping) else raw)
        return np.arange(self._seen.n) == seen - self._seen.start if isinstance(self._seen, Discrete) else seen

    def action(self, chosen: Any) -> Any:
        """An action as the environment takes it."""
        if isinstance(self._done, Box):
            return np.clip(chosen, self._done.low, self._done.high).astype(self._done.dtype)
        return int(chosen) + int(self._done.start)  # type: ignore[attr-defined]  # Discrete, or the constructor refused


def _as_array(space: Space[Any]) -> Box:
    """The space of observations as policies and attacks take them: bytes, or float32."""
    if isinstance(space, Discrete):
        return Box(0.0, 1.0, (int(space.n),), np.float32)
    assert isinstance(space, Box)
    if space.dtype == np.uint8:
        return space
    with np.errstate(over="ignore"):  # what is too large for float32 is no bound
        return Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)


def _roms(known: str) -> dict[str, str]:
    """Where the ROM of an Atari game lies: ale-py brings all of them, multi-agent-ale-py none."""
    spec = importlib.util.find_spec("ale_py") if known.startswith("atari/") else None
    return {"auto_rom_install_path": str(Path(str(spec.origin)).parent / "roms")} if spec else {}


def _package(error: BaseException) -> str:
    """Names the module that could not be imported, or says what was said of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "name", None) or f"a package that is missing: {one_line(error)}"
