"""The parts of attacked play, each timed alone: what they add up to is the bound that play is read beside."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray
from rlattack.draws import Draws
from rlattack.evaluation.table import Table
from rlattack.games.card import GameCard
from rlattack.perf.clock import Clock, TimedGame
from rlattack.perf.seating import endless, open_game
from rlattack.policies.distributions import Categorical
from rlattack.policies.placed import placed
from rlattack.policies.policy import Output, Policy, State


class Parts:
    """Times the parts one after the other on the observations of real play, so that caches are as in play.

    Attributes:
        clocks: Seconds and calls of each part of a step: the game, the victim's outputs and gradients, the others'
            outputs.
        resets: Seeded resets of one slot.
    """

    def __init__(self, table: Table, slots: int) -> None:
        names = ("environment", "forward", "gradient", *["opponents"] * (len(table.seats) > 1))
        self.clocks, self._resetting, self.resets = {name: Clock(slots) for name in names}, Clock(), 0
        policies = [
            _TimedPolicy(placed(agent.policy, table.study.device), self.clocks, victim=seat == table.victim)
            for seat, agent in enumerate(table.everybody)
        ]
        game = TimedGame(open_game(table, slots), self.clocks["environment"])
        self.play = endless(table, game, cast(list[Policy], policies))
        self._steps, self._spare = self.play.play(), open_game(table, slots)  # seeded resets are timed apart
        self._reset(np.ones(slots, dtype=np.bool_))

    @property
    def speeds(self) -> dict[str, float]:
        """Steps of a slot a second of each part, and resets a second."""
        parts = {name: clock.speed for name, clock in self.clocks.items()}
        return parts | {"reset": self.resets / self._resetting.seconds}

    def __call__(self, seconds: float) -> None:
        """Goes on for about so many seconds a part."""
        self._reset(np.arange(self._spare.slots) == self.resets % self._spare.slots)
        end = self._spent + len(self.clocks) * seconds
        while self._spent < end:
            next(self._steps)

    def _reset(self, mask: BoolArray) -> None:
        count = int(mask.sum())
        with self._resetting:
            self._spare.reset(mask, np.arange(self.resets, self.resets + count))
        self.resets += count

    @property
    def _spent(self) -> float:
        return sum(clock.seconds for clock in self.clocks.values())


class Emulator:
    """The emulator of an Atari game alone: random actions for `frame_skip` frames, no screen read."""

    def __init__(self, card: GameCard) -> None:
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.ale, self._skip = ale_py.ALEInterface(), card.atari.frame_skip
        rom = ale_py.roms.get_rom_path(card.rom or "")
        assert rom is not None  # the game was made from it
        self.ale.loadROM(rom)
        actions = self.ale.getMinimalActionSet()
        self._actions = [actions[index] for index in np.random.default_rng(0).integers(len(actions), size=256)]
        self.clock = Clock(len(self._actions))

    def __call__(self, seconds: float) -> None:
        """Goes on for about so many seconds."""
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            with self.clock:
                for action in self._actions:
                    for _ in range(self._skip):
                        self.ale.act(action)
                if self.ale.game_over():
                    self.ale.reset_game()


class _TimedPolicy:
    """A policy whose outputs are timed and, of a victim, at each of them one gradient more."""

    def __init__(self, policy: Policy, clocks: dict[str, Clock], *, victim: bool) -> None:
        self._policy, self._clocks, self._victim = policy, clocks, victim

    def __call__(self, obs: Tensor, state: State = None, draws: Draws | None = None) -> Output:
        with self._clocks["forward" if self._victim else "opponents"]:
            out = self._policy(obs, state, draws)
        if self._victim:
            loss = _away_from(out)
            with self._clocks["gradient"]:
                self._policy.gradient(obs, loss, state)
        return out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)


def _away_from(out: Output) -> Callable[[Output], Tensor]:
    """The loss that attacks climb by default, at what the policy would do."""
    if not isinstance(out.actions, Categorical):
        return lambda now: now.actions.divergence(out.actions).sum()
    labels = out.actions.greedy
    return lambda now: torch.nn.functional.cross_entropy(cast(Categorical, now.actions).scores, labels, reduction="sum")
