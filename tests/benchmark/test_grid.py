"""A grid is read strictly: what it asks for, or one line that says what does not fit."""

import json
import re

import pytest

from rlattack.benchmark import read_grid, write_entry
from rlattack.benchmark.entry import Stated
from rlattack.benchmark.grid_file import list_grids
from rlattack.errors import ContentError, InvalidInput, RlattackError, UnknownName
from tests.benchmark.grids import COINS, chooser, planned, written


def grid(tmp_path, text=COINS):
    return read_grid(written(tmp_path, text))


def changed(**lines):
    """The grid with lines in place of those of the same key."""
    found = []
    for line in COINS.splitlines():
        key = line.partition(" = ")[0]
        found.append(f"{key} = {lines.pop(key)}" if key in lines else line)
    return "\n".join([*found, *(f"{key} = {value}" for key, value in lines.items())])


def test_a_table_is_the_product_of_games_victims_fronts_and_seeds(tmp_path):
    text = changed(victims='["zero", "tests.kit.players:coin"]', defences='[[], ["temporal"]]', seeds="[3, 4]")
    contenders = grid(tmp_path, text).contenders
    assert [one.name for one in contenders] == [
        "zero", "tests.kit.players:coin", "zero behind temporal", "tests.kit.players:coin behind temporal",
    ]  # fmt: skip
    for one in contenders:
        (studies,) = one.studies.values()
        assert [study.seed for study in studies] == [3, 4]
        assert {study.episodes for study in studies} == {6}
        assert {study.eps for study in studies} == {(0.5, 1.5)}
    assert contenders[2].studies["zero"][0].defence == ("temporal",)


def test_a_table_overrides_the_defaults(tmp_path):
    (one,) = grid(tmp_path, changed(episodes="6") + "\nepisodes = 9").contenders
    assert one.studies["tests.kit.players:coin"][0].episodes == 9


def test_a_group_is_one_contender_of_several_agents(tmp_path):
    text = changed(victims='["both"]') + '\n[groups]\nboth = ["zero", "random"]\n'
    (one,) = grid(tmp_path, text).contenders
    assert (one.name, one.group, list(one.studies)) == ("both", True, ["zero", "random"])


def test_a_pattern_takes_the_listed_victims_of_the_game_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        chooser(tmp_path / "agents" / "mine" / str(number), number)
    names = [one.name for one in grid(tmp_path, changed(victims='["*"]')).contenders]
    assert names == ["mine/1", "mine/2"]
    with pytest.raises(InvalidInput, match=r"table 1: victims: expected agents of coins/any, got yours/\*, which"):
        _ = grid(tmp_path, changed(victims='["yours/*"]')).contenders


def test_what_several_tables_ask_of_one_agent_is_one_contender(tmp_path):
    more = (
        '\n[[tables]]\ngames = ["coins/any"]\nvictims = ["tests.kit.players:coin"]\nattack = ["noise"]\neps = [0.1]\n'
    )
    (one,) = grid(tmp_path, COINS + more).contenders
    assert [study.attack for study in one.studies["tests.kit.players:coin"]] == [
        ("fgsm:loss=margin", "pgd:steps=2,loss=margin"), ("noise",),
    ]  # fmt: skip


def test_seats_of_several_players_are_one_contender(tmp_path):
    text = COINS.replace('"coins/any"', '"pull/any"').replace(
        'victims = ["tests.kit.players:coin"]', 'players = [["zero"], ["tests.kit.players:puller"]]\nvictim = "1"'
    )
    (one,) = grid(tmp_path, text).contenders
    assert one.name == "zero - tests.kit.players:puller"
    assert one.studies[one.name][0].victim == "1"


def test_victims_of_the_command_take_the_place_of_the_grids_own(tmp_path):
    other = grid(tmp_path).with_victims(["zero", "two=random,tests.kit.players:coin"])
    assert [(one.name, list(one.studies)) for one in other.contenders] == [
        ("zero", ["zero"]), ("two", ["random", "tests.kit.players:coin"]),
    ]  # fmt: skip
    assert grid(tmp_path).with_victims([]) == grid(tmp_path)


def test_victims_of_the_command_stand_in_the_tables_of_their_games():
    shipped = read_grid("control-linf")
    found = shipped.with_victims(["mujoco/hopper/sa-0", "both=mujoco/walker2d/sa-0,mujoco/walker2d/sa-1"]).contenders
    assert [(one.game, one.name) for one in found] == [
        ("mujoco/hopper", "mujoco/hopper/sa-0"), ("mujoco/walker2d", "both"),
    ]  # fmt: skip
    with pytest.raises(
        InvalidInput, match="expected agents of mujoco/hopper, mujoco/walker2d, got atari/pong/ppo, which"
    ):
        shipped.with_victims(["mujoco/hopper/sa-0", "atari/pong/ppo"])


def test_grids_that_ship_can_be_named():
    assert "smoke" in [name for name, _ in list_grids()]
    assert read_grid("smoke").name == "smoke"


