"""An attack on what one seat of a duel sees, and the judge beside it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space
from torch import Tensor

from rlattack.attacks import Attacker, AttackSpec, make_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.seeds import attack_seed
from rlattack.games.batch import BoolArray, IntArray
from rlattack.policies.base import Output, State
from rlattack.policies.gaussian import AnyPolicy, GaussianPolicy
from rlattack.policies.player import GaussianPlayer, Player, PolicyPlayer

__all__ = ["Measured", "SeatAttack", "policy_of", "seat_attacker"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the judge found of one game, and what the attack asked in it."""

    steps: int
    """In which the attacked seat acted; the counts below are of these."""
    attacked: int
    """Steps in which it received something else than the game showed."""
    changed: int | None
    """Steps in which its greedy action was another than on the clean observation; None for continuous actions."""
    size: tuple[float, float, float, float]
    """Largest linf, l2, l1 and l0 norms of a step, in units of the budget's space."""
    broken: int
    """Steps that left the budget or the observation space."""
    queries: int
    gradients: int


def policy_of(player: Player, name: str) -> AnyPolicy:
    """The policy that looks at the observations of a seat.

    Raises:
        InvalidInput: Whoever sits there looks at nothing.
    """
    if not isinstance(player, GaussianPlayer | PolicyPlayer):
        raise InvalidInput(
            f"--attack: {name} looks at nothing, so there is nothing to attack; --attacked names the other seat"
        )
    return player.policy


def seat_attacker(spec: AttackSpec, budget: Budget, policy: AnyPolicy, space: Space[Any], slots: int) -> Attacker:
    """Makes the attack on a seat; `sigma` is in units of the statistics that the agent ships.

    Raises:
        BudgetError: The budget does not fit what the seat sees, or the agent ships no statistics.
        InvalidInput: The attack does not fit the policy.
    """
    attack = make_attack(spec.name, budget, **spec.parameters)
    deviation = policy.network.obs_std if isinstance(policy, GaussianPolicy) else None
    return Attacker(attack, policy, space, slots, deviation=deviation)


class SeatAttack:
    """Perturbs what a seat sees in `slots` running games, and measures it from outside.

    Args:
        attacker: The attack at work on the seat's own policy.
        policy: The victim.
        run: The run's seed.
    """

    def __init__(self, attacker: Attacker, policy: AnyPolicy, run: int) -> None:
        self._attacker, self._policy, self._run = attacker, policy, run
        self._judge = Judge(attacker.ball, attacker.slots)
        self._steps = np.zeros(attacker.slots, dtype=np.int64)

    def restart(self, started: IntArray, episodes: IntArray) -> None:
        """Starts new games in the slots `started`, with the number of each."""
        self._attacker.restart(started, [attack_seed(self._run, int(episode)) for episode in episodes])

    def __call__(self, obs: Array, state: State, acting: BoolArray, legal: BoolArray | None) -> Array:
        """Perturbs one step of the batch where the seat is to act.

        Args:
            obs: What the game shows, shape (slots, *observation).
            state: The victim's recurrent state before.
            acting: Slots whose game goes on and in which the seat is to act.
            legal: Legal actions, where the game tells.

        Returns:
            What the victim receives, float32, of that shape.
        """
        clean = torch.from_numpy(obs.astype(np.float32))
        allowed = None if legal is None else torch.from_numpy(legal)
        received = self._attacker(clean, acting, allowed)
        self._steps += acting
        self._judge.see(clean, received, *self._choices(clean, received, state, allowed), acting)
        return received.numpy()

    def collect(self, slot: int) -> Measured:
        """Returns what was measured of the game that ended in a slot, and clears the slot."""
        judgement, target = self._judge.collect(slot), self._attacker.target
        measured = Measured(
            steps=int(self._steps[slot]), attacked=judgement.attacked,
            changed=None if isinstance(self._policy, GaussianPolicy) else judgement.changed,
            size=judgement.size, broken=judgement.broken, queries=int(target.queries[slot]),
            gradients=int(target.gradients[slot]),
        )  # fmt: skip
        for row in (self._steps, target.queries, target.gradients):
            row[slot] = 0
        return measured

    def _choices(self, clean: Tensor, received: Tensor, state: State, legal: Tensor | None) -> tuple[Tensor, Tensor]:
        """Greedy actions on both, shape (slots,); all alike where actions are continuous and none is like another."""
        if isinstance(self._policy, GaussianPolicy):
            return (alike := torch.zeros(len(clean))), alike
        known = self._attacker.target.known_clean_output
        with torch.no_grad():
            before = known if isinstance(known, Output) else self._policy(clean, state).among(legal)
            return before.greedy, self._policy(received, state).among(legal).greedy
