"""A run of self-play from its opponents to its agents: one learner in its seat, or one a seat in turn."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlattack.errors import InvalidInput
from rlattack.games import find_game
from rlattack.games.card import GameCard
from rlattack.games.duel import DuelGame
from rlattack.games.find import make_duel
from rlattack.games.mujoco.card import Sumo
from rlattack.games.opponent import EmbeddedVectorEnv, EmbedOpponent
from rlattack.games.swapped import SwappedDuel
from rlattack.policies.folder import AgentCard, AnyNetwork, load_agent, read_agent_card, save_agent
from rlattack.policies.load import agent_folder
from rlattack.policies.player import LoadedPlayer, load_player
from rlattack.training.adversary import Trained, check_steps, train_adversary
from rlattack.training.adversary_learner import export_adversary, make_adversary
from rlattack.training.adversary_session import init_network, load_init
from rlattack.training.checkpoint import load_checkpoint
from rlattack.training.coach import Coach
from rlattack.training.config import TrainSelfPlay
from rlattack.training.past import Past
from rlattack.training.pool import Pool
from rlattack.training.session import Session, check_place, check_run, open_run
from rlattack.training.vecenv import DuelVecEnv

__all__ = ["BOTH", "EACH", "Learner", "Match", "match", "part", "rivals", "train_self_play"]

BOTH, EACH = "both", "each"
"""In place of a seat: one learner that plays both, and a learner in each."""
_PAST = "past"
Tell = Callable[[str, int, float | None], None]
"""Called between updates with the seat, the steps done, and the share of the last 500 games that were won."""


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One who learns."""

    name: str
    """Of its seat, or `both`."""
    duel: DuelGame
    """With the learner always in `seat`."""
    seat: int


@dataclass(frozen=True, kw_only=True)
class Match:
    """Who learns in which seats of a game, against whom, from whom on."""

    card: GameCard
    seat: str
    """As the configuration names it."""
    learners: tuple[Learner, ...]
    opponents: tuple[LoadedPlayer, ...] = ()
    """Fixed ones; none in self-play."""
    init: LoadedPlayer | None = None


def match(
    game: str, *, seat: str | None = None, opponents: tuple[str, ...] = (), init: str | None = None, envs: int = 64,
    threads: int = 1, trust: bool = False,
) -> Match:  # fmt: skip
    """Seats the learners.

    Args:
        game: Id of a game of two seats.
        seat: Name of the learner's seat, `both` or `each`; by default that of `init`; else in self-play `both`, or
            `each` where the seats are different roles, and against opponents the second.
        opponents: Players to learn against; none for the learner's own past.
        init: An agent that the learner goes on from.
        envs: Games at once.
        threads: That step them; changes no result.
        trust: See `load_player`.

    Raises:
        InvalidInput: A game of one seat, an unknown seat, or players that do not fit.
        RlattackError: A player or the game cannot be loaded.
    """
    card = find_game(game)
    if not card.duel:
        raise InvalidInput(f"game {game} has one seat, so nobody to meet there: choose one of two, as mujoco/sumo-ants")
    duel = make_duel(card, envs, threads=threads)
    seat = seat or _default(card, duel, bool(opponents), init)
    if seat not in (*duel.seats, BOTH, EACH):
        raise InvalidInput(f"--seat: expected {', '.join(duel.seats)}, {BOTH} or {EACH}, got {seat!r}")
    if seat == EACH and (opponents or init):
        raise InvalidInput(f"--seat {EACH}: two learners that meet each other take no --opponents and no --init")
    if seat == EACH:
        other = make_duel(card, envs, threads=threads)  # each keeps games of its own while it is the other's turn
        learners = tuple(
            Learner(name=name, duel=own, seat=index)
            for index, (name, own) in enumerate(zip(duel.seats, (duel, other), strict=True))
        )
        return Match(card=card, seat=seat, learners=learners)
    return _single(card, duel, seat, opponents, init, trust=trust)


def _single(
    card: GameCard, duel: DuelGame, seat: str, opponents: tuple[str, ...], init: str | None, *, trust: bool
) -> Match:
    held = [0, 1] if seat == BOTH else [duel.seats.index(seat)]
    game = SwappedDuel(duel) if seat == BOTH else duel
    if not opponents and seat != BOTH and _roles(card, duel):
        raise InvalidInput(
            f"--seat {seat}: the seats of {card.id} are different roles, so nobody meets its own past there; "
            f"choose --seat {EACH}, or name --opponents"
        )
    met: tuple[LoadedPlayer, ...] = ()
    for index in held:  # who meets a learner of both seats has to fit both
        spaces = duel.observation_spaces[1 - index], duel.action_spaces[1 - index]
        met = tuple(
            load_player(
                name, card.id, duel.seats[1 - index], *spaces, trust=trust,
                way_out="--opponents takes agents of the other seat",
            )
            for name in opponents
        )  # fmt: skip
    first = None
    for index in held if init is not None else ():
        first = load_init(str(init), card.id, duel, index)
    learner = Learner(name=seat, duel=game, seat=held[0])
    return Match(card=card, seat=seat, learners=(learner,), opponents=met, init=first)


