"""`rlattack train defended`: hardens a victim against its adversary, attacks it anew, and shows the staircase."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from rlattack.cli.duel import Duel
from rlattack.cli.steps import say
from rlattack.cli.train_adversary import Adversary
from rlattack.cli.train_selfplay import opponent_names
from rlattack.cli.train_victim import Victim

if TYPE_CHECKING:
    from rlattack.evaluation.duels.staircase import Stair

__all__ = ["Defended"]

_MEETING_SEED = 2000
"""Run seed of the games at the end: others than those that chose adversaries and those on their cards."""

_INTERRUPTED = 130
_SHARED = ("steps", "envs", "batch", "learning_rate", "checkpoint_every")
"""Options that trainings of either kind have."""


@dataclass(frozen=True, kw_only=True)
class Defended:
    """Harden a victim against an adversary and attack it anew, as often as asked (Gleave et al. 2019, section 6).

    A round goes on training the victim with the adversary in the other seat, then trains a new adversary against what
    came of it. At the end all adversaries and normal opponents play all victims. If killed, the same command with
    --resume goes on from the last checkpoint.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """Game of two seats, as `rlattack list games` shows: mujoco/you-shall-not-pass."""
    victim: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Who is hardened: a Gaussian network without memory."""
    adversary: Annotated[str | None, tyro.conf.arg(metavar="AGENT")] = None
    """Whom the first round defends against; trained first by default."""
    opponents: Annotated[str | None, tyro.conf.arg(metavar="A,B,...")] = None
    """Normal players to meet beside the adversary, each as often as it (the paper's dual defence); by default none
    (single)."""
    rounds: int = 1
    """Of defence and reattack."""
    steps: int = 20_000_000
    """Agent steps of each victim."""
    adversary_steps: int | None = None
    """Agent steps of each adversary and seed; as many as --steps by default."""
    reattack: Literal["scratch", "finetune"] = "scratch"
    """Where a new adversary starts: from chance, or from the adversary before it."""
    seeds: tuple[int, ...] = (0,)
    """Of adversaries: the best of them in tuning games is a round's; the first is the victims' too."""
    cut: Annotated[tuple[int, float] | None, tyro.conf.arg(metavar="STEPS RATE")] = None
    """Give up a seed that has won less than RATE of its last 500 training games when it gets to STEPS."""
    envs: int = 64
    """Games played at once."""
    threads: int | None = None
    """That step them; one a core by default. Changes no result."""
    batch: int = 16_384
    """Agent steps between two updates."""
    learning_rate: float = 3e-4
    """Of all trainings."""
    checkpoint_every: int = 100_000
    """Agent steps between checkpoints; at each, games begin anew, so that a killed run goes on as one that was not."""
    episodes: int = 1000
    """Fresh games of every pair at the end, and for the score on every agent's card."""
    resume: bool = False
    """Go on from the last checkpoint; --rounds may be larger than before."""
    run: Path | None = None
    """Run folder; by default runs/train-<game>-defended. Holds a run a training, and `duel`, where all meet."""
    agent: Annotated[str | None, tyro.conf.arg(metavar="ID")] = None
    """Id under ./agents of the folder of agents to write, `victim-1`, `adversary-1` and so on; by default
    <game>/defended."""
    trust: bool = False
    """Load normal opponents that can only be read by running their code."""

    def __call__(self, command: list[str]) -> int:
        """Runs the command."""
        seats, own = self._check()
        victims, adversaries = [self.victim], [] if self.adversary is None else [self.adversary]
        for turn in range(self.rounds + 1):
            if turn:
                met = ",".join([adversaries[-1], *opponent_names(self.opponents)])
                words = ["--init", victims[-1], "--opponents", met, "--seat", seats[own], "--steps", str(self.steps)]
                words += ["--seed", str(self.seeds[0]), *(["--trust"] if self.trust else [])]
                if code := self._train(Victim, "victim", turn, words, victims):
                    return code
            if len(adversaries) <= turn:
                words = ["--victim", victims[-1], "--steps", str(self.adversary_steps or self.steps)]
                words += ["--seeds", *map(str, self.seeds), *(["--cut", *map(str, self.cut)] if self.cut else [])]
                words += ["--init", adversaries[-1]] if self.reattack == "finetune" and adversaries else []
                if code := self._train(Adversary, "adversary", turn, words, adversaries):
                    return code
        return self._meet(victims, adversaries, seats, own, command)

    def _train(self, verb: Any, role: str, turn: int, words: list[str], trained: list[str]) -> int:
        """Runs the command that a user would type for one training, or goes on with it, and adds its agent."""
        name = f"{role}-{turn}"
        folder = self._folder / name
        words = [self.game, *words, "--run", str(folder), "--agent", self._id(name)]
        for option in ("envs", "batch", "learning_rate", "checkpoint_every", "episodes", "threads"):
            if (value := getattr(self, option)) is not None:
                words += [f"--{option.replace('_', '-')}", str(value)]
        if (folder / "config.json").is_file():
            words.append("--resume")
        trained.append(self._id(name))
        say(f"[bold]{name}[/bold] (round {turn} of {self.rounds})", stderr=True)
        return int(tyro.cli(verb, args=words)(["rlattack", "train", role, *words]))

    def _meet(
        self, victims: list[str], adversaries: list[str], seats: tuple[str, str], own: int, command: list[str]
    ) -> int:
        """Lets all meet, and shows the staircase."""
        from rlattack.evaluation.duels.staircase import write_staircase
        from rlattack.evaluation.duels.tensorboard import write_duel_events
        from rlattack.evaluation.report import write_report

        folder = self._folder / self._meeting
        players = [",".join(victims), ",".join([*adversaries, *opponent_names(self.opponents)])]
        duel = Duel(
            game=self.game, players=tuple(players if own == 0 else players[::-1]), victim=seats[own],
            episodes=self.episodes, seed=_MEETING_SEED, run=folder, trust=self.trust,
        )  # fmt: skip
        try:
            code = duel(command)
        except KeyboardInterrupt:
            say(
                "\ninterrupted; what was trained and played is kept, the same command with --resume goes on",
                stderr=True,
            )
            return _INTERRUPTED
        cells = json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]
        stairs = write_staircase(folder, cells, victims, adversaries)
        write_duel_events(folder, cells)
        write_report([folder], folder / "report.html")
        self._print(stairs)
        return code

    def _print(self, stairs: "list[Stair]") -> None:
        from rlattack.evaluation.duels.grid import short_name
        from rlattack.evaluation.tables import percent

        table = Table(title="the staircase: games that adversary i wins against victims i and i + 1")
        for column in ("", "adversary", "victim", "wins"):
            table.add_column(column, overflow="fold", justify="right" if column == "wins" else "left")
        for stair in stairs:
            table.add_row(
                "{} – {}".format(*stair.number), short_name(stair.adversary, self.game),
                short_name(stair.victim, self.game), str(percent(stair.wins, 1)),
            )  # fmt: skip
        Console().print(table)

    @property
    def _meeting(self) -> str:
        """Name of the folder of the games at the end."""
        return f"duel-{self.rounds}"

    @property
    def _folder(self) -> Path:
        return self.run or Path("runs") / f"train-{self.game.replace('/', '-')}-defended"

    def _id(self, name: str) -> str:
        return f"{self.agent or f'{self.game}/defended'}/{name}"

    def _check(self) -> tuple[tuple[str, str], int]:
        """Refuses what cannot work before hours of training; returns the names of the seats, and the victim's."""
        from rlattack.errors import InvalidInput, RunConflict
        from rlattack.training import TrainAdversary, TrainSelfPlay, check_place, contest, match
        from rlattack.training.adversary_session import load_init

        for name in ("rounds", "episodes", "envs", "threads"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InvalidInput(f"--{name}: expected at least 1, got {getattr(self, name)}")
        shared: dict[str, Any] = {name: getattr(self, name) for name in _SHARED} | {"game": self.game, "seat": ""}
        TrainAdversary(**shared, victim=self.victim, victim_sha256="", seeds=self.seeds, cut=self.cut)
        TrainSelfPlay(**shared, seed=self.seeds[0])
        if self.adversary_steps is not None and self.adversary_steps < self.batch:
            raise InvalidInput(
                f"--adversary-steps: expected at least {self.batch}, one batch, got {self.adversary_steps}"
            )
        for name in ("victim", "adversary"):
            if "," in (getattr(self, name) or ""):
                raise InvalidInput(
                    f"--{name}: expected one agent, and no comma in its name, got {getattr(self, name)!r}"
                )
        against = contest(self.game, self.victim)
        own = 1 - against.seat
        load_init(self.victim, self.game, against.duel, own, option="--victim")
        if self.adversary is not None and self.reattack == "finetune":
            load_init(self.adversary, self.game, against.duel, against.seat, option="--adversary")
        seat = against.duel.seats[own]
        met = [names for names in (self.adversary, self.opponents) if names is not None]
        if met:
            match(self.game, seat=seat, opponents=opponent_names(",".join(met)), trust=self.trust)
        begun = any(self._folder.glob("*/config.json"))
        if begun and not self.resume:
            raise RunConflict(f"--run {self._folder}: holds a training run; add --resume to go on, or choose another")
        if self.resume and not begun:
            raise InvalidInput(f"--resume: {self._folder} holds no training run; leave it out to start one")
        for turn in range(self.rounds + 1):  # a victim's part of its run is its seat's
            parts = [("victim", seat)] * (turn > 0) + [("adversary", "")] * (turn > 0 or self.adversary is None)
            for role, part in parts:
                name = f"{role}-{turn}"
                check_place(self._id(name), self._folder / name / part, self.game)
        self._check_settled()
        return against.duel.seats, own

    def _check_settled(self) -> None:
        """Refuses to go on with a training that others of this run learned from already: they would have to be anew."""
        from rlattack.errors import RunConflict

        again: dict[str, Any] = {"steps": self.adversary_steps or self.steps, "seeds": self.seeds, "cut": self.cut}
        wanted = {"victim": {"steps": self.steps}, "adversary": again, "duel": {"episodes": self.episodes}}
        rounds = [f"{role}-{turn}" for turn in range(self.rounds + 1) for role in ("victim", "adversary")]
        kept = {name: found for name in (*rounds, self._meeting) if (found := self._trained(name)) is not None}
        for name, later in itertools.pairwise([*kept, ""]):
            found, (role, _, _) = kept[name], name.partition("-")
            if not later and role != "duel":  # the last one may go on
                continue
            for option, value in wanted[role].items():
                if json.dumps(found.get(option)) != json.dumps(value):
                    flag = "adversary-steps" if (role, option) == ("adversary", "steps") else option
                    raise RunConflict(
                        f"--{flag}: {self._folder / name} has {found.get(option)}, of which came "
                        f"{later or 'its games'}, got {value}; choose another --run"
                    )

    def _trained(self, name: str) -> dict[str, Any] | None:
        """The configuration of a part of the run, where it was begun."""
        try:
            content = json.loads((self._folder / name / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        found = content.get("training") or content.get("configuration", {}).get("duel")
        return found if isinstance(found, dict) else None
