"""How fast a MuJoCo game is stepped, beside MuJoCo alone: the same play again in a plain loop over `mj_step`."""

import time
from collections.abc import Sequence

import numpy as np
import torch

from rlattack.arrays import Array, BoolArray
from rlattack.draws import SharedDraws
from rlattack.games import make_game
from rlattack.games.game import View
from rlattack.games.mujoco.batch import MujocoGame
from rlattack.games.mujoco.engine import mujoco
from rlattack.perf.seating import Seating
from rlattack.perf.table import Speed, SpeedTable
from rlattack.policies.policy import choose, renewed

STEPS = 16
"""Control steps of a turn; games that end in one start again after it."""


def measure_stepping(seating: Seating, *, seconds: float, slots: int = 64) -> SpeedTable:
    """Plays a victim against random actions and steps every turn of it once more with MuJoCo alone, on one core.

    What is timed of ours is physics, observations, rewards and endings; neither players nor resets.

    Args:
        seating: A game of MuJoCo's with its victim.
        seconds: For each way, at least, after a turn that does not count.
        slots: Games at once.

    Raises:
        RlattackError: The victim or the game cannot be loaded.
    """
    play = SteppedPlay(seating, slots)
    again = PlainScenes(play.game)
    ours = theirs = 0.0
    turns = -1
    while turns < 1 or min(ours, theirs) < seconds:
        again.start()
        spent, controls = play.turn()
        if turns >= 0:
            ours += spent
            theirs += again.turn(controls)
        turns += 1
    steps = turns * STEPS * slots
    speed = Speed(
        name="stepping in slots", per_second=steps / ours, beside="mj_step alone, the same play",
        reference=steps / theirs,
    )  # fmt: skip
    return SpeedTable(title="stepping, control steps a second on one core", setting={"slots": slots}, speeds=(speed,))


class SteppedPlay:
    """The victim against random actions, in slots.

    Args:
        seating: A game of MuJoCo's with its victim.
        slots: Games at once.

    Attributes:
        ended: Slots that a game of the last turn ended in, and that play another one since, shape (slots,).
    """

    def __init__(self, seating: Seating, slots: int) -> None:
        game, agents = make_game(seating.card, slots), seating.agents()
        assert isinstance(game, MujocoGame)
        self.game = game
        self._policies, self._modes = [agent.policy for agent in agents], seating.modes(agents)
        self._states = [policy.initial_state(slots) for policy in self._policies]
        self._draws = SharedDraws(slots, 0)
        boxes = [seat.action for seat in game.seats]
        self._low, self._high = (np.concatenate([getattr(box, end) for box in boxes]) for end in ("low", "high"))
        self.ended: BoolArray = np.zeros(slots, dtype=np.bool_)
        self._views = game.reset(np.ones(slots, dtype=np.bool_), np.arange(slots))
        self._seed = slots

    def turn(self) -> tuple[float, list[Array]]:
        """Seconds that the steps took, and the controls of each, shape (slots, actuators of all)."""
        spent, controls = 0.0, []
        self.ended = np.zeros(self.game.slots, dtype=np.bool_)
        for _ in range(STEPS):
            actions = [self._act(seat, view) for seat, view in enumerate(self._views)]
            controls.append(np.concatenate(actions, axis=1).clip(self._low, self._high))
            begun = time.perf_counter()
            step = self.game.step(actions)
            spent += time.perf_counter() - begun
            self._views = step.views
            self.ended |= step.terminated | step.truncated
        if count := int(self.ended.sum()):
            self._views = self.game.reset(self.ended, np.arange(self._seed, self._seed + count))
            self._seed += count
            for seat, policy in enumerate(self._policies):
                fresh = policy.initial_state(len(self.ended))
                self._states[seat] = renewed(torch.from_numpy(self.ended), fresh, self._states[seat])
        return spent, controls

    def _act(self, seat: int, view: View) -> Array:
        with torch.no_grad():
            out = self._policies[seat](torch.from_numpy(view.obs), self._states[seat], self._draws)
        self._states[seat] = out.state
        chosen: Array = choose(out.actions, self._modes[seat], self._draws).numpy()
        return chosen


class PlainScenes:
    """The scenes of a game by themselves, to be stepped from where they stand.

    Args:
        game: Whose scenes they are.

    Attributes:
        data: State of each scene, one a slot.
    """

    def __init__(self, game: MujocoGame) -> None:
        self._game = game
        self._models = [game.model.__copy__() for _ in range(game.slots)]
        self.data = [mujoco.MjData(model) for model in self._models]

    def start(self) -> None:
        """Puts all where they stand in the game."""
        for slot, (model, data) in enumerate(zip(self._models, self.data, strict=True)):
            self._game.show(slot, model, data)

    def turn(self, controls: Sequence[Array]) -> float:
        """Seconds that MuJoCo takes for these controls."""
        substeps = self._game.card.scene.frame_skip
        begun = time.perf_counter()
        for slot, (model, data) in enumerate(zip(self._models, self.data, strict=True)):
            for control in controls:
                data.ctrl[:] = control[slot]
                mujoco.mj_step(model, data, substeps)
        return time.perf_counter() - begun
