"""Entries: what is stated of an agent with its weights, in a folder that is read as anybody's."""

import dataclasses
import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest

from rlattack.benchmark import read_entry, read_grid, write_entry
from rlattack.benchmark.entry import Stated
from rlattack.benchmark.publish import write_leaderboard
from rlattack.benchmark.verify import verify
from rlattack.benchmark.verify.board import verify_board
from rlattack.errors import ContentError, InvalidInput, RefusedFile, RlattackError
from tests.benchmark.grids import COINS, chooser, planned, played, written
from tests.kit.forged_boards import changed

CLAIM = Stated(eps=0.5, space="raw", clean=3.0, attacked=2.0, attack="fgsm")


@pytest.fixture
def entry(tmp_path):
    """The folder of an entry of random weights."""
    agent = chooser(tmp_path / "agent", 0, scale=20.0)
    made = write_entry(
        agent, tmp_path / "entry", licence="MIT", name="mine", claim=CLAIM, authors="us", source="a paper"
    )
    return tmp_path / "entry", made


def test_an_entry_is_read_as_it_was_written(entry):
    folder, made = entry
    again = read_entry(folder)
    assert again == made
    assert (again.name, again.game, again.licence, again.claim, again.authors) == (
        "mine",
        "coins/any",
        "MIT",
        CLAIM,
        "us",
    )
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "agent/agent.toml", "agent/policy.safetensors", "entry.toml",
    ]  # fmt: skip


def test_its_digest_changes_with_anything_that_it_states(entry):
    _, made = entry
    others = [
        dataclasses.replace(made, claim=dataclasses.replace(made.claim, eps=0.4)),
        dataclasses.replace(made, sha256="0" * 64),
        dataclasses.replace(made, defence=("temporal",)),
        dataclasses.replace(made, card="0" * 64),
    ]
    assert len({one.digest for one in (made, *others)}) == 5


def test_the_claim_of_an_agent_that_ships_is_that_of_its_card(tmp_path):
    made = write_entry("atari/pong/distil", tmp_path / "entry", licence="MIT")
    assert made.name == "atari/pong/distil"
    assert (made.claim.norm, made.claim.space, made.claim.eps) == ("linf", "unit", 0.0196078)
    assert made.claim.clean is not None
    assert made.claim.attacked is not None
    assert made.claim.attack == "pgd:loss=margin"


def test_an_entry_stands_on_the_leaderboard_beside_its_own_claim(entry, tmp_path):
    folder, _ = entry
    text = COINS.replace("tests.kit.players:coin", str(folder))
    board, _ = played(planned(tmp_path, text), tmp_path / "run")
    small, large = (ranking.rows[0] for ranking in board.boards[0].rankings)
    assert (small.name, small.reported, small.reported_clean, small.source) == ("mine", 2.0, 3.0, "a paper")
    assert large.reported is None
    assert small.tier == "smoke"


def test_revealed_seeds_come_of_what_was_fixed_and_of_the_salt(entry, tmp_path):
    folder, _ = entry
    text = COINS.replace("tests.kit.players:coin", str(folder)).replace("[[tables]]", "[[tables]]\nseeds = [0, 1]")
    grid = read_grid(written(tmp_path, text))
    seeds = {salt: grid.revealed(salt).products[0].seeds for salt in ("a", "b")}
    assert seeds["a"] == grid.revealed("a").products[0].seeds
    assert len({*seeds["a"], *seeds["b"], 0, 1}) == 6
    assert all(0 <= seed < 1_000_000_000 for seed in (*seeds["a"], *seeds["b"]))
    many = read_grid(written(tmp_path, text.replace("seeds = [0, 1]", f"seeds = {list(range(300))}")))
    assert len({*many.revealed("a").products[0].seeds}) == 300
    with pytest.raises(InvalidInput, match="--reveal: expected victims that are entries"):
        read_grid(written(tmp_path)).revealed("a")


