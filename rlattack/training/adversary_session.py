"""A run of adversaries from its victim to its agent: who sits where, a folder a seed, the best of them."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rlattack.errors import InvalidInput
from rlattack.files import write_whole
from rlattack.games import find_game
from rlattack.games.card import GameCard
from rlattack.games.duel import DuelGame
from rlattack.games.find import make_duel
from rlattack.games.opponent import EmbedOpponent
from rlattack.policies.folder import load_agent, read_agent_card, save_agent
from rlattack.policies.gaussian import GaussianNetwork
from rlattack.policies.load import agent_folder
from rlattack.policies.player import PLACEHOLDERS, GaussianPlayer, LoadedPlayer, load_player
from rlattack.training.adversary import Tell, Trained, check_steps, train_adversary
from rlattack.training.adversary_learner import make_adversary
from rlattack.training.config import TrainAdversary
from rlattack.training.session import Session, check_place, check_run, open_run
from rlattack.training.vecenv import DuelVecEnv

__all__ = ["Contest", "choose", "contest", "init_network", "load_init", "train_adversaries"]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A victim in its seat of a game, and the seat of who learns against it."""

    card: GameCard
    duel: DuelGame
    seat: int
    """The learner's."""
    victim: LoadedPlayer
    init: LoadedPlayer | None = None
    """Whom learning goes on from."""

    def seated(self, learner: str, victim: str) -> tuple[str, str]:
        """Names of players in the order of the seats."""
        return (learner, victim) if self.seat == 0 else (victim, learner)


def contest(
    game: str, victim: str, *, seat: str | None = None, init: str | None = None, envs: int = 64, threads: int = 1,
    trust: bool = False,
) -> Contest:  # fmt: skip
    """Seats a victim.

    Args:
        game: Id of a game of two seats.
        victim: An agent.
        seat: Name of the learner's seat; by default the one that the victim was not trained for, or the second.
        init: An agent that the learner goes on from.
        envs: Games at once.
        threads: That step them; changes no result.
        trust: See `load_player`.

    Raises:
        InvalidInput: A game of one seat, an unknown seat, an `init` that cannot be trained, or a victim of another
            game or seat, or of none.
        RlattackError: The victim or the game cannot be loaded.
    """
    card = find_game(game)
    if not card.duel:
        raise InvalidInput(f"game {game} has one seat, so nobody to meet there: choose one of two, as mujoco/sumo-ants")
    if victim in PLACEHOLDERS:
        raise InvalidInput(f"--victim: expected an agent, got {victim!r}, which is none: there is nothing to find out")
    duel = make_duel(card, envs, threads=threads)
    if seat is not None and seat not in duel.seats:
        raise InvalidInput(f"--seat: expected {' or '.join(duel.seats)}, got {seat!r}")
    folder = agent_folder(victim)
    own = read_agent_card(folder).seat if folder is not None else ""
    if seat is not None and seat == own:
        raise InvalidInput(f"--seat {seat}: that is the victim's; leave it out to take the other")
    learner = 1 - duel.seats.index(own) if own in duel.seats else 1
    if seat is not None:
        learner = duel.seats.index(seat)
    spaces = duel.observation_spaces[1 - learner], duel.action_spaces[1 - learner]
    loaded = load_player(victim, game, duel.seats[1 - learner], *spaces, trust=trust)
    first = None if init is None else load_init(init, card.id, duel, learner)
    return Contest(card=card, duel=duel, seat=learner, victim=loaded, init=first)


def load_init(name: str, game: str, duel: DuelGame, seat: int, *, option: str = "--init") -> LoadedPlayer:
    """Loads the agent that a learner in that seat goes on from.

    Raises:
        InvalidInput: No Gaussian network without memory, or an agent of another game, seat or shape.
        RlattackError: It cannot be loaded.
    """
    if name in PLACEHOLDERS:
        raise InvalidInput(f"{option}: expected an agent, got {name!r}, which has no weights")
    loaded = load_player(
        name, game, duel.seats[seat], duel.observation_spaces[seat], duel.action_spaces[seat],
        way_out=f"{option} takes an agent of the learner's seat",
    )  # fmt: skip
    network = init_network(loaded)
    if network is None:
        raise InvalidInput(f"{option} {name}: expected a Gaussian network, for continuous actions")
    if network.spec.memory:
        raise InvalidInput(
            f"{option} {name}: has a memory (LSTM), which is not supported here: it can only be an opponent"
        )
    return loaded


def init_network(init: LoadedPlayer | None) -> GaussianNetwork | None:
    """The weights that learning goes on from."""
    if init is None or not isinstance(init.player, GaussianPlayer):
        return None
    return init.player.policy.network


def train_adversaries(session: Session, against: Contest, tell: Tell) -> list[Trained]:
    """Trains an adversary a seed, one after the other, or goes on with them.

    Args:
        session: Of a `TrainAdversary`.
        against: The victim in its seat.
        tell: See `Tell`.

    Raises:
        RunConflict: The run folder holds another training, or this one and `resume` was not asked for.
        InvalidInput: The place of the agent is taken, or the game cannot be learned from.
        RefusedFile: A checkpoint that cannot be gone on from.
        Unwritable: A folder cannot be written.
        KeyboardInterrupt: Ctrl-C, after a checkpoint was written.
    """
    torch.set_num_threads(1)
    config = session.config
    assert isinstance(config, TrainAdversary)
    check_run(session)
    check_place(session.agent, session.run, f"{config.game}/adversary")
    env = EmbedOpponent(against.duel, against.seat, against.victim.player, sparse=config.sparse, dense=config.dense)
    init = init_network(against.init)
    check_steps(config, [session.run / f"seed-{seed}" for seed in config.seeds])
    make_adversary(config, DuelVecEnv(env), 0, init)  # a game that cannot be learned is refused before a file is made
    open_run(session, against.card)
    trained = []
    for seed in config.seeds:
        folder = session.run / f"seed-{seed}"
        folder.mkdir(exist_ok=True)
        trained.append(train_adversary(config, seed, against.card, env, folder, tell, init=init))
    return trained


def choose(session: Session, trained: Sequence[Trained], tuning: Sequence[dict[str, Any]]) -> Trained:
    """Makes the best seed the run's agent, and writes how all of them did.

    Args:
        session: What was trained.
        trained: Every seed.
        tuning: Of each, what it reached in tuning games: `win` with `rate`, and the like; empty with a single seed.

    Returns:
        The seed with the highest win rate; of equal ones the first.

    Raises:
        Unwritable: The run folder cannot be written.
    """
    rates = [found["win"]["rate"] for found in tuning] or [0.0]
    best = trained[rates.index(max(rates))]
    agent, network = load_agent(best.folder)
    rows = [
        {"seed": one.seed, "steps": one.steps, "cut": one.cut}
        | ({} if one.win is None else {"training_win_rate": one.win})
        | ({"tuning_win_rate": rates[index]} if tuning else {})
        for index, one in enumerate(trained)
    ]
    write_whole(session.run / "seeds.json", json.dumps(rows, indent=1).encode())
    provenance = {"command": session.command, **agent.provenance, "tried": rows}
    save_agent(session.run / "agent", dataclasses.replace(agent, provenance=provenance), network)
    return best
