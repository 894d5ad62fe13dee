"""Who learns in which seats of a game, against whom, and from whom on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlattack.errors import InvalidInput
from rlattack.evaluation.executor import cores
from rlattack.evaluation.study import Study
from rlattack.games import find_game, make_game
from rlattack.games.card import GameCard
from rlattack.games.game import PLAYER, Game, Seat
from rlattack.games.mujoco.ruleset import Sumo
from rlattack.games.swapped import SwappedDuel
from rlattack.policies.folder import read_agent_card
from rlattack.policies.gaussian import GaussianNetwork, GaussianPolicy
from rlattack.policies.load import Agent, agent_folder, load_agent
from rlattack.policies.placeholders import PLACEHOLDERS
from rlattack.training.recipes import BOTH, EACH, SeatRecipe, TrainAdversary, TrainSelfPlay, names


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where somebody learns.

    Attributes:
        name: Of the seat, or `both`.
        game: With the learner always in `seat`.
        seat: Number of the seat.
    """

    name: str
    game: Game
    seat: int

    @property
    def own(self) -> str:
        """The seat that an agent is for that learns here; any of them where it is nothing."""
        return "" if self.name == BOTH else self.name

    @property
    def others(self) -> list[int]:
        """Numbers of the other seats."""
        return [seat for seat in range(len(self.game.seats)) if seat != self.seat]


@dataclass(frozen=True, kw_only=True)
class Match:
    """Who learns, against whom, and from whom on.

    Attributes:
        card: The game.
        seat: Name of the learner's seat, `both` or `each`.
        places: One a learner.
        opponents: Who holds the other seats; nobody in self-play.
        init: Whom learning goes on from.
    """

    card: GameCard
    seat: str
    places: tuple[Place, ...]
    opponents: tuple[Agent, ...] = ()
    init: Agent | None = None

    @property
    def network(self) -> GaussianNetwork | None:
        """The weights that learning goes on from."""
        policy = None if self.init is None else self.init.policy
        return policy.network if isinstance(policy, GaussianPolicy) else None

    @property
    def origin(self) -> dict[str, str] | None:
        """What a card says of whom learning goes on from."""
        return None if self.init is None else {"id": self.init.name, "sha256": self.init.sha256}

    def study(self, recipe: SeatRecipe, agent: Path, seat: int, opponent: str, *, episodes: int, seed: int) -> Study:
        """The games of a trained agent in a seat, with an opponent in all others."""
        seats = [one.name for one in self.places[0].game.seats]
        players = tuple(str(agent) if number == seat else opponent for number in range(len(seats)))
        return Study(
            game=recipe.game, players=players, victim=seats[seat], episodes=episodes, seed=seed, trust=recipe.trust
        )


def match_adversary(recipe: TrainAdversary) -> Match:
    """Seats the victim, and the adversary opposite.

    Raises:
        InvalidInput: A game of one seat, an unknown seat, an `init` that cannot be trained, or a victim of another
            game or seat, or of none.
    """
    card, game = _open(recipe)
    if recipe.victim in PLACEHOLDERS:
        raise InvalidInput(
            f"--victim: expected an agent, got {recipe.victim!r}, which is none: there is nothing to find out"
        )
    seats = [seat.name for seat in game.seats]
    if recipe.seat is not None and recipe.seat not in seats:
        raise InvalidInput(f"--seat: expected {' or '.join(seats)}, got {recipe.seat!r}")
    own = own_seat(recipe.victim)
    if recipe.seat is not None and recipe.seat == own:
        raise InvalidInput(f"--seat {recipe.seat}: that is the victim's; leave it out to take the other")
    seat = recipe.seat or next((name for name in seats if own in seats and name != own), seats[-1])
    return _match(recipe, card, game, seat, [recipe.victim], "--victim")