def test_a_row_is_verified_when_replayed_on_revealed_seeds_under_autoattack(entry, tmp_path):
    from rlattack.benchmark import plan_grid, play_grid, rank
    from rlattack.benchmark.play import verified
    from tests.benchmark.grids import silent

    folder, _ = entry
    text = COINS.replace("tests.kit.players:coin", str(folder)).replace("episodes = 6", "episodes = 20\nledger = true")
    text = text.replace('"pgd:steps=2,loss=margin"', '"autoattack"').replace("eps = [0.5, 1.5]", "eps = [0.5]")
    grid = read_grid(written(tmp_path, text)).revealed("salt")
    program = plan_grid(grid)
    cells = play_grid(program, tmp_path / "run", watch=silent, workers=1)
    tuned = rank(program, cells).boards[0].rankings[0].rows[0]
    assert (tuned.tier, tuned.reasons) == ("tuned", ("not replayed from its ledger (--verify)",))
    checked = verified(program, tmp_path / "run")
    assert checked == cells.keys()
    board = rank(program, cells, checked)
    row = board.boards[0].rankings[0].rows[0]
    assert (row.tier, row.reasons) == ("verified", ())
    write_leaderboard(board, tmp_path / "run")
    verdicts = {name: verify(tmp_path / "run" / name) for name in program.runs}
    assert verify_board(tmp_path / "run", verdicts).failed == ()
    (unverified,) = verify_board(tmp_path / "run", {}).failed
    assert "tier: verified there, tuned computed anew" in unverified.why
    changed(tmp_path / "run", lambda content: content.update(salt="another"))
    (drawn,) = verify_board(tmp_path / "run", verdicts).failed
    assert drawn.why.endswith("was not drawn of the salt and the entries")


def test_entries_in_a_group_are_read_as_entries(tmp_path):
    folders = []
    for number in range(2):
        agent = chooser(tmp_path / f"agent-{number}", number, scale=20.0)
        folders.append(str(tmp_path / f"entry-{number}"))
        front = ("temporal",) if number else ()
        write_entry(agent, Path(folders[-1]), licence="MIT", claim=CLAIM, defence=front)
    text = COINS.replace('"tests.kit.players:coin"', '"mine"') + f"\n[groups]\nmine = {json.dumps(folders)}\n"
    grid = read_grid(written(tmp_path, text))
    assert list(grid.entries) == folders
    (one,) = grid.contenders
    assert (one.name, one.group, list(one.studies)) == ("mine", True, [f"{folder}/agent" for folder in folders])
    assert [studies[0].defence for studies in one.studies.values()] == [(), ("temporal",)]
    assert len(one.entry) == 64
    assert grid.revealed("salt").products[0].seeds != grid.products[0].seeds
    board, _ = played(planned(tmp_path, text), tmp_path / "run")
    (row,) = board.boards[0].rankings[0].rows
    assert (row.name, row.best.value.seeds) == ("mine", 2)
    (tmp_path / "entry-1" / "code.py").touch()
    with pytest.raises(RefusedFile, match="an entry holds"):
        _ = read_grid(written(tmp_path, text)).contenders


def test_a_group_of_which_one_is_no_entry_was_not_fixed(tmp_path, entry):
    agents = [str(entry[0]), chooser(tmp_path / "bare", 1)]
    text = COINS.replace('"tests.kit.players:coin"', '"mine"') + f"\n[groups]\nmine = {json.dumps(agents)}\n"
    (one,) = read_grid(written(tmp_path, text)).contenders
    assert (list(one.studies), one.entry) == ([f"{agents[0]}/agent", agents[1]], "")


def pickled(folder):
    (folder / "agent" / "extra.pkl").write_bytes(pickle.dumps([1]))


def outside(folder):
    (folder / "agent" / "policy.safetensors").unlink()
    (folder / "agent" / "policy.safetensors").symlink_to("/etc/hostname")


def edited(old, new):
    def edit(folder):
        path = folder / "entry.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return edit


def colder(folder):
    """Changes what the weights do, and no weight."""
    path = folder / "agent" / "agent.toml"
    path.write_text(path.read_text().replace("temperature = 1.0", "temperature = 0.1"))


