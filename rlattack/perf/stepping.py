"""How fast a MuJoCo game is stepped, beside MuJoCo alone: the same play again in a plain loop over `mj_step`."""

from collections.abc import Sequence

import numpy as np

from rlattack.arrays import Array
from rlattack.evaluation.table import Table
from rlattack.games import make_game
from rlattack.games.game import Step
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.mujoco.scenes import MujocoGame
from rlattack.perf.clock import Clock, TimedGame, take_turns
from rlattack.perf.seating import endless
from rlattack.perf.table import Speed, SpeedTable

STEPS = 16
"""Control steps of a turn."""


def measure_stepping(table: Table, *, seconds: float, slots: int = 64) -> SpeedTable:
    """Plays a victim against random actions and steps every turn of it once more with MuJoCo alone, on one core.

    What is timed of ours is physics, observations, rewards and endings; neither players nor resets.

    Args:
        table: A game of MuJoCo's with its victim.
        seconds: For each way, at least, after a turn that does not count.
        slots: Games at once.
    """
    play = SteppedPlay(table, slots)
    again = PlainScenes(play.game)

    def turn() -> None:
        again.start()
        play.turn()
        again.turn(play.controls)

    take_turns(turn, (play.clock, again.clock), seconds)
    speed = Speed(
        name="stepping in slots", per_second=play.clock.speed, beside="mj_step alone, the same play",
        reference=again.clock.speed,
    )  # fmt: skip
    return SpeedTable(title="stepping, control steps a second on one core", setting={"slots": slots}, speeds=(speed,))


class SteppedPlay(TimedGame):
    """The victim against random actions, in slots.

    Attributes:
        controls: Of each step of the last turn, shape (slots, actuators of all).
    """

    game: MujocoGame

    def __init__(self, table: Table, slots: int) -> None:
        super().__init__(make_game(table.card, slots), Clock(slots))
        boxes = [seat.action for seat in self.seats]
        self._low, self._high = (np.concatenate([getattr(box, end) for box in boxes]) for end in ("low", "high"))
        self.controls: list[Array] = []
        self._steps = endless(table, self, [agent.policy for agent in table.everybody]).play()
        next(self._steps)  # that the games have begun

    def turn(self) -> None:
        """Plays on."""
        self.controls = []
        for _ in range(STEPS):
            next(self._steps)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot."""
        self.controls.append(np.concatenate(actions, axis=1).clip(self._low, self._high))
        return super().step(actions)


class PlainScenes:
    """The scenes of a game by themselves, to be stepped from where they stand; each goes on where its game ends."""

    def __init__(self, game: MujocoGame) -> None:
        self._game, self.clock = game, Clock(game.slots * STEPS)
        self._models = [game.model.__copy__() for _ in range(game.slots)]
        self.data = [mujoco.MjData(model) for model in self._models]

    def start(self) -> None:
        """Puts all where they stand in the game."""
        for slot, (model, data) in enumerate(zip(self._models, self.data, strict=True)):
            self._game.show(slot, model, data)

    def turn(self, controls: Sequence[Array]) -> None:
        """Steps all by the controls of a turn."""
        substeps = self._game.frame_skip
        with self.clock:
            for slot, (model, data) in enumerate(zip(self._models, self.data, strict=True)):
                for control in controls:
                    data.ctrl[:] = control[slot]
                    mujoco.mj_step(model, data, substeps)
