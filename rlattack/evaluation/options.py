"""Options that commands share, each spelled and documented once."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Plugins:
    """What every command takes that names games, agents or attacks."""

    plugin: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODULE ...")] = ()
    """Modules of your own to import first, in workers too: what they register (environments, attacks, importers) can be
    named."""


@dataclass(frozen=True, kw_only=True)
class PlayOptions(Plugins):
    """The game as it is played, and what stands before the victim: what whoever lets it play or looks into it takes."""

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game to play, as `rlattack list games` shows: atari/pong, gymnasium/CartPole-v1, mujoco/you-shall-not-pass."""
    defence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FRONT[:key=value,...] ...")] = ()
    """What stands before the victim, in order, as jpeg:quality=75; attacks go through it."""
    actions: Literal["card", "sampled", "greedy"] = "card"
    """How players choose; `card`: as the game's card says, which for those that act by Q values means greedy."""
    sticky: float | None = None
    """Probability that the emulator repeats the last action; the card's by default."""
    env_args: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE ...")] = ()
    """Arguments of a Gymnasium environment, as continuous=true map_name=8x8, or of a control task, as rules=v4; values
    as in JSON, else text."""
    frame_stack: int | None = None
    """Observations of a Gymnasium environment, or frames of an Atari game, that are stacked, oldest first, as
    VecFrameStack does; the card's by default."""
    channels: Literal["as-shown", "first"] | None = None
    """first: pictures (height, width, channels) of a Gymnasium environment are shown as (channels, height, width), as
    agents of Stable-Baselines3 see them; the card's by default."""
    max_steps: int | None = None
    """Steps after which an episode is cut, for a game that may never end; the game's own limit by default."""
    seed: int = 0
    """Of the run: starts, sampled actions and random attacks come from it."""
    envs: int = 8
    """Episodes at once in a worker; part of the configuration."""
    device: str = "cpu"
    """cpu, or cuda for the victim, the attacks and the judge on a GPU, in one process: raise --envs, as to 256. A GPU
    rounds otherwise, so its results are its own, and say so."""
    normaliser: Annotated[str, tyro.conf.arg(metavar="FILE|none")] = ""
    """Statistics of what the victim saw in training, such as vecnormalize.pkl; by default those beside its file."""
    trust: bool = False
    """Load files that can only be read by running their code."""
