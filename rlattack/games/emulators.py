"""Atari emulators whose state can be saved: what ale-py's C++ vector environment plays, to the bit, in Python.

ale-py 0.12's `AtariVectorEnv` gives no access to the state of its emulators. Its single ones do, but for the last
action that sticky actions repeat; so these emulators repeat none, and here it is drawn from the same numbers which
action they are given (Machado et al. 2018, sec. 5).
"""

import operator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Discrete

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.errors import InvalidInput
from rlattack.games.card import GameCard
from rlattack.games.screen import COLOURS, SCREEN, load_cv2, shrunk

Frames = npt.NDArray[np.uint8]
_WORDS = 2**32


@dataclass(frozen=True)
class Saved:
    """The state of an emulator with what is shown of it."""

    console: Any
    chance: Any
    screens: Frames
    pictures: Frames | None
    stack: Frames
    last: int
    lives: int
    elapsed: int


class Emulator:
    """One emulator with the pictures of it that an agent sees.

    Args:
        card: The game.
        rom: Where its ROM lies.
        colours: Whether it keeps what its screen showed.

    Attributes:
        stack: What is shown, shape (stack, height, width), oldest first; a new array each time.
        pictures: What its screen showed in the last two frames that the newest of them is made of, (2, 210, 160, 3).
    """

    def __init__(self, card: GameCard, rom: str, *, colours: bool = False) -> None:
        ale, self._options = _ale_py(), card.atari
        ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
        self._console = ale.ALEInterface()
        self._console.setFloat("repeat_action_probability", 0.0)
        self._rom, self._action = rom, ale.Action
        self._sticky = float(np.float32(card.protocol.sticky))  # the emulator compares with a float
        self._console.loadROM(rom)
        minimal = card.atari.action_set == "minimal"
        self.actions = self._console.getMinimalActionSet() if minimal else self._console.getLegalActionSet()
        self._noop, self._fire = ale.Action.NOOP, ale.Action.FIRE
        self._fires = card.atari.fire_reset and self._fire in self.actions
        self._chance = np.random.RandomState(0)
        self._screens: Frames = np.zeros((2, *SCREEN), dtype=np.uint8)
        self.pictures: Frames | None = np.zeros((2, *SCREEN, COLOURS), dtype=np.uint8) if colours else None
        self.stack: Frames = np.zeros((card.atari.stack, *card.atari.resize), dtype=np.uint8)
        self._last, self._lives, self._elapsed = self._noop, 0, 0

    def reset(self, seed: int) -> None:
        """Starts an episode: no-ops as many as the seed draws, and FIRE."""
        self._console.setInt("random_seed", seed)
        self._console.loadROM(self._rom)
        self._chance = np.random.RandomState(seed)
        self._restart()
        if self._fires:
            self._act(self._fire)
        for _ in range(noops(seed, self._options.noop_max) - self._fires):
            self._act(self._noop)
            if self._console.game_over():
                self._restart()
        self._screens[0] = 0
        if self.pictures is not None:
            self.pictures[0] = 0
        self._look(1)
        self.stack = np.zeros_like(self.stack)
        self._show()
        self._lives, self._elapsed = self._console.lives(), 0

    def step(self, action: int) -> tuple[int, bool, bool]:
        """Plays `frame_skip` frames with one action; returns the reward, and whether the episode ended or was cut."""
        reward, over = 0, False
        for left in range(self._options.frame_skip, 0, -1):
            reward += self._act(self.actions[action])
            self._elapsed += 1
            lives = self._console.lives()
            lost = self._options.life_loss == "terminal" and 0 < lives < self._lives
            over = self._console.game_over() or lost
            if over or self._elapsed >= self._options.max_frames:
                break
            if left <= 2:
                self._look(2 - left)
        self._show()
        self._lives = self._console.lives()
        return reward, over, self._elapsed >= self._options.max_frames

    def save(self) -> Saved:
        """The whole state."""
        chance = self._chance.get_state() if self._sticky else None
        return Saved(
            self._console.cloneSystemState(), chance, self._screens.copy(),
            None if self.pictures is None else self.pictures.copy(), self.stack, self._last, self._lives, self._elapsed,
        )  # fmt: skip

    def restore(self, saved: Saved) -> None:
        """Goes on from a state of any emulator of the same game."""
        self._console.restoreSystemState(saved.console)
        if saved.chance is not None:
            self._chance.set_state(saved.chance)
        self._screens[:], self.stack = saved.screens, saved.stack
        if self.pictures is not None and saved.pictures is not None:
            self.pictures[:] = saved.pictures
        self._last, self._lives, self._elapsed = saved.last, saved.lives, saved.elapsed

    def _restart(self) -> None:
        self._console.reset_game()
        self._last = self._noop

    def _act(self, action: Any) -> int:
        """One frame, with the action or, by chance, the last one again; the second number is of another player."""
        if self._sticky:
            drawn, _ = self._chance.randint(0, _WORDS, 2, dtype=np.uint32)
            action = action if drawn / _WORDS >= self._sticky else self._last
            self._last = action
        return int(self._console.act(action))

    def _look(self, place: int) -> None:
        """Takes what the screen shows, as the first or the second of both pictures."""
        self._console.getScreenGrayscale(self._screens[place])
        if self.pictures is not None:
            self._console.getScreenRGB(self.pictures[place])

    def _show(self) -> None:
        """Adds the newest picture: the brighter of both screens everywhere, made smaller by area.

        The brighter one stays where the last screen was, and counts as it where a step ends early.
        """
        before, last = self._screens
        shown = shrunk(np.maximum(before, last, out=last), self._options.resize)
        self.stack = np.concatenate([self.stack[1:], shown[None]])