def of_other_rules(folder):
    """Asks for a game that lasts longer, in a card that is the one stated."""
    path, before = folder / "agent" / "agent.toml", read_entry(folder).card
    path.write_text(path.read_text() + "\n[options]\nstack = 2\nargs = {max_episode_steps = 5000}\n")
    edited(before, hashlib.sha256(path.read_bytes()).hexdigest())(folder)


def endless(folder):
    os.mkfifo(folder / "README.md")


def huge_card(folder):
    with (folder / "entry.toml").open("a") as file:
        file.write("#" * (1 << 20))


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (endless, RefusedFile, "README.md: is no file that could be read to its end"),
        (huge_card, RefusedFile, "entry.toml: 1,04.,... bytes; in an entry it has at most 1,048,576"),
        (edited('attack = "fgsm"', r'attack = "\u001b[2J"'), ContentError, "expected texts of one line"),
        (edited('name = "mine"', 'name = "=SUM(A1)"'), ContentError, "name: expected one that begins with a letter or"),
        (edited('name = "mine"', 'name = "mine "'), ContentError, "name: expected one that begins with a letter or"),
        (colder, RefusedFile, "its agent.toml has the sha256 .*, it states"),
        (of_other_rules, RefusedFile, r"asks for other rules of coins/any: args; .* its \[options\] hold resize, "),
        (pickled, RefusedFile, "extra.pkl: an entry holds .*, and nothing that could be code"),
        (outside, RefusedFile, "policy.safetensors: a link; an entry holds its files itself"),
        (lambda folder: (folder / "more").mkdir(), RefusedFile, "more: an entry holds no folder but agent"),
        (edited('licence = "MIT"\n', ""), ContentError, "licence is missing"),
        (edited('licence = "MIT"', 'licence = ""'), InvalidInput, "licence: expected that of the weights"),
        (edited("eps = 0.5\n", ""), ContentError, r"\[claim\]: eps is missing"),
        (edited("eps = 0.5", "eps = -0.5"), RlattackError, "-0.5"),
        (edited('norm = "linf"', 'norm = "l7"'), InvalidInput, "claim: expected a norm of linf, .*, got l7 and raw"),
        (edited("entry/1", "entry/7"), ContentError, "written for 'rlattack/entry/7', this version reads"),
        (edited('game = "coins/any"', 'game = "tug/any"'), ContentError, "game tug/any, but its agent plays coins/any"),
        (edited('authors = "us"', 'autors = "us"'), ContentError, "unknown key 'autors'; did you mean 'authors'"),
        (edited('sha256 = "', 'sha256 = "0'), RefusedFile, "its weights have the sha256 .*, it states 0"),
        (lambda folder: (folder / "entry.toml").unlink(), ContentError, "expected an entry with entry.toml"),
    ],
)
def test_a_spoilt_entry_is_refused_in_one_line(entry, spoil, kind, message):
    folder, _ = entry
    spoil(folder)
    with pytest.raises(kind, match=message):
        read_entry(folder)


def test_by_default_an_entry_of_a_folder_has_its_name_and_no_path(tmp_path):
    agent = chooser(tmp_path / "robust", 0)
    assert write_entry(agent, tmp_path / "entry", licence="MIT", claim=CLAIM).name == "robust"


def test_what_makes_no_entry_is_told(tmp_path):
    agent = chooser(tmp_path / "agent", 0)
    with pytest.raises(InvalidInput, match="its card claims no size that it stands; state one, as --eps"):
        write_entry(agent, tmp_path / "entry", licence="MIT")
    with pytest.raises(InvalidInput, match="licence: expected that of the weights, as --licence MIT; got none"):
        write_entry(agent, tmp_path / "entry", licence="", claim=CLAIM)
    with pytest.raises(InvalidInput, match=r"expected an agent folder; `rlattack import auto FILE"):
        write_entry("tests.kit.players:coin", tmp_path / "entry", licence="MIT", claim=CLAIM)
    assert not (tmp_path / "entry").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ContentError, match="expected an empty place for the entry; choose another --out"):
        write_entry(agent, tmp_path / "full", licence="MIT", claim=CLAIM)
