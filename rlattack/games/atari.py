"""Atari games on ale-py's C++ vector environment (Bellemare et al. 2013), every slot reset by its own seed."""

import hashlib
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import Space
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import VectorEnv

from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName, nearest
from rlattack.games.batch import BoolArray, IntArray, Step, check_seeds
from rlattack.games.card import AtariOptions, GameCard

__all__ = ["CRASHING", "AtariBatch", "View", "atari_roms", "check_rom", "rom_sha256", "vector_env"]

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

    What it does not know of the card (`crop`, `stack_fill`, a listed `action_set`) is left to `View`.

    Raises:
        ContentError: The card names no ROM.
        UnknownName: No such ROM.
        InvalidInput: A ROM of `CRASHING`, or fewer slots or threads than one.
        MissingExtra: ale-py is not installed.
    """
    if card.rom is None:
        raise ContentError(f"game {card.id}: the card names no rom")
    if min(slots, threads) < 1:
        raise InvalidInput(f"game {card.id}: expected at least 1 copy and 1 thread, got {slots} and {threads}")
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


class View:
    """What an agent sees and does where the C++ environment differs from the card, for `slots` copies.

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

    def show(self, obs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
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


class AtariBatch:
    """An Atari game in `slots` copies, stepped in C++. A seeded reset costs about 65 ms a slot, a step 0.25 ms.

    Args:
        card: The game with its options and sticky probability.
        slots: Number of copies, fixed for the life of the batch.
        threads: C++ threads that step them.

    Raises:
        RlattackError: See `vector_env`.
    """

    def __init__(self, card: GameCard, slots: int, threads: int = 1) -> None:
        self._env = vector_env(card, slots, threads=threads)
        self._view = View(card.atari, self._env.single_action_space, slots)
        self._started = False
        self.slots = slots
        self.observation_space: Space[Any] = self._view.observation_space
        self.action_space: Space[Any] = self._view.action_space

    def reset(self, mask: BoolArray, seeds: IntArray) -> npt.NDArray[np.uint8]:
        """See `BatchedGame`."""
        seeds = check_seeds(mask, seeds)
        if not self._started and not mask.all():  # the C++ environment wants one full reset first
            self._env.reset()
        self._started = True
        obs, _ = self._env.reset(seed=seeds, options={"reset_mask": mask})  # type: ignore[arg-type]  # ale-py takes arrays
        self._view.age[mask] = 0
        return self._view.show(obs)

    def step(self, actions: IntArray) -> Step:
        """See `BatchedGame`."""
        obs, rewards, terminated, truncated, _ = self._env.step(self._view.actions[actions])
        self._view.age += 1
        return Step(self._view.show(obs), rewards.astype(np.float64), terminated, truncated)

    @property
    def action_names(self) -> list[str]:
        """ALE's name of every action, as NOOP or RIGHTFIRE."""
        available = self._env.unwrapped.ale.get_action_set()  # type: ignore[attr-defined]  # an AtariVectorEnv
        return [available[action].name for action in self._view.actions]

    def close(self) -> None:
        """See `BatchedGame`."""
        self._env.close()


def _ale_py() -> ModuleType:
    try:
        import ale_py
        import ale_py.roms
    except ImportError as error:
        raise MissingExtra('Atari games need ale-py: pip install "rlattack[atari]"') from error
    return ale_py
