"""The game of a perturber: it acts on what a frozen victim sees or does, and is paid minus what that one is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from rlattack.arrays import Array, BoolArray, FloatArray
from rlattack.attacks import ActionAttack, ActionAttacker, Attacker, ObservationAttack
from rlattack.attacks.attack import Setting
from rlattack.attacks.learned import Learned
from rlattack.device import on
from rlattack.evaluation.player import Player
from rlattack.games.card import ActionMode
from rlattack.games.game import Game, Seat
from rlattack.games.solo import Solo
from rlattack.policies.policy import Policy


class Perturbing(Solo):
    """A game for who perturbs what a player of it sees (Zhang et al. 2020, lemma 1) or does (Tessler et al. 2019).

    The perturber sees what the game shows and says numbers in [-1, 1]. The attack makes of them what the victim
    receives (Sun et al. 2022, sec. 4.1, too), or what is done in its place, within its budget and as in an evaluation:
    the victim has its memory, its draws and its own way to choose.

    Args:
        game: The game.
        attack: What is made of what the perturber says.
        victim: Who is perturbed, on the device where it computes.
        mode: How it chooses.
        device: Where victim and attack compute.
        seat: Number of the victim's.
        opponents: Hold the other seats, on the CPU; then what is paid on the way does not count.
        greedy: Whether they play their most likely actions.

    Attributes:
        pay: Pays in place of that for what was truly shown, what was done and what was shown then, a row a slot.

    Raises:
        RlattackError: Attack, budget and victim do not fit.
    """

    pay: Callable[[Array, Array, Array], FloatArray] | None = None

    def __init__(
        self, game: Game, attack: Learned[Any], victim: Policy, mode: ActionMode, device: str = "cpu", *, seat: int = 0,
        opponents: Mapping[int, Policy] | None = None, greedy: bool = False,
    ) -> None:  # fmt: skip
        self._device, self._mode, place = device, mode, game.seats[seat]
        self._player = self._seated(game, seat, attack, victim)
        with on(device):
            says = attack.outputs(Setting.of(victim, place.observation))
        super().__init__(game, seat, opponents or {}, sparse=-1.0, dense=0.0 if opponents else -1.0, greedy=greedy)
        self.single_action_space = Box(-1.0, 1.0, (says,), np.float32)
        self.action_space = batch_space(self.single_action_space, game.slots)

    def meet(self, attack: Learned[Any], victim: Policy) -> None:
        """Lets another victim, or the same one that has learned, go on with the games that are played.

        Args:
            attack: As the first one, of any size.
            victim: Without a memory, on the same device.
        """
        self._player = self._seated(self.game, self.seat, attack, victim)
        if self._views:
            with on(self._device):
                self._player.begin(self._run, np.arange(self.num_envs), self._episodes)

    def _seated(self, game: Game, seat: int, attack: Learned[Any], victim: Policy) -> Player:
        attack.tell = lambda obs: self._said
        place = game.seats[seat]
        with on(self._device):
            player = Player(seat, place, victim, self._mode, game.slots)
            player.arm(0, _at_work(attack, victim, place, game.slots), own=True)
        return player

    def _seed(self, seed: int | Sequence[int] | None) -> None:
        super()._seed(seed)
        self._run = int(self._games.integers(2**31))
        self._episodes = np.zeros(self.num_envs, dtype=np.int64)
        self._begun = 0

    def _begin(self, mask: BoolArray) -> None:
        """Starts games, each an episode of the victim with draws of its own."""
        started = np.flatnonzero(mask)
        self._episodes[started] = self._begun + np.arange(len(started))
        self._begun += len(started)
        with on(self._device):
            self._player.begin(self._run, started, self._episodes[started])
        super()._begin(mask)

    def _play(self, actions: Array) -> Any:  # what came of a turn, which is Solo's own
        with on(self._device), torch.no_grad():
            self._said = torch.as_tensor(actions, dtype=torch.float32)
            done = self._player.act(self._view, self._all, self._episodes).action.numpy(force=True).copy()
        if self.pay is None:
            return super()._play(done)
        shown, did = self._view.obs.copy(), done.copy()
        turn = super()._play(done)
        turn.earned[:] = self.pay(shown, did, self._view.obs)
        return turn


def _at_work(attack: Learned[Any], victim: Policy, place: Seat, slots: int) -> Attacker | ActionAttacker:
    """An attack on what the victim sees, or on what it does."""
    if isinstance(attack, ActionAttack):
        return ActionAttacker(attack, victim, place.action, slots)
    assert isinstance(attack, ObservationAttack), "there are no others"
    return Attacker(attack, victim, place.observation, slots)
