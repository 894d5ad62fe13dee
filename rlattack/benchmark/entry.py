"""Entries of the leaderboard: an agent in a folder, with its claim, its threat model and its licence."""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from rlattack.benchmark.foreign import Form, check_stated, refuse_taken
from rlattack.budget import NORMS
from rlattack.errors import ContentError, InvalidInput, RefusedFile
from rlattack.files import write_whole
from rlattack.games.card import SHOWN
from rlattack.games.table import parse_table
from rlattack.policies.claim import claim_of
from rlattack.policies.folder import WEIGHTS, AgentCard, read_agent
from rlattack.policies.load import agent_folder

SCHEMA = "rlattack/entry/1"
CARD, AGENT = "entry.toml", "agent"
_FORM = Form(
    what="an entry", card=CARD, schema=SCHEMA, agent=AGENT, largest=64 << 20,
    files=(CARD, f"{AGENT}/agent.toml", f"{AGENT}/{WEIGHTS}", "README.md", "LICENSE"),
    way_out="rlattack benchmark --entry AGENT",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What the authors of an entry state of it.

    Attributes:
        eps: The size that it stands, per entry in units of `space`.
        norm: In which norm.
        space: In which units.
        clean: Mean return without an attack; None where they state none.
        attacked: The same under their strongest attack of that size.
        attack: That attack, as `rlattack attack --attack` takes it.
    """

    eps: float
    norm: str = "linf"
    space: str = "unit"
    clean: float | None = None
    attacked: float | None = None
    attack: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry, as it was read or is to be written.

    Attributes:
        name: On the leaderboard.
        game: Id of the game.
        licence: Of the weights, an SPDX identifier as MIT.
        claim: What its authors state.
        defence: Fronts that stand before the agent, in order.
        authors: Who made it.
        source: Where it is described.
        sha256: Of the weights.
        card: Digest of `agent.toml`, which says what network they are of and how the game is shown to it.
    """

    name: str
    game: str
    licence: str
    claim: Stated
    defence: tuple[str, ...] = ()
    authors: str = ""
    source: str = ""
    sha256: str = ""
    card: str = ""

    @property
    def digest(self) -> str:
        """Names the entry as it was fixed: of all that it states, of its weights and of their card."""
        return hashlib.sha256(repr(dataclasses.astuple(self)).encode()).hexdigest()


def write_entry(
    agent: str, folder: Path, *, licence: str, name: str = "", claim: Stated | None = None,
    defence: tuple[str, ...] = (), authors: str = "", source: str = "",
) -> Entry:  # fmt: skip
    """Makes an entry of an agent.

    Args:
        agent: An agent of the project's own form, by its id or folder.
        folder: Where to.
        licence: Of the weights.
        name: On the leaderboard; by default the agent's id, or the name of its folder.
        claim: What is stated of it; by default what its card says that it was trained to stand, and its score there.
        defence: Fronts that stand before it.
        authors: Who made it.
        source: Where it is described.

    Raises:
        InvalidInput: No licence, no size in the claim, or an agent of another form.
        RefusedFile: An agent that asks for other rules of its game.
        ContentError: A place that is taken.
        Unwritable: The folder cannot be written.
    """
    place = agent_folder(agent)
    if place is None:
        raise InvalidInput(
            f"--entry {agent}: expected an agent folder; `rlattack import auto FILE --agent ID` makes one of a file"
        )
    refuse_taken(folder, "the entry")
    card, _ = read_agent(place)
    _check_options(card, f"--entry {agent}")
    stated = claim or _stated(agent, card)
    entry = Entry(
        name=name or _called(agent), game=card.game, licence=licence, claim=stated, defence=defence, authors=authors,
        source=source, sha256=card.sha256, card=_digest(place / "agent.toml"),
    )  # fmt: skip
    _check(entry, "--entry")
    for file in ("agent.toml", WEIGHTS):
        write_whole(folder / AGENT / file, (place / file).read_bytes())
    table = {key: value for key, value in dataclasses.asdict(entry).items() if value not in ("", (), None)}
    table["claim"] = {key: value for key, value in table["claim"].items() if value not in ("", None)}
    table["defence"] = list(defence)
    write_whole(folder / CARD, tomli_w.dumps({"schema": SCHEMA, **table}).encode())
    return read_entry(folder)


def _called(agent: str) -> str:
    """The id of an agent; of a folder its name, for nobody else has its path."""
    place = Path(agent).expanduser()
    return place.resolve().name if place.is_dir() else agent


def _stated(agent: str, card: Any) -> Stated:
    """What an agent's own card states."""
    claim, score = claim_of(card), card.score
    if claim is None or claim.eps is None:
        raise InvalidInput(
            f"--entry {agent}: its card claims no size that it stands; state one, as --eps 0.004, with its --norm and "
            "--space"
        )
    norm = next((kind for kind in claim.kinds if kind in NORMS), "linf")
    attacked = score.get("attacked", {})
    return Stated(
        eps=claim.eps, norm=norm, space=claim.space or "unit", clean=score.get("mean"), attacked=attacked.get("mean"),
        attack=str(attacked.get("attack", "")),
    )  # fmt: skip


def is_entry(folder: Path) -> bool:
    """Whether a folder claims to be an entry."""
    return _FORM.there(folder)


def read_entry(folder: Path) -> Entry:
    """Reads an entry that may be anybody's; runs no code of it.

    Raises:
        ContentError: A card that does not hold what it must.
        RefusedFile: A file that does not belong there, one that lies elsewhere, an agent that is not the one stated, or
            one that asks for other rules of its game.
    """
    table, where = _FORM.read(folder), str(folder / CARD)
    claim = parse_table(Stated, table.get("claim"), f"{where}: [claim]")
    entry = parse_table(Entry, table | {"claim": claim}, where)
    _check(entry, where)
    card, _ = read_agent(folder / AGENT)
    if card.sha256 != entry.sha256:
        raise RefusedFile(f"{folder}: its weights have the sha256 {card.sha256[:12]}, it states {entry.sha256[:12]}")
    if (found := _digest(folder / AGENT / "agent.toml")) != entry.card:
        raise RefusedFile(
            f"{folder}: its agent.toml has the sha256 {found[:12]}, it states {entry.card[:12] or 'none'}"
        )
    _check_options(card, where)
    if card.game != entry.game:
        raise ContentError(f"{where}: game {entry.game}, but its agent plays {card.game}")
    return entry


def _check(entry: Entry, where: str) -> None:
    claim = entry.claim
    if not entry.name[:1].isalnum() or entry.name != " ".join(entry.name.split()):
        raise ContentError(f"{where}: name: expected one that begins with a letter or digit, got {entry.name!r}")
    check_stated(entry.licence, "the weights", claim.norm, claim.space, claim.eps, where)


def _check_options(card: AgentCard, where: str) -> None:
    """Refuses an agent whose card changes more of the game than how it is shown: all others play by its rules."""
    if rules := sorted(card.options.keys() - {*SHOWN}):
        raise RefusedFile(
            f"{where}: its agent asks for other rules of {card.game}: {', '.join(rules)}; an entry plays as all others "
            f"do, and its [options] hold {', '.join(SHOWN)} alone"
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
