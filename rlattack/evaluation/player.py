"""Who holds a seat at play, in all slots at once: the policy, its attackers, and what both carry from step to step."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, renewed
from rlattack.attacks import (
    ActionAttack,
    ActionAttacker,
    Attacker,
    DynamicsAttack,
    DynamicsAttacker,
    Fitted,
    ObservationAttack,
    Runner,
    Schedule,
    ScreenAttacker,
    make_attack,
    make_schedule,
)
from rlattack.attacks.lookahead import FORKS, Here, Lookahead
from rlattack.defences.certificates.certifier import Certifier
from rlattack.draws import Streams, attack_seed, seat_seed
from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import AttackRef, Cell
from rlattack.evaluation.detecting import Watch
from rlattack.evaluation.judge import Judge
from rlattack.evaluation.observer import Moment
from rlattack.games.card import ActionMode
from rlattack.games.dynamics import Bendable
from rlattack.games.forks import make_forkable
from rlattack.games.game import Forkable, Game, Seat, View
from rlattack.policies.policy import Output, Policy, State, choose

Sight = Attacker | ScreenAttacker
"""What works on what a seat sees: on its observations, or on the screen that they are made of."""
Learned = tuple[Fitted | None, Fitted | None]
"""What an attack learned on tuning episodes, and what its schedule did."""


def make_attacker(
    ref: AttackRef, victim: Policy, surrogate: Policy | None, seat: Seat, slots: int, learned: Learned = (None, None)
) -> Sight | ActionAttacker | DynamicsAttacker:
    """Makes the attack on a seat.

    Args:
        ref: The attack with its budget.
        victim: Who is attacked.
        surrogate: Who the attack is crafted on; None for the victim itself.
        seat: What the victim sees and does.
        slots: Number of episodes at once.
        learned: What it and its schedule learned on tuning episodes.

    Raises:
        BudgetError: The budget does not fit what the seat sees or does, or the agent ships no statistics for `sigma`.
        InvalidInput: The attack does not fit the policy, or changes what cannot be changed yet.
    """
    attack = make_attack(ref.spec.name, copy.deepcopy(ref.budget), **ref.spec.parameters)
    crafted_on, schedule = surrogate or victim, make_schedule(ref.schedule)
    attack.learned, schedule.learned = (here(one) or Fitted() for one in learned)
    if attack.access == "action" and isinstance(attack, ActionAttack):
        return ActionAttacker(attack, crafted_on, seat.action, slots, schedule, ref.budget, seat.observation, Certifier)
    if attack.access == "observation" and isinstance(attack, ObservationAttack):
        return make_sight(attack, ref, crafted_on, victim, seat, slots, schedule)
    if attack.access == "dynamics" and isinstance(attack, DynamicsAttack):
        return DynamicsAttacker(attack, crafted_on, seat.bodies, slots, schedule, ref.budget)
    if attack.access not in ("action", "observation", "dynamics"):
        raise InvalidInput(f"attack {ref.spec.name} changes the {attack.access}, which cannot be played yet")
    base = f"{attack.access.capitalize()}Attack"
    raise InvalidInput(f"attack {ref.spec.name} changes the {attack.access}: expected a subclass of {base}")


def make_sight(
    attack: ObservationAttack[Any, Any], ref: AttackRef, crafted_on: Policy, victim: Policy, seat: Seat, slots: int,
    schedule: Schedule[Any] | None = None,
) -> Sight:  # fmt: skip
    """Lets an attack work on what a seat sees, held to a budget, in the model that was asked for; see `make_attacker`.

    Args:
        attack: As it is at each step: whoever fits it changes it meanwhile.
        ref: Its budget and its model.
        crafted_on: Who is asked.
        victim: Who receives what it gives.
        seat: What the victim sees.
        slots: Number of episodes at once.
        schedule: When it acts; every step by default.
    """
    if ref.model == "screen":
        return ScreenAttacker(attack, crafted_on, seat, slots, schedule, ref.budget)
    return Attacker(
        attack, crafted_on, seat.observation, slots, model=ref.model, schedule=schedule, victim=victim,
        budget=ref.budget,
    )  # fmt: skip


def here(learned: Fitted | None) -> Fitted | None:
    """What was learned, on the device of whoever plays."""
    if learned is None:
        return None
    return Fitted({name: torch.as_tensor(tensor) for name, tensor in learned.tensors.items()}, learned.facts)


def foreseen(cell: Cell, game: Game, players: Sequence["Player"]) -> Lookahead | None:
    """Lets the attacks of a cell whose schedules look ahead do so in a spare game; nothing where there are none."""
    if not cell.looks_ahead:
        return None
    assert isinstance(game, Forkable), "the plan has tried that"
    lookahead = Lookahead(game, make_forkable(cell.game, FORKS))
    for player in players:
        for _, attacker in player.attackers:
            if attacker.schedule.looks_ahead or attacker.attack.foresees:
                attacker.oracle.lookahead = lookahead.of(player.number)
    return lookahead


def lend_worlds(game: Game, players: Sequence["Player"]) -> None:
    """Lends a game to the attacks that make its worlds."""
    for attacker in (attacker for player in players for _, attacker in player.attackers):
        if isinstance(attacker, DynamicsAttacker):
            assert isinstance(game, Bendable), "its seats name bodies"
            attacker.game = game


class Player:
    """A policy in a seat.

    Args:
        number: Of the seat.
        seat: What it sees and does.
        policy: Who plays.
        mode: How it chooses.
        slots: Number of episodes at once.
    """

    def __init__(self, number: int, seat: Seat, policy: Policy, mode: ActionMode, slots: int) -> None:
        self.number, self.policy, self._seat, self._mode, self._slots = number, policy, seat, mode, slots
        self.judge: Judge | None = None
        self._draws, self._state = Streams(slots), policy.initial_state(slots)
        self._sight: Sight | None = None
        self._hand: ActionAttacker | None = None
        self._world: DynamicsAttacker | None = None
        self._own = False  # whether the attack on what it sees is crafted on the policy itself
        self.attackers: list[tuple[int, Runner]] = []
        self._evaded: list[Watch] = []

    def attack(self, number: int, ref: AttackRef, surrogate: Policy | None, learned: Learned) -> None:
        """Puts an attack on the seat, which a judge watches from then on.

        Args:
            number: Of the attack in its cell, which tells its draws from those of others.
            ref: The attack with its budget.
            surrogate: Who it is crafted on; None for the policy itself.
            learned: What it and its schedule learned on tuning episodes.

        Raises:
            InvalidInput: It does not fit, or there is one already on what the seat sees, or does, or on its world.
        """
        made = make_attacker(ref, self.policy, surrogate, self._seat, self._slots, learned)
        self.arm(number, made, own=surrogate is None)
        self.judge = Judge(self.number, [attacker for _, attacker in self.attackers])

    def arm(self, number: int, made: Sight | ActionAttacker | DynamicsAttacker, *, own: bool) -> None:
        """Lets an attack work on the seat, with nobody to judge it; `own`: it is crafted on the policy that plays.

        Raises:
            InvalidInput: There is one already on what the seat sees, or does, or on its world.
        """
        before: Runner | None
        if isinstance(made, Sight):
            before, self._sight, self._own = self._sight, made, own
        elif isinstance(made, ActionAttacker):
            before, self._hand = self._hand, made
        else:
            before, self._world = self._world, made
        if before is not None:
            raise InvalidInput(
                f"--attack: two attacks on what the {self._seat.name} sees, or on what it does, or on its world; name "
                "one of each"
            )
        self.attackers.append((number, made))

    def evade(self, number: int, watch: Watch) -> None:
        """Lets the attack of a number ask a detector how suspicious it is, and that look on."""
        for other, attacker in self.attackers:
            if other == number:
                attacker.oracle.watch = watch
        self._evaded.append(watch)

    def begin(self, run: int, started: IntArray, episodes: IntArray) -> None:
        """Starts `episodes` of a run, by its seed, in the slots `started`: new draws, and a fresh memory."""
        fresh = torch.zeros(self._slots, dtype=torch.bool)
        fresh[started] = True
        for slot, episode in zip(started, episodes, strict=True):
            self._draws.restart(int(slot), seat_seed(run, int(episode), self.number))
        self._state = renewed(fresh, self.policy.initial_state(self._slots), self._state)
        for watch in self._evaded:
            watch.begin(started)
        for number, attacker in self.attackers:
            attacker.restart(started, [attack_seed(run, int(episode), number) for episode in episodes])

    def here(self, view: View) -> Here:
        """Where it stands before it acts."""
        return Here(self.policy, torch.as_tensor(view.obs).to(torch.float32), _legal(view), self._state)

    def act(self, view: View, active: BoolArray, episode: IntArray) -> Moment:
        """Acts for the whole batch; memory and draws go on only where the seat is to act.

        Args:
            view: What the seat sees.
            active: Slots that play.
            episode: Episode of each slot, -1 where it is idle.

        Returns:
            What it received, chose and did.
        """
        acting: BoolArray = active & view.turn
        self._draws.active = acting
        legal, before = _legal(view), self._state
        shown = torch.as_tensor(view.obs)  # on a GPU a copy, which the judge keeps to itself
        clean = shown.to(torch.float32, copy=True)
        received = clean if self._sight is None else self._received(self._sight, view, clean, acting, legal)
        lit = self._sight.lit if isinstance(self._sight, ScreenAttacker) else None
        looked = None if self.judge is None else self.judge.look(received, shown, acting, lit, view.pictures)
        out = self.policy(received, before, self._draws).among(legal)
        self._state = renewed(torch.as_tensor(acting), out.state, before)
        chosen = choose(out.actions, self._mode, self._draws)
        moment = Moment(
            seat=self.number, acting=acting, episode=np.where(acting, episode, -1), shown=view.obs, received=received,
            before=before, out=out, chosen=chosen, legal=legal, looked=looked,
            action=chosen if self._hand is None else self._hand(received, chosen, acting, legal),
            policy=self.policy, space=self._seat.observation, pictures=view.pictures,
            world=None if self._world is None else self._world.bent(),
            ask=lambda: out if self._sight is None else self._clean_output(self._sight, clean, before, legal),
        )  # fmt: skip
        for watch in self._evaded:
            watch.see(moment)
        return moment

    @staticmethod
    def _received(sight: Sight, view: View, clean: Tensor, acting: BoolArray, legal: Tensor | None) -> Tensor:
        if isinstance(sight, Attacker):
            return sight(clean, acting, legal)
        assert view.pictures is not None, "who plays a cell of that model makes the game so"
        return sight(clean, view.pictures, acting, legal)

    def _clean_output(self, sight: Sight, clean: Tensor, before: State, legal: Tensor | None) -> Output:
        """What the policy says of the truly clean view; free where its attack has asked for it already."""
        known = sight.oracle.known_clean_output if self._own else None
        return self.policy(clean, before).among(legal) if known is None else known


def _legal(view: View) -> Tensor | None:
    """What is legal, where the game tells; all where nothing is: the game is over, or another seat is to act."""
    if view.legal is None:
        return None
    return torch.as_tensor(view.legal | ~view.legal.any(axis=1, keepdims=True))
