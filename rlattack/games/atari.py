"""Atari games on ale-py's C++ vector environment (Bellemare et al. 2013), every slot reset by its own seed."""

import hashlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv

from rlattack.arrays import Array, BoolArray, IntArray
from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName, nearest
from rlattack.games.camera import Camera, enlarge
from rlattack.games.card import AtariOptions, GameCard, Variant
from rlattack.games.emulators import Emulators
from rlattack.games.game import OVER, PLAYER, Seat, Step, View, always, check_seeds, one_seat_step
from rlattack.games.screen import Screen

Frames = npt.NDArray[np.uint8]
CRASHING = ("combat", "joust", "maze_craze", "warlords")
"""ROMs that end the whole process when ale-py 0.12 loads them, so they are refused before."""


def atari_roms() -> list[str]:
    """Returns the ROM names that Gymnasium registers, sorted.

    Raises:
        MissingExtra: ale-py is not installed.
    """
    import gymnasium

    gymnasium.register_envs(_ale_py())
    specs = gymnasium.registry.values()
    roms = {str(spec.kwargs["game"]) for spec in specs if spec.namespace == "ALE"}
    return sorted(roms - set(CRASHING))


def check_rom(rom: str) -> None:
    """Refuses a ROM that is unknown or would end the process.

    Raises:
        UnknownName: Not among the registered ROMs.
        InvalidInput: One of `CRASHING`.
        MissingExtra: ale-py is not installed.
    """
    if rom in CRASHING:
        raise InvalidInput(f"game atari/{rom}: ale-py ends the process when it loads this ROM; choose another game")
    known = [f"atari/{name}" for name in atari_roms()]
    if f"atari/{rom}" not in known:
        raise UnknownName(f"no game 'atari/{rom}'{nearest(f'atari/{rom}', known)}; `rlattack list games` shows all")


def rom_sha256(card: GameCard) -> str | None:
    """Digest of the game's ROM; None for a game without one."""
    if card.rom is None:
        return None
    check_rom(card.rom)
    path = _ale_py().roms.get_rom_path(card.rom)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def vector_env(card: GameCard, slots: int, *, threads: int = 1, training: bool = False) -> VectorEnv[Any, Any, Any]:
    """Builds the `AtariVectorEnv` of a card, with NEXT_STEP autoreset, or SAME_STEP to train on.

    Rewards are the game's own. To train on, a lost life is an end after which the game goes on.

    What it does not know of the card (`crop`, `stack_fill`, a listed `action_set`) is left to `Preprocessing`.

    Raises:
        ContentError: The card names no ROM.
        UnknownName: No such ROM.
        InvalidInput: A ROM of `CRASHING`.
        MissingExtra: ale-py is not installed.
    """
    if card.rom is None:
        raise ContentError(f"game {card.id}: the card names no rom")
    check_rom(card.rom)
    from ale_py.vector_env import AtariVectorEnv

    options = card.atari
    env = AtariVectorEnv(
        card.rom,
        slots,
        num_threads=threads,
        max_num_frames_per_episode=options.max_frames,
        repeat_action_probability=card.protocol.sticky,
        full_action_space=options.action_set != "minimal",
        img_height=options.resize[0],
        img_width=options.resize[1],
        stack_num=options.stack,
        frameskip=options.frame_skip,
        noop_max=options.noop_max,
        use_fire_reset=options.fire_reset,
        episodic_life=not training and options.life_loss == "terminal",
        life_loss_info=training,  # `episodic_life` would begin a new game: nothing learned would know a second life
        reward_clipping=False,
        autoreset_mode="SameStep" if training else "NextStep",
    )
    # ale-py 0.12 writes the mode into a dictionary that all vector environments share: the last one made would win
    env.metadata = {**env.metadata, "autoreset_mode": env.autoreset_mode}
    return env