def match_self_play(recipe: TrainSelfPlay) -> Match:
    """Seats the learners, and their opponents where they are named.

    The seat is by default that of `init`; else in self-play `both`, or `each` where the seats are different roles, and
    against opponents the last one.

    Raises:
        InvalidInput: A game of one seat, an unknown seat, or players that do not fit.
    """
    card, game = _open(recipe)
    opponents = names(recipe.opponents)
    seats = [seat.name for seat in game.seats]
    seat = recipe.seat or _default_seat(recipe, card, game)
    if seat not in (*seats, BOTH, EACH):
        raise InvalidInput(f"--seat: expected {', '.join(seats)}, {BOTH} or {EACH}, got {seat!r}")
    if seat == EACH:
        if opponents or recipe.init:
            raise InvalidInput(f"--seat {EACH}: two learners that meet each other take no --opponents and no --init")
        if len(seats) != 2:
            raise InvalidInput(f"--seat {EACH}: expected a game of two seats, got {len(seats)}; name --opponents")
        both = enumerate((game, _open(recipe)[1]))  # each keeps games of its own while it is the other's turn
        places = tuple(Place(name=seats[number], game=own, seat=number) for number, own in both)
        return Match(card=card, seat=seat, places=places)
    if not opponents and seat != BOTH and _roles(card, game):
        raise InvalidInput(
            f"--seat {seat}: the seats of {card.id} are different roles, so nobody meets its own past there; "
            f"choose --seat {EACH}, or name --opponents"
        )
    return _match(recipe, card, game, seat, opponents, "--opponents")


def load_init(name: str, seat: Seat, card: GameCard, option: str = "--init") -> Agent:
    """Loads the agent that a learner in that seat goes on from.

    Raises:
        InvalidInput: No Gaussian network without memory, or an agent of another game, seat or shape.
    """
    if name in PLACEHOLDERS:
        raise InvalidInput(f"{option}: expected an agent, got {name!r}, which has no weights")
    loaded = load_agent(name, seat, game=card.id, way_out=f"{option} takes an agent of the learner's seat")
    if not isinstance(loaded.policy, GaussianPolicy):
        raise InvalidInput(f"{option} {name}: expected a Gaussian network, for continuous actions")
    if loaded.policy.network.spec.memory:
        raise InvalidInput(
            f"{option} {name}: has a memory (LSTM), which is not supported here: it can only be an opponent"
        )
    return loaded


def _open(recipe: TrainAdversary | TrainSelfPlay) -> tuple[GameCard, Game]:
    card = find_game(recipe.game)
    game = None if card.seats == (PLAYER,) else make_game(card, recipe.envs, threads=recipe.threads or cores())
    if game is None or len(game.seats) == 1:
        raise InvalidInput(
            f"game {card.id} has one seat, so nobody to meet there: choose one of two, as mujoco/sumo-ants"
        )
    return card, game


def _match(
    recipe: SeatRecipe, card: GameCard, game: Game, seat: str, opponents: Sequence[str], option: str
) -> Match:  # fmt: skip
    """One learner and whom it meets, as `option` names them; of who plays both seats, all others have to fit both."""
    held = [one for one in game.seats if seat in (one.name, BOTH)]
    others = held if seat == BOTH else [one for one in game.seats if one.name != seat]
    place = Place(name=seat, game=SwappedDuel(game) if seat == BOTH else game, seat=game.seats.index(held[0]))

    def load(name: str) -> Agent:
        way_out = f"{option} takes agents of the other seat"
        return [load_agent(name, one, game=card.id, trust=recipe.trust, way_out=way_out) for one in others][-1]

    met = tuple(load(name) for name in opponents)
    init = None if recipe.init is None else [load_init(recipe.init, one, card) for one in held][-1]
    return Match(card=card, seat=seat, places=(place,), opponents=met, init=init)


def own_seat(name: str) -> str:
    """The seat that an agent was trained for; nothing where its card names none, or there is no card."""
    folder = agent_folder(name)
    return "" if folder is None else read_agent_card(folder).seat


def _default_seat(recipe: TrainSelfPlay, card: GameCard, game: Game) -> str:
    seats = [seat.name for seat in game.seats]
    own = "" if recipe.init is None else own_seat(recipe.init)
    if own in seats:
        return own
    if recipe.opponents is None and not _roles(card, game):
        return BOTH  # its past holds the other seat, so it has to know that one too
    return EACH if recipe.opponents is None and recipe.init is None else seats[-1]


def _roles(card: GameCard, game: Game) -> bool:
    """Whether a player of one seat is none for another: in MuJoCo games but sumo, it is, or runs the other way."""
    spaces = [(seat.observation, seat.action) for seat in game.seats]
    differ = any(pair != spaces[0] for pair in spaces[1:])
    return differ or (card.mujoco is not None and not isinstance(card.mujoco.rules, Sumo))
