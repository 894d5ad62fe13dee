"""What a study plans to play, and what it refuses before anything is played."""

import importlib
import sys

import pytest

from rlattack.errors import UnknownName
from rlattack.evaluation.plan import plan
from rlattack.evaluation.seats import seat_number
from rlattack.evaluation.study import Study
from tests.evaluation.plans import cartpole, labels, rope
from tests.kit import cells  # noqa: F401  # registers the film
from tests.kit.agents import gaussian_agent, network_agent


def test_the_clean_game_the_control_and_the_attacks_run_at_every_size_each_once():
    planned = cartpole(attack=("fgsm", "none", "noise", "pgd:steps=2", "fgsm"), eps=(0.1, 0.2, 0.1))
    assert labels(planned) == [
        "clean",
        "noise 0.1",
        "noise 0.2",
        "fgsm 0.1",
        "fgsm 0.2",
        "pgd:steps=2 0.1",
        "pgd:steps=2 0.2",
    ]
    assert [planned.radii[cell.key] for cell in planned.cells[:2]] == [(), (0.1,)]
    assert {cell.clean.key for cell in planned.cells} == {planned.cells[0].key}


def test_what_a_victim_gets_in_place_of_what_is_missing_stands_on_the_card(tmp_path, monkeypatch):
    place = tmp_path / "envs/gymnasium"
    place.mkdir(parents=True)
    card = 'schema = "rlattack/game/1"\ntitle = "X"\nstand_in = -5\n[gymnasium]\nenv = "CartPole-v1"\n'
    (place / "pole.toml").write_text(card)
    monkeypatch.chdir(tmp_path)
    planned = plan(
        Study(
            game="gymnasium/pole", players="tests.kit.players:balance", attack=("missing", "fgsm"), eps=1, space="raw"
        )
    )
    found = {cell.attacks[0].spec.name: cell.attacks[0].budget.stand_in for cell in planned.cells if cell.attacks}
    assert found == {"missing": -5, "noise": 0.0, "fgsm": 0.0}


def test_what_an_attack_does_otherwise_than_asked_is_said_before_anything_is_played():
    planned = cartpole(attack=("apgd:loss=dlr", "fgsm"))
    said = "loss=dlr compares with the third score, this game has 2 actions: loss=margin is climbed"
    assert planned.note == f"attack apgd: {said}"
    notes = {cell.label: planned.notes[cell.key] for cell in planned.cells}
    assert notes == {"clean": (), "noise 0.2": ("",), "apgd:loss=dlr 0.2": (said,), "fgsm 0.2": ("",)}


def test_every_pair_under_every_mask_is_attacked_at_every_size(agent):
    planned = rope(
        players=(("zero", "random"), agent), mask=("none", "right"), attack=("pgd:steps=2", "none"), eps=(0.1, 0.2)
    )
    one = ["clean", "noise 0.1", "noise 0.2", "pgd:steps=2 0.1", "pgd:steps=2 0.2"]
    assert labels(planned) == one * 4
    assert [(cell.players[0].name, cell.mask_name) for cell in planned.cells[::5]] == [
        ("zero", "none"), ("random", "none"), ("zero", "right:initial"), ("random", "right:initial"),
    ]  # fmt: skip
    assert {ref.seat for cell in planned.cells for ref in cell.attacks} == {1}


def test_nothing_is_hidden_from_a_player_that_looks_at_nothing(agent):
    masks = ("none", "left", "right", "right:zero")
    planned = rope(players=("random", (agent, "zero", "random")), mask=masks)
    assert [(cell.players[1].name == agent, cell.mask_name) for cell in planned.cells] == [
        (True, "none"), (False, "none"), (False, "none"), (True, "right:initial"), (True, "right:zero"),
    ]  # fmt: skip
    assert planned.note == (
        "--mask: random and zero see nothing that could be hidden, so under it 7 pairs are not played again"
    )
    assert rope(players=("random", agent), mask=("none", "right")).note == ""


def test_a_pair_that_was_asked_for_under_a_mask_alone_plays_once_in_the_open():
    planned = rope(mask=("left", "left:noise"))
    assert [cell.game.hidden for cell in planned.cells] == [()]
    assert planned.note == "--mask: zero sees nothing that could be hidden, so under it 2 pairs are not played again"


def test_attacks_on_a_pair_that_no_mask_changes_stand_beside_its_open_games(agent):
    planned = rope(players=("zero", agent), mask=("left", "right"), eps=(0.3,))
    assert [(label, cell.mask_name) for label, cell in zip(labels(planned), planned.cells, strict=True)] == [
        ("clean", "none"), ("noise 0.3", "none"), ("clean", "right:initial"), ("noise 0.3", "right:initial"),
    ]  # fmt: skip
    assert [cell.clean.key for cell in planned.cells[1::2]] == [cell.key for cell in planned.cells[::2]]


