"""Plays the episodes of a cell in slots: clean observation, attack, victim, judge, game; batched at every step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rlattack.attacks import Attacker, make_attack
from rlattack.attacks.streams import Streams
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.judge import Judge, Judgement
from rlattack.evaluation.recorder import Recorder
from rlattack.evaluation.seeds import attack_seed, game_seed, seat_seed
from rlattack.evaluation.slots import Slots, Take
from rlattack.games import make_game
from rlattack.games.batch import BatchedGame, BoolArray, IntArray, Step
from rlattack.policies.base import Output, Policy, State, sample

__all__ = ["Episode", "Rollout"]

_UNJUDGED = Judgement(attacked=0, changed=0, size=(0.0, 0.0, 0.0, 0.0), broken=0)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One finished episode."""

    cell: str
    episode: int
    seed: int
    """The game was reset with it."""
    score: float
    """Undiscounted sum of the game's own rewards."""
    length: int
    truncated: bool
    """Cut by the game's time limit."""
    stalled: bool
    """Ended by the card's stall rule."""
    trajectory: str
    """Digest of actions and rewards: equal for episodes that went alike."""
    queries: int
    gradients: int
    judgement: Judgement


class Rollout(Slots[Episode]):
    """A cell at play.

    Args:
        cell: What to play.
        victim: The policy that acts.
        crafted_on: The policy that the attack asks; the victim itself unless there is a surrogate.
        take: Where episodes come from.
    """

    def __init__(self, cell: Cell, victim: Policy, crafted_on: Policy, take: Take) -> None:
        super().__init__(cell.envs, cell.seed, take)
        self.cell = cell
        self.recorder = None if cell.budget is None else Recorder()
        """Keeps the first steps of an attacked episode 0 for a clip."""
        self._victim = victim
        self._game: BatchedGame = make_game(cell.game, self.slots)
        self._attacker = self._make_attacker(crafted_on)
        held = cell.model == "frame"
        self._judge = Judge(self._attacker.ball, self.slots, held=held) if self._attacker else None
        self._own_clean = crafted_on is victim
        self._draws = Streams(self.slots)
        self._state: State = victim.initial_state(self.slots)
        self._score = np.zeros(self.slots)
        self._length = np.zeros(self.slots, dtype=np.int64)
        self._since_reward = np.zeros(self.slots, dtype=np.int64)
        self._digest = np.zeros(self.slots, dtype=np.uint64)
        self._obs: npt.NDArray[Any] = np.empty(0)
        self._cut = self._stalled = np.zeros(self.slots, dtype=np.bool_)

    def _make_attacker(self, crafted_on: Policy) -> Attacker | None:
        cell = self.cell
        if cell.budget is None:
            return None
        attack = make_attack(cell.attack.name, cell.budget, **cell.attack.parameters)
        return Attacker(attack, crafted_on, self._game.observation_space, self.slots, model=cell.model)

    def _begin(self, started: IntArray, reset: BoolArray, seeds: IntArray) -> None:
        if self._attacker is not None:
            self._attacker.restart(started, [attack_seed(self._seed, int(self._episode[slot])) for slot in started])
        for slot in started:
            self._draws.restart(int(slot), seat_seed(self._seed, int(self._episode[slot]), 0))
        if self._state is not None and (fresh := self._victim.initial_state(self.slots)) is not None:
            self._state = self._state.clone()
            self._state[started] = fresh[started]
        for row in (self._score, self._length, self._since_reward, self._digest):
            row[started] = 0
        self._obs = self._game.reset(reset, seeds)

    def _step(self, active: BoolArray) -> BoolArray:
        actions = self._act(self._obs, active)
        step = self._game.step(actions)
        stalled = self._account(step, actions, active)
        self._obs, self._cut, self._stalled = step.obs, step.truncated & ~step.terminated, stalled
        return step.terminated | step.truncated | stalled

    def _close(self) -> None:
        self._game.close()

    def _act(self, obs: npt.NDArray[Any], active: BoolArray) -> IntArray:
        clean = torch.from_numpy(obs.astype(np.float32))
        received = clean if self._attacker is None else self._attacker(clean, active)
        with torch.no_grad():
            out = clean_out = self._victim(received, self._state)
            if self._attacker is not None and self._judge is not None:
                known = self._attacker.target.known_clean_output if self._own_clean else None
                clean_out = known if isinstance(known, Output) else self._victim(clean, self._state)
                self._judge.see(clean, received, clean_out.greedy, out.greedy, active)
            self._draws.active = active
            actions = out.greedy if self.cell.actions == "greedy" else sample(out, self._draws.uniform(1)[:, 0])
        if (
            self.recorder is not None
            and self._attacker is not None
            and (hit := np.flatnonzero(self._episode == 0)).size
        ):
            self.recorder.see(int(hit[0]), clean, received, clean_out, out, actions)
        self._state = out.state
        return actions.numpy()

    def _account(self, step: Step, actions: IntArray, active: BoolArray) -> BoolArray:
        """Adds a step to the running episodes; returns the slots that stall."""
        self._score += np.where(active, step.rewards, 0.0)
        self._length += active
        self._since_reward = np.where(step.rewards != 0, 0, self._since_reward + 1)
        mixed = (step.rewards.view(np.uint64) >> np.uint64(32)) ^ (actions.astype(np.uint64) + np.uint64(1))
        self._digest = (self._digest ^ mixed) * np.uint64(0x100000001B3) + np.uint64(0x9E3779B97F4A7C15)  # FNV-like
        if self.recorder is not None:
            self.recorder.reward(step.rewards)
        stall = self.cell.game.stall
        if stall is None:
            return np.zeros(self.slots, dtype=np.bool_)
        return (self._since_reward >= stall.steps) & ~(step.terminated | step.truncated)

    def _finish(self, slot: int) -> Episode:
        judgement, queries, gradients = _UNJUDGED, 0, 0
        if self._attacker is not None and self._judge is not None:
            target = self._attacker.target
            judgement, queries, gradients = (
                self._judge.collect(slot),
                int(target.queries[slot]),
                int(target.gradients[slot]),
            )
            target.queries[slot] = target.gradients[slot] = 0
        episode = int(self._episode[slot])
        return Episode(
            cell=self.cell.key,
            episode=episode,
            seed=game_seed(self.cell.seed, episode),
            score=float(self._score[slot]),
            length=int(self._length[slot]),
            truncated=bool(self._cut[slot]),
            stalled=bool(self._stalled[slot]),
            trajectory=f"{int(self._digest[slot]):016x}",
            queries=queries,
            gradients=gradients,
            judgement=judgement,
        )
