"""The two-player MuJoCo games: who starts where, what both see and touch, and what a step brings."""

from collections.abc import Sequence

import numpy as np
from gymnasium.spaces import Box

from rlattack.arrays import Array, FloatArray
from rlattack.errors import InvalidInput
from rlattack.games.card import Variant
from rlattack.games.game import MASKS, Seat, Step, View
from rlattack.games.mujoco.dynamics import body_names
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.mujoco.observe import bind, observe
from rlattack.games.mujoco.rules import ENDINGS, Seen, judge, void
from rlattack.games.mujoco.ruleset import Goal, Kick, Sumo
from rlattack.games.mujoco.scene import build, seat
from rlattack.games.mujoco.scenes import TALL, MujocoGame

_TIME = ENDINGS.index("time")


class DuelGame(MujocoGame):
    """One of the six games of Bansal et al. 2018, or a variant of it.

    Contact forces are those of the start of the last substep of a control step, other derived quantities those of its
    last Runge-Kutta stage, as the agents of 2018 saw them. A touch is one at the start of the last substep.

    The player hidden from a seat (Gleave et al. 2019) shows its `qpos` as at the start of the scene, all zero, or with
    normal noise of standard deviation 1.

    Raises:
        InvalidInput: A seat or a way of hiding that there is none of, or no memory for so many scenes.
        ContentError: A scene that cannot be built.
    """

    endings: tuple[str, ...] = ENDINGS

    def __init__(self, variant: Variant, slots: int, threads: int = 1, *, camera: bool = False) -> None:
        assert variant.card.mujoco is not None, "its card was checked"
        for number, mask in variant.hidden:
            if number not in (0, 1) or mask not in MASKS:
                raise InvalidInput(f"mask: expected seat 0 or 1 and one of {', '.join(MASKS)}, got {number} {mask!r}")
        self.card = card = variant.card.mujoco
        super().__init__(build(card.scene, card.rules), slots, threads, card.scene.frame_skip)
        self.state = bind(self.model, self.scenes)
        self._touch = self.scenes.bind("sensordata")
        self._ctrl = self.scenes.bind("ctrl").reshape(slots, 2, -1).swapaxes(0, 1)
        self._arenas: list[FloatArray] = []
        if isinstance(card.rules, Sumo):
            self._arena = self.scenes.expand("geom_size")[:, self.model.geom("arena").id]
            self._arenas = [self._arena]
        self._radius = np.full(slots, card.rules.radius[1] if isinstance(card.rules, Sumo) else np.inf)
        self._touched = np.zeros(slots, dtype=np.bool_)
        self._hidden = dict(variant.hidden)
        _, _, entries = self.state.qpos.shape
        # of all steps of an episode, drawn at its start so that a step needs no loop over slots
        steps = card.scene.max_steps + 1 if "noise" in self._hidden.values() else 0
        self._noise = np.zeros((slots, 2, steps, entries), dtype=np.float32)
        self.scenes.forward()
        self._before = self._place_now()
        seen = self._views()[0].obs[0].shape
        low, high = self.model.actuator_ctrlrange[: self.model.nu // 2].T.astype(np.float32)
        self._low, self._high = low.astype(np.float64), high.astype(np.float64)
        shown, bodies = Box(-np.inf, np.inf, seen, np.float32), body_names(self.model)
        self.seats = tuple(Seat(name, shown, Box(low, high), bodies=bodies) for name in card.seats)

    def step(self, actions: Sequence[Array]) -> Step:
        """Plays one action a seat and slot, each (slots, actuators) as the networks give them; they are clipped.

        Raises:
            InvalidInput: Actions of another shape, or that are not finite: idle slots take any that are.
        """
        raw = self._checked(actions)
        clipped = raw.clip(self._low, self._high)
        self._ctrl[:] = clipped
        before = self._before.T.copy()
        broken = self._advance()
        self._before[:] = self._place_now()
        verdict = judge(self.card.rules, self.card.reward, self._seen(raw, clipped, before))
        if broken.any():
            verdict = void(verdict, broken)
        truncated = broken | ((verdict.ending == _TIME) & self.card.cut)
        return Step(
            views=self._views(), rewards=verdict.sparse + verdict.dense, sparse=verdict.sparse,
            terminated=(verdict.ending > 0) & ~truncated, truncated=truncated, winner=verdict.winner,
            ending=verdict.ending,
        )  # fmt: skip

    def must_see(self, model: mujoco.MjModel, data: mujoco.MjData) -> FloatArray:
        """Both players, the ball, and the line, goal or arena that the game is about; shape (places, 3)."""
        rules = self.card.rules
        torsos = data.xpos[[model.body(seat(number) + "torso").id for number in (0, 1)]]
        places = [*(torsos[:, None] + TALL).reshape(-1, 3)]
        if isinstance(rules, Sumo):
            radius = model.geom("arena").size[0]
            places += [(0.0, -radius, 0.0), (-radius, 0.0, 0.0), (radius, 0.0, 0.0), (0.0, radius, rules.height)]
        elif isinstance(rules, Kick):
            places += [data.body("ball").xpos, (rules.line, -rules.post, 0.0), (rules.line, rules.post, 1.0)]
        else:  # the line that a player runs to
            places += [(side * rules.line, 0.0, 0.0) for side in ((-1, 1) if isinstance(rules, Goal) else (-1,))]
        return np.asarray(places, dtype=np.float64)

    def _place(self, slot: int, seed: int) -> None:
        """Noise on everything, then the players' places where the rules draw them."""
        rng = np.random.default_rng(seed)
        reset, rules, model = self.card.reset, self.card.rules, self.model
        qpos = model.qpos0 + rng.uniform(-reset.position, reset.position, model.nq)
        qvel = reset.velocity * rng.standard_normal(model.nv)
        ball = 7 if isinstance(rules, Kick) else 0
        players = qpos[ball:].reshape(2, -1)
        if isinstance(rules, Sumo):
            self._radius[slot] = self._arena[slot, 0] = radius = rng.uniform(*rules.radius)
            players[:, :2] = _in_arena(rules, radius, rng)
        if isinstance(rules, Kick):
            places = (rules.kicker_place, rules.keeper_place, rules.ball_place)
            for row, place in zip((*players, qpos), places, strict=True):
                row[:2] = rng.uniform(place[0::2], place[1::2])
            qpos[2] = rules.ball_height
            if qvel[0] < 0:
                qvel[:3] = rules.roll
        for free in (players[0], players[1], qpos[:ball]):  # 1.31 made the noisy quaternions unit ones
            free[3:7] /= np.linalg.norm(free[3:7])
        self.qpos[slot], self.qvel[slot] = qpos, qvel
        self._touched[slot] = isinstance(rules, Sumo) and rules.auto_contact
        if self._noise.size:
            np.random.default_rng((seed, 1)).standard_normal(dtype=np.float32, out=self._noise[slot])

    @property
    def _kept(self) -> list[Array]:
        """The same, with the arena's radius, whether the players have touched, and what hides the other one."""
        return [*super()._kept, self._radius, self._touched, self._noise, *self._arenas]

    def _place_now(self) -> FloatArray:
        """Centres of mass of both players along x, shape (slots, 2)."""
        return self.state.com.T.copy()

    def _seen(self, raw: FloatArray, clipped: FloatArray, before: FloatArray) -> Seen:
        state = self.state
        if isinstance(self.card.rules, Sumo | Kick):  # within the margin is not yet a touch
            found, distance = self._touch[:, -2], self._touch[:, -1]
            self._touched |= (found > 0) & (distance < 0)
        return Seen(
            torso=state.qpos[..., :3], com=state.com, com_before=before, actions=raw, clipped=clipped,
            forces=state.forces, last=self.elapsed >= self.card.scene.max_steps, touched=self._touched,
            radius=self._radius, ball=state.ball, ball_velocity=state.ball_velocity,
        )  # fmt: skip

    def _views(self) -> tuple[View, ...]:
        left = self.card.scene.max_steps - self.elapsed
        seen = observe(self.card.scene.body, self.card.rules, self.state, self._other(), self._radius, left)
        return tuple(View(obs, self._turn) for obs in seen)

    def _other(self) -> FloatArray:
        """`qpos` of the other player as each one sees it, shape (2, slots, nq)."""
        other = self.state.qpos[::-1]
        if not self._hidden:
            return other
        other = other.copy()
        for number, mask in self._hidden.items():
            if mask == "zero":
                other[number] = 0.0
            elif mask == "initial":
                _, _, width = other.shape
                other[number] = self.model.qpos0[-width:] if number == 0 else self.model.qpos0[-2 * width : -width]
            else:  # idle slots keep the last
                step = np.minimum(self.elapsed, self.card.scene.max_steps)
                other[number] += self._noise[np.arange(self.slots), number, step]
        return other


def _in_arena(rules: Sumo, radius: float, rng: np.random.Generator) -> FloatArray:
    """X and y of both players on their own sides of the arena."""
    edge = rules.gap + rules.radius[0] / 2
    x = np.asarray([rng.uniform(-radius + edge, -rules.gap), rng.uniform(rules.gap, radius - edge)])
    room = np.sqrt(radius**2 - x**2) - edge
    return np.stack([x, rng.uniform(-room, room)], axis=1)
