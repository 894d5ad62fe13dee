"""Plays the episodes of a cell in slots: clean observation, attack, victim, judge, game; batched at every step."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rlattack.attacks import Attacker, make_attack
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.judge import Judge, Judgement
from rlattack.evaluation.recorder import Recorder
from rlattack.evaluation.seeds import SampledActions, attack_seed, game_seed
from rlattack.games import make_game
from rlattack.games.batch import BatchedGame, Step
from rlattack.policies.base import Policy, State, sample

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


class Rollout:
    """A cell at play.

    Args:
        cell: What to play.
        victim: The policy that acts.
        crafted_on: The policy that the attack asks; the victim itself unless there is a surrogate.
        take: Gives the number of the next episode of a slot, or None; asked as slots become free.
    """

    def __init__(self, cell: Cell, victim: Policy, crafted_on: Policy, take: Callable[[int], int | None]) -> None:
        self.cell = cell
        self.slots = cell.envs
        self.steps = 0
        """Steps of slots that had an episode to play."""
        self.full_seconds = 0.0
        """Time while every slot had an episode, resets included."""
        self.full_steps = self.full_resets = 0
        """Steps and resets in that time."""
        self.recorder = None if cell.budget is None else Recorder()
        """Keeps the first steps of an attacked episode 0 for a clip."""
        self._take = take
        self._victim = victim
        self._game: BatchedGame = make_game(cell.game, self.slots)
        self._attacker = self._make_attacker(crafted_on)
        held = cell.model == "frame"
        self._judge = Judge(self._attacker.ball, self.slots, held=held) if self._attacker else None
        self._own_clean = crafted_on is victim
        self._numbers = SampledActions(self.slots, cell.seed)
        self._state: State = victim.initial_state(self.slots)
        self._episode = np.full(self.slots, -1)
        self._score = np.zeros(self.slots)
        self._length = np.zeros(self.slots, dtype=np.int64)
        self._since_reward = np.zeros(self.slots, dtype=np.int64)
        self._digest = np.zeros(self.slots, dtype=np.uint64)

    def episodes(self) -> Iterator[Episode]:
        """Yields episodes as they end, until none is left."""
        for ended in self.play():
            yield from ended

    def play(self) -> Iterator[list[Episode]]:
        """Plays step by step, until no episode is left; yields the episodes that the step ended."""
        try:
            obs = self._start(np.ones(self.slots, dtype=np.bool_), None)
            while (active := self._episode >= 0).any():
                begun, full = time.perf_counter(), bool(active.all())
                actions = self._act(obs, active)
                step = self._game.step(actions)
                stalled = self._account(step, actions, active)
                ended = active & (step.terminated | step.truncated | stalled)
                finished = [self._finish(int(slot), step, stalled) for slot in np.flatnonzero(ended)]
                obs = self._start(ended, step.obs) if ended.any() else step.obs
                if full:
                    self.full_seconds += time.perf_counter() - begun
                    self.full_steps += self.slots
                    self.full_resets += int(ended.sum())
                yield finished
        finally:
            self._game.close()

    def _make_attacker(self, crafted_on: Policy) -> Attacker | None:
        cell = self.cell
        if cell.budget is None:
            return None
        attack = make_attack(cell.attack.name, cell.budget, **cell.attack.parameters)
        return Attacker(attack, crafted_on, self._game.observation_space, self.slots, model=cell.model)

    def _start(self, mask: npt.NDArray[np.bool_], obs: npt.NDArray[np.generic] | None) -> npt.NDArray[np.generic]:
        """Puts the next episodes into the slots of `mask`; slots for which none is left go idle."""
        started = np.zeros(self.slots, dtype=np.bool_)
        for slot in np.flatnonzero(mask):
            episode = self._take(int(slot))
            self._episode[slot] = -1 if episode is None else episode
            started[slot] = episode is not None
        first = obs is None  # then idle slots need an observation too
        if not (started.any() or first):
            assert obs is not None
            return obs
        slots = np.flatnonzero(started)
        if self._attacker is not None:
            self._attacker.restart(slots, [attack_seed(self.cell.seed, int(self._episode[slot])) for slot in slots])
        for slot in slots:
            self._numbers.restart(int(slot), int(self._episode[slot]))
        if self._state is not None and (fresh := self._victim.initial_state(self.slots)) is not None:
            self._state = self._state.clone()
            self._state[slots] = fresh[slots]
        for row in (self._score, self._length, self._since_reward, self._digest):
            row[slots] = 0
        reset = started | first
        seeds = [
            game_seed(self.cell.seed, int(self._episode[slot])) if started[slot] else 0
            for slot in np.flatnonzero(reset)
        ]
        return self._game.reset(reset, np.asarray(seeds))

    def _act(self, obs: npt.NDArray[np.generic], active: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        clean = torch.from_numpy(obs.astype(np.float32))
        received = clean if self._attacker is None else self._attacker(clean, active)
        with torch.no_grad():
            out = clean_out = self._victim(received, self._state)
            if self._attacker is not None and self._judge is not None:
                known = self._attacker.target.known_clean_output if self._own_clean else None
                clean_out = known or self._victim(clean, self._state)
                self._judge.see(clean, received, clean_out.greedy, out.greedy, active)
            uniform = torch.from_numpy(self._numbers.draw())
            actions = out.greedy if self.cell.actions == "greedy" else sample(out, uniform)
        if (
            self.recorder is not None
            and self._attacker is not None
            and (hit := np.flatnonzero(self._episode == 0)).size
        ):
            self.recorder.see(int(hit[0]), clean, received, clean_out, out, actions)
        self._state = out.state
        return actions.numpy()

    def _account(
        self, step: Step, actions: npt.NDArray[np.int64], active: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Adds a step to the running episodes; returns the slots that stall."""
        self.steps += int(active.sum())
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

    def _finish(self, slot: int, step: Step, stalled: npt.NDArray[np.bool_]) -> Episode:
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
            truncated=bool(step.truncated[slot] and not step.terminated[slot]),
            stalled=bool(stalled[slot]),
            trajectory=f"{int(self._digest[slot]):016x}",
            queries=queries,
            gradients=gradients,
            judgement=judgement,
        )
