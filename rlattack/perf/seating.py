"""Who plays what is measured: a victim in its seat of a game, and random players in all others."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from rlattack.errors import InvalidInput
from rlattack.evaluation.cell import AgentRef, AttackRef, Cell
from rlattack.evaluation.play import Play
from rlattack.games import Variant, find_game, make_game, with_variant
from rlattack.games.card import ActionMode, GameCard
from rlattack.games.game import Game, Seat
from rlattack.policies.load import Agent, agent_options, load_agent
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.policies.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Seating:
    """A victim in its seat, as processes are told of it.

    Attributes:
        card: The game, with the options that the victim's card asks for.
        victim: An agent's id or folder.
        seat: Number of the victim's seat.
        seats: Number of seats.
        trust: Whether files that can only be read by running their code may be loaded.
    """

    card: GameCard
    victim: str
    seat: int
    seats: int
    trust: bool = False

    @classmethod
    def of(cls, game: str, victim: str, *, trust: bool = False) -> "Seating":
        """Seats a victim: in the first seat that it fits.

        Args:
            game: Id of the game.
            victim: An agent's id or folder.
            trust: Whether files that can only be read by running their code may be loaded.

        Raises:
            InvalidInput: A victim that is no agent, or fits no seat of the game.
            RlattackError: The victim or the game cannot be loaded.
        """
        if victim in PLACEHOLDERS:
            raise InvalidInput(f"--victim: expected an agent, got {victim!r}, which is none: it looks at nothing")
        card = with_variant(find_game(game), options=agent_options(victim))
        seats = _seats(card)
        seat = _fitting(victim, seats, card.id, trust)
        return cls(card=card, victim=victim, seat=seat, seats=len(seats), trust=trust)

    def agents(self) -> list[Agent]:
        """Loads who holds each seat."""
        return [
            load_agent(self.victim if number == self.seat else "random", seat, game=self.card.id, trust=self.trust)
            for number, seat in enumerate(_seats(self.card))
        ]

    def modes(self, agents: Sequence[Agent]) -> tuple[ActionMode, ...]:
        """How each player chooses its actions: as the game's card says, unless it knows one way only."""
        return tuple(agent.policy.acts or self.card.protocol.actions for agent in agents)

    def endless(
        self, agents: Sequence[Agent], game: Game, policies: Sequence[Policy], attacks: tuple[AttackRef, ...] = ()
    ) -> Play:
        """Lets episodes follow each other in every slot: those of a cell of seed 0, whose end never comes.

        Args:
            agents: Who holds each seat.
            game: Where they play.
            policies: What plays for them.
            attacks: What works on the victim.
        """
        numbers = [itertools.count(slot, game.slots) for slot in range(game.slots)]
        cell = Cell(
            game=Variant(self.card), seats=tuple(seat.name for seat in game.seats), victim=self.seat, attacks=attacks,
            players=tuple(AgentRef.of(agent.name, agent, self.trust) for agent in agents), actions=self.modes(agents),
            seed=0, episodes=1, envs=game.slots,
        )  # fmt: skip
        return Play(cell, game, policies, lambda slot: next(numbers[slot]))


def _seats(card: GameCard) -> tuple[Seat, ...]:
    game = make_game(card, 1)
    game.close()
    return game.seats


def _fitting(victim: str, seats: Sequence[Seat], game: str, trust: bool) -> int:
    refusals = []
    for number, seat in enumerate(seats):
        try:
            load_agent(victim, seat, game=game, trust=trust)
        except InvalidInput as error:
            refusals.append(error)
        else:
            return number
    raise refusals[0]
