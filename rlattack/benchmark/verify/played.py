"""Checks one cell by its ledger: its actions are played again, its sizes measured anew, its agents asked anew."""

from collections.abc import Iterator

from rlattack.benchmark.verify.account import Account
from rlattack.benchmark.verify.checks import Check, found, skipped
from rlattack.benchmark.verify.players import Players, Swapped
from rlattack.benchmark.verify.reaches import Reaches
from rlattack.benchmark.verify.replay import replayed
from rlattack.benchmark.verify.sayings import asked_anew
from rlattack.benchmark.verify.settings import unlike_account, unlike_card
from rlattack.errors import RlattackError
from rlattack.evaluation.results import Result
from rlattack.games.find import make_game
from rlattack.games.game import Seat
from rlattack.policies.load import Agent
from rlattack.policies.policy import Policy

CHECKS = ("settings", "replay", "shown", "reach", "range", "said")


def played_checks(account: Account, result: Result, players: Players) -> Iterator[Check]:
    """What a ledger allows to check of its cell.

    Args:
        account: What the ledger says.
        result: What results.json says.
        players: Who loads the agents.
    """
    game, key = account.game.card, account.key
    named = (game.id, game.gymnasium.env)
    if not players.trust and any(":" in name for name in named):
        why = f"game {game.id} is code of somebody's, which only --trust runs"
        yield from (skipped(name, why, key) for name in CHECKS)
        return
    try:
        other, unlike = replayed(account)
        made = make_game(account.game, 1)
        made.close()
    except RlattackError as error:
        yield from (skipped(name, str(error), key) for name in CHECKS)
        return
    yield found("replay", other, key)
    yield found("shown", unlike, key)
    yield from _Seated(account, result, players, tuple(made.seats)).checks()


class _Seated:
    """A cell with its agents in their seats."""

    def __init__(self, account: Account, result: Result, players: Players, seats: tuple[Seat, ...]) -> None:
        self._account, self._result, self._players, self._seats = account, result, players, seats
        self._problems: list[str] = []
        self._skipped: dict[str, None] = {}

    def checks(self) -> Iterator[Check]:
        """Of settings, reach, range and what is said."""
        key = self._account.key
        if len(self._seats) != len(self._account.seats) or not self._shapes_fit():
            yield found("reach", ["what was shown has another shape than the game's"], key)
            return
        policies = [self._policy(seat) for seat in range(len(self._seats))]
        reaches = Reaches(self._account, self._seats, policies)
        reaches.measure()
        yield found("settings", unlike_account(self._result, self._account, reaches.radii) + self._card(), key)
        left = list(reaches.skipped)
        yield skipped("reach", left[0], key) if left and not reaches.unlike else found("reach", reaches.unlike, key)
        yield found("range", reaches.outside, key)
        if reaches.noise_drawn:
            yield found("control", reaches.not_noise, key)
        yield self._said(policies)

    def _shapes_fit(self) -> bool:
        there = [seat for seat in range(len(self._seats)) if self._account.has(f"shown.{seat}")]
        shapes = [
            (self._account.array(f"shown.{seat}").shape[1:], self._seats[seat].observation.shape) for seat in there
        ]
        return all(own == expected for own, expected in shapes)

    def _policy(self, seat: int) -> Policy | None:
        told, identity = self._account.about["players"][seat], self._account.identity["players"][seat]
        try:
            held = self._players.seated(told, identity, self._seats[seat], self._account.game.card.id)
        except Swapped as error:
            self._problems.append(str(error))
            return None
        except RlattackError as error:
            self._problems.append(f"{told['spec']}: {error}")
            return None
        if isinstance(held, str):
            self._skipped[held] = None
            return None
        return held

    def _card(self) -> list[str]:
        """What results.json says otherwise of the victim than its card."""
        victim = int(self._account.about["victim"])
        told = self._account.about["players"][victim]
        try:
            agent = self._players.load(
                told["spec"], self._seats[victim], self._account.game.card.id, told["normaliser"]
            )
        except RlattackError:  # told of what it says
            return []
        return unlike_card(self._result, agent) if isinstance(agent, Agent) else []

    def _said(self, policies: list[Policy | None]) -> Check:
        problems, key = list(self._problems), self._account.key
        for seat, policy in enumerate(policies):
            if policy is not None and self._account.has(f"shown.{seat}"):
                other, why = asked_anew(self._account, seat, policy)
                problems += other
                self._skipped |= {why: None} if why else {}
        if problems or not self._skipped:
            return found("said", problems, key)
        return skipped("said", "; ".join(self._skipped), key)