BAD = [
    (changed(epz="[1.0]"), "table 1: no key 'epz'; did you mean 'eps'"),
    (COINS + '\n[extra]\na = 1\n', "no key 'extra'"),
    (COINS.replace("[[tables]]", "[tables]"), r"tables: expected a list of tables, got \{"),
    (COINS[: COINS.index("[[tables]]")], r"expected at least one \[\[tables\]\]"),
    (changed(games='"coins/any"'), "table 1: games expects "),
    (COINS.replace('games = ["coins/any"]\n', ""), "table 1: games is missing"),
    (changed(players='[["zero"]]'), "table 1: expected victims, or the players of a game of several seats, and not"),
    (COINS.replace("grid/1", "grid/9"), "written for 'rlattack/grid/9', this version reads rlattack/grid/1"),
    (COINS.replace('schema = "rlattack/grid/1"\n', ""), "expected schema = 'rlattack/grid/1'"),
    (COINS + "[[", "not a readable grid"),
    (changed(seeds="[]"), "table 1: seeds: expected at least one, got none"),
    (changed(games="[]"), "table 1: games: expected at least one, got none"),
    (COINS + '\n[groups]\nboth = []\n', r"groups.both: expected a list of agents, got \[\]"),
    (COINS + '\n[groups]\nboth = ["zero", "zero"]\n', "groups.both: expected each agent once"),
    (COINS + '\n[[reported]]\nagent = "zero"\n', "reported 1: source is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_grid_with_a_slip_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ContentError, match=message):
        grid(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(episodes="0"), "grid coins, table 1: episodes: expected at least 1, got 0"),
        (changed(eps='["a"]'), "grid coins, table 1: eps: expected a valid number"),
    ],
)
def test_an_option_that_does_not_fit_names_its_table(tmp_path, text, message):
    with pytest.raises(RlattackError, match=message):
        _ = grid(tmp_path, text).contenders


def test_a_grid_that_is_not_there_says_which_ones_are(tmp_path):
    with pytest.raises(UnknownName, match="no grid 'smok'; did you mean 'smoke'"):
        read_grid("smok")
    with pytest.raises(ContentError, match=r"there is no such file; a file, or one of .*smoke"):
        read_grid(str(tmp_path / "none.toml"))


def test_two_victims_of_one_name_are_refused_and_not_pooled(tmp_path):
    for number in range(2):
        agent = chooser(tmp_path / f"agent-{number}", number)
        write_entry(agent, tmp_path / f"entry-{number}", licence="MIT", name="mine", claim=Stated(eps=0.5, space="raw"))
    victims = json.dumps([str(tmp_path / f"entry-{number}") for number in range(2)])
    with pytest.raises(InvalidInput, match=r"grid coins: two victims are called mine, .*entry-0.* and .*entry-1"):
        _ = grid(tmp_path, changed(victims=victims)).contenders


@pytest.mark.parametrize(
    ("option", "message"),
    [('actions = "sampled"', "actions greedy, and .* with actions sampled"), ("max_steps = 1", "max_steps None, and")],
)
def test_a_game_in_two_protocols_is_refused_and_not_pooled(tmp_path, option, message):
    table = COINS[COINS.index("[[tables]]") :]
    text = COINS.replace('space = "raw"', 'space = "raw"\nactions = "greedy"') + f"{table}{option}\n"
    with pytest.raises(InvalidInput, match=f"coins/any: tests.kit.players:coin plays with {message}.*one protocol"):
        planned(tmp_path, text)


REPORTED = COINS + '\n[[reported]]\nsource = "a paper"\nattacked = 1.0\nagent = '


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (
            '"tests.kit.players:con"',
            "grid coins, reported 1: agent: nobody is called 'tests.kit.players:con'; did you mean "
            "'tests.kit.players:coin'?; there are tests.kit.players:coin",
        ),
        ('"zero"', "nobody is called 'zero'; there are tests.kit.players:coin"),
        (
            '"tests.kit.players:coin"\ngame = "coins/else"',
            "reported 1: game: tests.kit.players:coin plays coins/any, got 'coins/else'",
        ),
    ],
)
def test_what_is_reported_of_nobody_is_refused(tmp_path, stated, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        _ = grid(tmp_path, REPORTED + stated).contenders


def test_what_is_reported_of_a_group_or_of_one_of_its_agents_is_taken(tmp_path):
    for agent in ("both", "zero"):
        text = (REPORTED + json.dumps(agent)).replace('["tests.kit.players:coin"]', '["both"]')
        assert grid(tmp_path, text + '\n[groups]\nboth = ["zero", "random"]\n').contenders


def test_of_other_victims_nothing_is_reported(tmp_path):
    whole = grid(tmp_path, REPORTED + '"tests.kit.players:coin"')
    assert whole.with_victims(["zero"]).reported == ()
    assert whole.with_victims(["zero", "tests.kit.players:coin"]).reported == whole.reported
    assert whole.with_victims(["mine=zero,tests.kit.players:coin"]).reported == whole.reported