def test_a_seat_s_number_is_as_good_as_its_name(agent):
    asked = {"players": (agent, agent), "eps": (0.1,)}
    named, numbered = (
        rope(**asked, victim=left, attacked=right, mask=("none", left, f"{right}:zero"))
        for left, right in (("left", "right"), ("0", "1"))
    )
    assert named.cells == numbered.cells
    assert named.configuration == numbered.configuration


def test_a_seat_is_named_or_numbered_and_a_name_comes_first():
    assert [seat_number("--victim", text, ("blocker", "runner")) for text in ("blocker", "1")] == [0, 1]
    assert [seat_number("--victim", text, ("1", "0")) for text in ("0", "1")] == [1, 0]
    for text in ("2", "-1", "01", ""):
        with pytest.raises(UnknownName, match=rf"--victim: expected blocker \(0\) or runner \(1\), got '{text}'"):
            seat_number("--victim", text, ("blocker", "runner"))


@pytest.mark.parametrize(
    ("named", "victim", "attacked"),
    [({}, 1, 1), ({"victim": "left"}, 0, 0), ({"attacked": "left"}, 1, 0), ({"victim": "0", "attacked": "1"}, 0, 1)],
)
def test_the_victim_is_in_the_last_seat_and_the_one_attacked_unless_others_are_named(agent, named, victim, attacked):
    _, noise = rope(players=(agent, agent), eps=(0.1,), **named).cells
    assert (noise.victim, noise.attacks[0].seat) == (victim, attacked)


def test_players_named_twice_play_once():
    assert len(rope(players=(("zero", "zero"), "random"), mask=("right", "right:initial")).cells) == 1


def test_agents_of_the_same_weights_play_once_and_that_is_said(agent, tmp_path):
    copy = gaussian_agent(tmp_path / "copy", "pull/any", hidden=(4,))
    planned = rope(players=("random", (agent, copy)), mask=("none", "right"))
    assert [cell.mask_name for cell in planned.cells] == ["none", "right:initial"]
    assert planned.note == f"{agent} plays as {copy} does, and is not played again"


def test_a_comma_in_a_name_is_part_of_it(tmp_path):
    folder = gaussian_agent(tmp_path / "a,b", "pull/any", hidden=(4,))
    planned = rope(players=("zero", folder))
    assert planned.cells[0].players[1].name == folder


def test_several_victims_of_a_game_of_one_seat_are_compared():
    planned = cartpole(players=(("tests.kit.players:balance", "zero"),), eps=(), attack=())
    assert [cell.players[0].name for cell in planned.cells] == ["tests.kit.players:balance", "zero"]


@pytest.mark.parametrize(
    ("who", "asked", "mode"),
    [
        ("tests.kit.players:coin", "card", "sampled"),
        ("tests.kit.players:coin", "greedy", "greedy"),
        ("tests.kit.players:coin_by_values", "card", "greedy"),
        ("tests.kit.players:coin_by_values", "sampled", "sampled"),
        ("random", "greedy", "sampled"),
    ],
)
def test_actions_are_the_card_s_unless_chosen_and_those_by_values_greedy(who, asked, mode):
    (cell,) = plan(Study(game="coins/any", players=(who,), actions=asked)).cells
    assert cell.actions == (mode,)


def test_a_card_that_says_greedy_is_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "envs" / "coins").mkdir(parents=True)
    (tmp_path / "envs" / "coins" / "sure.toml").write_text(
        'schema = "rlattack/game/1"\ntitle = "Sure"\n[protocol]\nactions = "greedy"\n'
    )
    (cell,) = plan(Study(game="coins/sure", players=("tests.kit.players:coin",))).cells
    assert cell.actions == ("greedy",)


def test_the_variant_that_an_agent_s_card_asks_for_is_played(tmp_path):
    pytest.importorskip("ale_py")
    from rlattack.policies.network import SMALL, NetworkSpec

    spec = NetworkSpec(observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(8,))
    agent = network_agent(tmp_path / "a", "atari/pong", spec, options={"noop_max": 7})
    (cell,) = plan(Study(game="atari/pong", players=(agent,), sticky=0.25)).cells
    assert (cell.game.card.atari.noop_max, cell.game.card.protocol.sticky) == (7, 0.25)