class Emulators:
    """Emulators in slots, as far as `rlattack.games.atari` asks for what ale-py's `AtariVectorEnv` does.

    Args:
        card: The game.
        slots: Number of emulators.
        colours: Whether they keep what their screens showed.

    Raises:
        MissingExtra: OpenCV is not installed.
        InvalidInput: A resize of which one number alone is the screen's, which the C++ environment does not survive.
    """

    def __init__(self, card: GameCard, slots: int, *, colours: bool = False) -> None:
        load_cv2()
        if sum(map(operator.eq, card.atari.resize, SCREEN)) == 1:
            raise InvalidInput(
                f"game {card.id}: ahead is looked, and a screen attacked, with a resize of which both numbers or none "
                f"are the screen's, {list(SCREEN)}, got {list(card.atari.resize)}"
            )
        rom = str(_ale_py().roms.get_rom_path(card.rom))
        self._all = [Emulator(card, rom, colours=colours) for _ in range(slots)]
        self._idle: BoolArray = np.ones(slots, dtype=np.bool_)
        self.action_set = self._all[0].actions
        self.single_action_space = Discrete(len(self.action_set))

    def reset(self, *, seed: IntArray, options: dict[str, BoolArray]) -> tuple[Frames, dict[str, Array]]:
        """Starts episodes in the slots of `reset_mask`."""
        for slot, own in zip(np.flatnonzero(options["reset_mask"]), seed, strict=True):
            self._all[slot].reset(int(own))
            self._idle[slot] = False
        return self._seen(), {}

    def step(self, actions: IntArray) -> tuple[Frames, IntArray, BoolArray, BoolArray, dict[str, Array]]:
        """Plays one action a slot; nothing in idle ones."""
        rewards = np.zeros(len(self._all), dtype=np.int64)
        terminated, truncated = np.zeros((2, len(self._all)), dtype=np.bool_)
        for slot in np.flatnonzero(~self._idle):
            rewards[slot], terminated[slot], truncated[slot] = self._all[slot].step(int(actions[slot]))
        self._idle |= terminated | truncated
        return self._seen(), rewards, terminated, truncated, {}

    def save(self, slot: int) -> Saved:
        """The state of a slot."""
        return self._all[slot].save()

    def restore(self, slot: int, saved: Saved) -> None:
        """Goes on in a slot from what was saved of any, in a game that is not over."""
        self._all[slot].restore(saved)
        self._idle[slot] = False

    @property
    def pictures(self) -> Frames | None:
        """What the screens showed, where they keep that, shape (slots, 210, 160, 6) as `Screen.space`; a new array."""
        kept = [one.pictures for one in self._all if one.pictures is not None]
        return np.stack([np.concatenate([*both], axis=2) for both in kept]) if kept else None

    def close(self) -> None:
        """Holds nothing that must be freed."""

    def _seen(self) -> Frames:
        return np.stack([one.stack for one in self._all])


def noops(seed: int, most: int) -> int:
    """The number in 0..most-1 that libstdc++ draws from a Mersenne Twister of that seed (Lemire 2019, alg. 5)."""
    if not most:
        return 0
    chance = np.random.RandomState(seed)
    while True:
        product = int(chance.randint(0, _WORDS, dtype=np.uint32)) * most
        if product % _WORDS >= (_WORDS - most) % most:
            return product // _WORDS


def _ale_py() -> ModuleType:
    import ale_py
    import ale_py.roms

    return ale_py