class Preprocessing:
    """What a card asks for and the C++ environment does not do, for `slots` copies: crop, fill, and listed actions.

    Args:
        options: The card's.
        available: Action space of the C++ environment.
        slots: Number of copies.
    """

    def __init__(self, options: AtariOptions, available: Space[Any], slots: int) -> None:
        assert isinstance(available, Discrete)
        listed = options.action_set if isinstance(options.action_set, tuple) else range(int(available.n))
        self.actions: IntArray = np.asarray(listed, dtype=np.int64)
        """ALE's number of every action of the agent."""
        self.age: IntArray = np.zeros(slots, dtype=np.int64)
        """Steps since each slot's episode began; the caller keeps it."""
        self.observation_space = Box(0, 255, (options.stack, *options.frame), np.uint8)
        self.action_space = Discrete(len(self.actions))
        self._options = options

    def show(self, obs: Frames) -> Frames:
        """Cuts and fills frames (slots, stack, height, width) as the card says."""
        if self._options.crop is not None:
            top, left, height, width = self._options.crop
            obs = np.ascontiguousarray(obs[:, :, top : top + height, left : left + width])
        if self._options.stack_fill == "first":
            last = self._options.stack - 1
            young = np.flatnonzero(self.age < last)  # at most `last` steps an episode
            obs = obs.copy() if young.size else obs
            for slot in young:
                first = last - self.age[slot]
                obs[slot, :first] = obs[slot, first]
        return obs


class AtariGame:
    """An Atari game of one seat, stepped in C++. A seeded reset costs about 65 ms a slot, a step 0.25 ms.

    With `forks` it is stepped in Python, to the same bit, and can be saved and restored: a step costs 0.7 ms. So it is
    with `screens`, and shows what was on the screen too.
    """

    endings: tuple[str, ...] = OVER

    def __init__(
        self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False, forks: bool = False,
        screens: bool = False,
    ) -> None:  # fmt: skip
        variant.check_nothing_hidden()
        in_python, card = forks or screens, variant.card
        self._env: Any = (
            Emulators(card, slots, colours=screens) if in_python else vector_env(card, slots, threads=threads)
        )
        self._preprocessing = Preprocessing(variant.card.atari, self._env.single_action_space, slots)
        self._started, self._in_python, self._screens = False, in_python, screens
        self._turn = always(slots)
        self._second = 60 / variant.card.atari.frame_skip
        self.slots = slots
        seen, done = self._preprocessing.observation_space, self._preprocessing.action_space
        screen = Screen(card.atari.resize, card.atari.crop, alone=card.atari.frame_skip == 1)
        self.seats = (Seat(PLAYER, seen, done, stacked=card.atari.stack, screen=screen),)
        self._newest: Frames = np.zeros((slots, 1, *variant.card.atari.frame), dtype=np.uint8)

    def reset(self, mask: BoolArray, seeds: IntArray) -> tuple[View, ...]:
        """Starts new episodes in the slots of `mask`."""
        seeds = check_seeds(mask, seeds)
        if not self._started and not (mask.all() or self._in_python):  # the C++ environment wants one full reset first
            self._env.reset()
        self._started = True
        obs, _ = self._env.reset(seed=seeds, options={"reset_mask": mask})
        self._preprocessing.age[mask] = 0
        return (self._view(obs),)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a slot, `actions[0]`, shape (slots,)."""
        obs, rewards, terminated, truncated, _ = self._env.step(self._preprocessing.actions[actions[0]])
        self._preprocessing.age += 1
        return one_seat_step(self._view(obs), rewards, terminated, truncated)

    def save(self, slots: IntArray) -> list[object]:
        """The state of each of these slots, of a game that was made with `forks`."""
        return [(self._preprocessing.age[slot], self._env.save(slot)) for slot in slots]

    def restore(self, slots: IntArray, states: Sequence[Any]) -> None:
        """Goes on in these slots from what was saved, in a game that was made with `forks`."""
        for slot, (age, saved) in zip(slots, states, strict=True):
            self._preprocessing.age[slot] = age
            self._env.restore(slot, saved)

    @property
    def action_names(self) -> list[str]:
        """ALE's name of every action, as NOOP or RIGHTFIRE."""
        available = self._env.action_set if self._in_python else self._env.unwrapped.ale.get_action_set()
        return [available[action].name for action in self._preprocessing.actions]

    def camera(self, size: tuple[int, int]) -> Camera:
        """Films the newest frame of a slot, enlarged by the largest whole number that `size` (width, height) holds."""
        return Camera(lambda slot: enlarge(self._newest[slot, -1], size), self._second)

    def close(self) -> None:
        """Closes the emulators."""
        self._env.close()

    def _view(self, obs: Frames) -> View:
        self._newest = self._preprocessing.show(obs)
        return View(self._newest, self._turn, pictures=self._env.pictures if self._screens else None)


def _ale_py() -> ModuleType:
    try:
        import ale_py
        import ale_py.roms
    except ImportError as error:
        raise MissingExtra('Atari games need ale-py: pip install "rlattack[atari]"') from error
    return ale_py