def test_each_victim_plays_the_variant_that_its_own_card_asks_for(tmp_path):
    pytest.importorskip("ale_py")
    from rlattack.policies.network import SMALL, NetworkSpec

    spec = NetworkSpec(observation=(4, 84, 84), actions=6, head="actor-critic", convolutions=SMALL, hidden=(8,))
    one, other = (
        network_agent(tmp_path / f"a{noops}", "atari/pong", spec, options={"noop_max": noops}) for noops in (7, 8)
    )
    together = plan(Study(game="atari/pong", players=((one, other),)))
    alone = [plan(Study(game="atari/pong", players=(who,))) for who in (one, other)]
    assert [cell.game.card.atari.noop_max for cell in together.cells] == [7, 8]
    assert [cell.key for cell in together.cells] == [each.cells[0].key for each in alone]
    games = together.configuration["games"]
    assert {name: game["atari"]["noop_max"] for name, game in games.items()} == {one: 7, other: 8}
    assert list(games.values()) == [each.configuration["game"] for each in alone]
    assert not any("games" in each.configuration for each in alone)


def test_all_spellings_of_an_attack_a_schedule_or_a_front_are_one_cell():
    attacks = ("pgd", "pgd:steps=10", "pgd:random_start=true,steps=10", "pgd:steps=11")
    assert labels(cartpole(attack=attacks)) == [
        "clean",
        "noise 0.2",
        "pgd 0.2",
        "pgd:steps=11 0.2",
    ]
    schedules = ("every", "every:", "random:share=0.1", "random:share=0.10")
    assert len(cartpole(attack=(), when=schedules).cells) == 3
    film = {"game": "film/any", "players": ("tests.kit.players:bright",), "space": "unit"}
    fronts = [("jpeg",), ("jpeg:quality=75",), ("jpeg:quality=30",)]
    plain, spelled, other = (cartpole(**film, defence=front).cells[2].key for front in fronts)
    assert plain == spelled != other


def test_a_title_is_no_part_of_what_a_run_shares_and_neither_is_who_has_won(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "envs" / "coins" / "titled.toml"
    place.parent.mkdir(parents=True)
    shared = []
    for title, score in (("One", 1.0), ("Two", 2.0)):
        place.write_text(f'schema = "rlattack/game/1"\ntitle = "{title}"\n[win]\nrule = "threshold"\nscore = {score}\n')
        shared.append(plan(Study(game="coins/titled", players=("zero",))).configuration)
    assert shared[0] == shared[1]


def test_a_victim_by_another_name_is_the_same_one_for_a_run(agent, tmp_path):
    copy = gaussian_agent(tmp_path / "copy", "pull/any", hidden=(4,))
    one, other = (rope(players=("zero", who)) for who in (agent, copy))
    assert one.configuration == other.configuration


def test_who_plays_by_other_code_is_another_victim(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = tmp_path / "own_victim.py"
    source.write_text("from tests.kit.players import balance\n")
    importlib.invalidate_caches()
    before = cartpole(players=("own_victim:balance",))
    source.write_text(source.read_text() + "# edited\n")
    del sys.modules["own_victim"]  # as a new process knows nothing of it
    after = cartpole(players=("own_victim:balance",))
    assert before.configuration["victims"] != after.configuration["victims"]
    assert {cell.key for cell in before.cells}.isdisjoint(cell.key for cell in after.cells)


def test_what_a_run_shares_is_named_and_what_it_may_add_is_not():
    planned, more = cartpole(), cartpole(episodes=100, eps=(0.1, 0.3), attack=("pgd",), trust=True)
    assert planned.configuration == more.configuration
    assert planned.configuration["study"] == {
        "actions": "card", "sticky": None, "seed": 0, "envs": 8, "victim": "player"
    }  # fmt: skip
    assert {"rlattack", "torch", "numpy", "gymnasium"} <= planned.configuration["versions"].keys()
    for change in ({"seed": 1}, {"envs": 3}, {"actions": "greedy"}, {"players": ("zero",), "eps": (), "attack": ()}):
        assert cartpole(**change).configuration != planned.configuration


def test_a_run_is_named_by_its_game_and_all_that_was_asked_for_but_episodes_and_trust():
    planned = cartpole()
    assert planned.name.startswith("gymnasium-CartPole-v1-")
    assert cartpole(episodes=3, trust=True).name == planned.name
    others = [cartpole(**change).name for change in ({"seed": 1}, {"eps": (0.1,)}, {"attack": ("pgd",)})]
    assert len({planned.name, *others}) == 4


def test_circumstances_tell_who_played_what_and_with_which_versions(agent):
    told = rope(players=("zero", agent)).circumstances
    assert told["players_sha256"]["left"] == {"zero": None}
    assert len(told["players_sha256"]["right"][agent]) == 64
    assert {"python", "rlattack", "torch", "numpy"} <= told["versions"].keys()