def _default(card: GameCard, duel: DuelGame, fixed: bool, init: str | None) -> str:
    folder = None if init is None else agent_folder(init)
    own = "" if folder is None else read_agent_card(folder).seat
    if own in duel.seats:
        return own
    if not fixed and not _roles(card, duel):
        return BOTH  # its past holds the other seat, so it has to know that one too
    return duel.seats[1] if fixed or init is not None else EACH


def _roles(card: GameCard, duel: DuelGame) -> bool:
    """Whether a player of one seat is none for the other: in MuJoCo games but sumo, it is, or runs the other way."""
    differ = any(first != second for first, second in (duel.observation_spaces, duel.action_spaces))
    return differ or (card.mujoco is not None and not isinstance(card.mujoco.rules, Sumo))


def train_self_play(session: Session, arranged: Match, tell: Tell) -> list[Trained]:
    """Trains the learners, in turns where there are two, or goes on with them.

    Args:
        session: Of a `TrainSelfPlay`.
        arranged: Who learns against whom.
        tell: See `Tell`.

    Returns:
        Of every learner what became of it; its agent lies in the run's folder of its name.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: The place of an agent is taken, or the game cannot be learned from.
        RefusedFile: A checkpoint or snapshot that cannot be gone on from.
        Unwritable: A folder cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    torch.set_num_threads(1)
    config = session.config
    assert isinstance(config, TrainSelfPlay)
    check_run(session)
    parts = [part(session, arranged, learner) for learner in arranged.learners]
    for own in parts:
        check_place(own.agent, own.run, f"{config.game}/victim")
    check_steps(config, [own.run for own in parts])
    rooms = [_Room(session, config, arranged, learner) for learner in arranged.learners]
    open_run(session, arranged.card)
    if len(rooms) == 1:
        trained = [rooms[0].train(None, None, tell)]
    else:
        for room in rooms:  # so that the first finds somebody to meet
            room.begin()
        turn = config.batch * config.turns
        for until, index in itertools.product(range(turn, config.steps + turn, turn), (0, 1)):
            rooms[index].train(min(until, config.steps), rooms[1 - index], tell)
        trained = [room.train(None, other, tell) for room, other in zip(rooms, rooms[::-1], strict=True)]
    for room, one in zip(rooms, trained, strict=True):
        agent, network = load_agent(one.folder)
        provenance = {"command": session.command, **agent.provenance}
        save_agent(room.folder / "agent", dataclasses.replace(agent, provenance=provenance), network)
    return trained


def part(session: Session, arranged: Match, learner: Learner) -> Session:
    """The share of a run that is one learner's: its folder, and the id of its agent."""
    agent = session.agent if len(arranged.learners) == 1 else f"{session.agent}/{learner.name}"
    return dataclasses.replace(session, run=session.run / learner.name, agent=agent)


def rivals(session: Session, arranged: Match, learner: Learner) -> list[str]:
    """Whom a trained learner is judged against: its fixed opponents, the other learner, or the random player.

    Its own past would be the nearest rival, but stays in the run; a card's score is one that anybody can play again.
    """
    if arranged.opponents:
        return [one.name for one in arranged.opponents]
    others = [str(session.run / other.name / "agent") for other in arranged.learners if other.name != learner.name]
    return others or ["random"]


class _Room:
    """Where one learner trains: its game, whom it meets, its folder."""

    def __init__(self, session: Session, config: TrainSelfPlay, arranged: Match, learner: Learner) -> None:
        self.folder = session.run / learner.name
        self._config = dataclasses.replace(config, seat=learner.name)
        self._card, self._name, self._init = arranged.card, learner.name, init_network(arranged.init)
        self._fixed = bool(arranged.opponents)
        self._pool = Pool(config.seed, [(index, one.player) for index, one in enumerate(arranged.opponents)])
        self._env: EmbeddedVectorEnv = EmbedOpponent(learner.duel, learner.seat, self._pool)
        # a game that cannot be learned is refused before a file is made
        self._fresh = make_adversary(self._config, DuelVecEnv(self._env), config.seed, self._init)

    def begin(self) -> None:
        """Leaves a first snapshot."""
        past = self._past(None)
        if past.due(0):
            past.add(0, *self._export(self._fresh))

    def train(self, until: int | None, other: "_Room | None", tell: Tell) -> Trained:
        """Trains until so many steps, against fixed opponents, the other's past, or the learner's own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = load_checkpoint(self.folder)
        own = None if self._fixed else self._past(0 if found is None else found.steps)
        coach = Coach(
            self._config, self._env, self._pool, self._export, own=own, met=own if other is None else other._past(None)
        )
        return train_adversary(
            self._config, self._config.seed, self._card, self._env, self.folder,
            lambda _, steps, win: tell(self._name, steps, win), init=self._init, coach=coach, until=until,
        )  # fmt: skip

    def _past(self, until: int | None) -> Past:
        every = self._config.snapshot_every * self._config.batch
        return Past(self.folder / _PAST, delta=self._config.delta, every=every, until=until)

    def _export(self, learner: OnPolicyAlgorithm) -> tuple[AgentCard, AnyNetwork]:
        return export_adversary(learner, self._config, self._config.seed, self._card)
