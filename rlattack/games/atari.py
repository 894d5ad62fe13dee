"""Atari games on ale-py's C++ vector environment, every slot reset by its own seed (facts: reset_mask)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Discrete

from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName, nearest
from rlattack.games.batch import BoolArray, IntArray, Step
from rlattack.games.card import AtariOptions, GameCard

__all__ = ["CRASHING", "AtariBatch", "atari_roms", "vector_env"]

CRASHING = ("combat", "joust", "maze_craze", "warlords")
"""ROMs that end the whole process when ale-py 0.12 loads them, so they are refused before."""


def atari_roms() -> list[str]:
    """Returns the ROM names that Gymnasium registers, sorted.

    Raises:
        MissingExtra: ale-py is not installed.
    """
    import gymnasium

    _ale_py()
    specs = gymnasium.registry.values()
    roms = {str(spec.kwargs["game"]) for spec in specs if spec.id.startswith("ALE/") and "game" in spec.kwargs}
    return sorted(roms - set(CRASHING))


def check_rom(rom: str) -> None:
    """Refuses a ROM that is unknown or would end the process.

    Raises:
        UnknownName: Not among the registered ROMs.
        InvalidInput: One of `CRASHING`.
    """
    if rom in CRASHING:
        raise InvalidInput(f"game atari/{rom}: ale-py ends the process when it loads this ROM; choose another game")
    known = atari_roms()
    if rom not in known:
        raise UnknownName(f"no Atari game {rom!r}{nearest(rom, known)}; `rlattack list games` shows all")


def vector_env(card: GameCard, slots: int, *, threads: int = 1, training: bool = False) -> Any:
    """Builds the `AtariVectorEnv` of a card: raw rewards and NEXT_STEP autoreset, or clipped and SAME_STEP to train on.

    The caller applies `crop`, `stack_fill` and a listed `action_set`, which the C++ environment does not know.
    """
    from ale_py.vector_env import AtariVectorEnv

    options = card.atari
    return AtariVectorEnv(
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
        episodic_life=training or options.life_loss == "terminal",
        reward_clipping=training,
        autoreset_mode="SameStep" if training else "NextStep",
    )


class AtariBatch:
    """An Atari game in `slots` copies, stepped in C++.

    Args:
        card: The game with its options and sticky probability.
        slots: Number of copies, fixed for the life of the batch.
        threads: C++ threads that step them.
    """

    def __init__(self, card: GameCard, slots: int, threads: int = 1) -> None:
        if card.rom is None:
            raise ContentError(f"game {card.id}: the card names no rom")
        check_rom(card.rom)
        self._env = vector_env(card, slots, threads=threads)
        self._options = card.atari
        self._actions = _action_table(card.atari, int(self._env.single_action_space.n))
        self._age = np.zeros(slots, dtype=np.int64)
        self.slots = slots
        self.observation_space = Box(0, 255, (card.atari.stack, *card.atari.frame), np.uint8)
        self.action_space = Discrete(len(self._actions))
        self._started = False

    def reset(self, mask: BoolArray, seeds: IntArray) -> npt.NDArray[np.uint8]:
        """Starts new episodes where `mask` is set; a seed is in 0..2^31-1. Costs about 65 ms a slot."""
        if not self._started:  # the vector environment wants one full reset first
            self._started = True
            if not mask.all():
                self._env.reset()
        obs, _ = self._env.reset(seed=np.asarray(seeds, dtype=np.int64), options={"reset_mask": mask})
        self._age[mask] = 0
        return self._shown(obs)

    def step(self, actions: IntArray) -> Step:
        """Plays one action a slot, shape (slots,), int64."""
        obs, rewards, terminated, truncated, _ = self._env.step(self._actions[actions])
        self._age += 1
        return Step(self._shown(obs), rewards.astype(np.float64), terminated, truncated)

    def close(self) -> None:
        """Frees the emulators."""
        self._env.close()

    def _shown(self, obs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if self._options.crop is not None:
            top, left, height, width = self._options.crop
            obs = np.ascontiguousarray(obs[:, :, top : top + height, left : left + width])
        if self._options.stack_fill == "first" and (young := self._age < self._options.stack - 1).any():
            obs = fill_with_first(obs, young, self._age)
        return obs


def fill_with_first(obs: npt.NDArray[np.uint8], young: BoolArray, age: IntArray) -> npt.NDArray[np.uint8]:
    """Replaces the empty frames of young episodes by their first frame, as `FrameStackObservation` does."""
    obs = obs.copy()
    stack = obs.shape[1]
    for slot in np.flatnonzero(young):  # at most stack-1 steps an episode
        first = stack - 1 - age[slot]
        obs[slot, :first] = obs[slot, first]
    return obs


def _action_table(options: AtariOptions, available: int) -> IntArray:
    if isinstance(options.action_set, tuple):
        return np.asarray(options.action_set, dtype=np.int64)
    return np.arange(available, dtype=np.int64)


def _ale_py() -> Any:
    try:
        import ale_py
        import gymnasium
    except ImportError as error:
        raise MissingExtra('Atari games need ale-py: pip install "rlattack[atari]"') from error
    gymnasium.register_envs(ale_py)
    return ale_py
