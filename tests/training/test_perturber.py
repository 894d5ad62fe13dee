"""Perturbers of one victim, from a recipe to the best of them."""

import functools
import json

import pytest
import torch

from rlattack.errors import InvalidInput, RefusedFile, RlattackError, RunConflict
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.plan import plan
from rlattack.evaluation.results import Mean
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.policies.network import Network, NetworkSpec
from rlattack.training import Trained, TrainPerturber, train
from rlattack.training.adversary import choose
from rlattack.training.perturber import learn_seed
from rlattack.training.seeds import learn_at_once
from tests.kit.agents import linear_gaussian_network, save_network
from tests.kit.cells import FAMILIES as FAMILIES  # registers the family `film`
from tests.kit.learning import Crash, Diary, curve

CARTPOLE = {"game": "gymnasium/CartPole-v1", "eps": 0.1}
FILM = {"game": "film/any", "victim": "tests.kit.players:bright", "space": "unit", "eps": 0.1}
SPEC = NetworkSpec(observation=(2,), actions=2, head="actor-critic", scale=1.0)


@pytest.fixture
def victim(working_folder):
    """Names every coin, and is sure of it."""
    network = Network(SPEC)
    with torch.no_grad():
        network.actor[0].weight.copy_(torch.tensor([[0.0, -20.0], [0.0, 20.0]]))
        network.actor[0].bias.zero_()
    return save_network(working_folder / "victim", "coins/any", network)


def recipe(folder, victim, **values):
    default = {
        "game": "coins/any", "attack": "pa-ad", "eps": 1.5, "space": "raw", "steps": 256, "envs": 8, "batch": 64,
        "minibatch": 32, "checkpoint_every": 128, "episodes": 3, "tuning": 2, "agent": "my/perturber",
    }  # fmt: skip
    return TrainPerturber(**default | values, victim=victim, run=folder)


def run(folder, victim, watch=None, **values):
    (shipped,) = train(recipe(folder, victim, **values), watch or Diary(), "rlattack ...")
    return shipped


@pytest.mark.parametrize("attack", ["pa-ad", "sa-rl"])
def test_the_perturber_learns_to_turn_every_coin_and_plays_what_its_card_says(tmp_path, victim, attack):
    values = {"attack": attack, "steps": 4096, "batch": 512, "learning_rate": 3e-3, "episodes": 20}
    shipped = run(tmp_path / "run", victim, **values, checkpoint_every=4096)
    card = read_agent_card(shipped.folder)
    assert (card.role, card.algorithm, card.game, card.score) == ("adversary", "ppo", "coins/any", shipped.score.table)
    assert card.score["mean"] < 0.2 < 3 < card.score["clean"]["mean"] <= 5
    told = card.provenance["perturbs"]
    assert {name: told[name] for name in ("attack", "eps", "norm", "space")} == {
        "attack": attack, "eps": 1.5, "norm": "linf", "space": "raw",
    }  # fmt: skip
    assert card.provenance["victim"] == {"id": victim, "sha256": read_agent_card(tmp_path / "victim").sha256}
    assert card.score["command"] == (
        f"rlattack attack coins/any --victim {victim} --episodes 20 --seed 1000 --attack {attack}:agent=my/perturber "
        "--eps 1.5 --space raw"
    )
    study = Study(
        game="coins/any", players=victim, attack=f"{attack}:agent=my/perturber", eps=1.5, space="raw", seed=1000
    )
    clean, noise, attacked = (one.victim_seat.returns.mean for one in evaluate(study, run=tmp_path / "again").cells)
    assert (clean, noise, attacked) == (card.score["clean"]["mean"], card.score["noise"]["mean"], card.score["mean"])
    assert curve(tmp_path / "run", "evaluation/return_mean") == {4096: pytest.approx(attacked)}


def test_an_adversary_is_played_against_its_own_victim_in_its_own_game_and_another_size_is_said(tmp_path, victim):
    game, agent = "coins/any", run(tmp_path / "run", victim).id
    planned = plan(Study(game=game, players=victim, attack=f"pa-ad:agent={agent}", eps=(1.5, 0.5), space="raw"))
    assert planned.note == f"attack pa-ad: {agent} learned at linf 1.5 raw, steps=1 and plays at linf 0.5 raw, steps=1"
    other = save_network(tmp_path / "other", game, Network(SPEC))
    of_another = {"game": game, "players": other, "eps": 1.5, "space": "raw"}
    with pytest.raises(InvalidInput, match=f"{agent} learned to perturb another victim, {victim}, than {other}; trans"):
        plan(Study(**of_another, attack=f"pa-ad:agent={agent}"))
    assert plan(Study(**of_another, attack=f"pa-ad:agent={agent},transfer=true")).note == ""
    crafted = Study(**of_another, attack=f"pa-ad:agent={agent}", surrogate=victim)  # on whom it learned
    assert len(plan(crafted).cells) == 3
    with pytest.raises(InvalidInput, match=f"{agent} is an adversary of pa-ad; play it as pa-ad:agent={agent}"):
        plan(Study(**{**of_another, "players": victim}, attack=f"sa-rl:agent={agent}"))
    with pytest.raises(InvalidInput, match=f"agent {agent} was trained for coins/any, not for gymnasium/CartPole-v1"):
        plan(Study(**CARTPOLE, players="tests.kit.players:balance", attack=f"pa-ad:agent={agent}", space="raw"))
    with pytest.raises(InvalidInput, match=f"agent {agent} was trained for the seat 'perturber', not for 'player'"):
        plan(Study(game=game, players=agent))
    first, again = (plan(Study(**{**of_another, "players": victim}, attack=f"pa-ad:agent={agent}")) for _ in range(2))
    assert first.cells == again.cells
    save_network(tmp_path / "agents" / agent, game, read_agent(tmp_path / "agents" / agent)[1])  # without its card
    with pytest.raises(InvalidInput, match=f"expected an adversary that .* trained, got {agent}"):
        plan(Study(**{**of_another, "players": victim}, attack=f"pa-ad:agent={agent}"))


def test_a_victim_of_a_duel_is_perturbed_in_its_seat_against_who_holds_the_other(tmp_path):
    victim = save_network(tmp_path / "pusher", "tug/any", linear_gaussian_network([[0.0, 9.0, 9.0]], deviation=0.01))
    values = {
        "game": "tug/any",
        "opponent": "tests.kit.learning:middling",
        "seat": "left",
        "eps": 5.0,
        "attack": "sa-rl",
    }
    shipped = run(
        tmp_path / "run", victim, **values, steps=2048, batch=256, learning_rate=3e-3, checkpoint_every=2048,
        seeds=(0, 1), tuning=4, episodes=8, actions="greedy",
    )  # fmt: skip
    score = read_agent_card(shipped.folder).score
    assert score["win"]["rate"] < 0.3 < 0.9 < score["clean"]["win"]["rate"]
    players = f"{victim} tests.kit.learning:middling"
    assert score["command"].startswith(f"rlattack duel tug/any --players {players} --victim left --episodes 8 --seed 1")
    assert "--attack sa-rl:agent=my/perturber --eps 5 --space raw --actions greedy" in score["command"]
    assert all(one.tuning.rate > 0.7 for one in shipped.tried)  # that the victim loses


def test_every_seed_learns_and_the_victim_earns_least_under_the_one_that_ships(tmp_path, victim):
    watch = Diary()
    shipped = run(tmp_path / "run", victim, watch, seeds=(4, 7))
    card = read_agent_card(shipped.folder)
    tried = {one.seed: one.tuning.mean for one in shipped.tried}
    assert tried[card.provenance["seed"]] == min(tried.values())
    assert [row["tuning_return"] for row in card.provenance["tried"]] == list(tried.values())
    assert json.loads((tmp_path / "run" / "seeds.json").read_text()) == card.provenance["tried"]
    assert card.sha256 == read_agent_card(tmp_path / f"run/seed-{card.provenance['seed']}/agent").sha256
    notes = [note for *_, note, _ in watch.played]
    assert notes == ["choosing, seed 4"] * 6 + ["choosing, seed 7"] * 6 + ["evaluating"] * 9
    trained = [
        Trained(seed=seed, steps=256, folder=tmp_path / f"run/seed-{seed}/agent", tuning=Mean(mean, (0, 9)))
        for seed, mean in ((4, 2.0), (7, -1.0))
    ]
    assert choose(tmp_path / "run", trained).seed == 7


@pytest.mark.parametrize("attack", ["pa-ad", "sa-rl"])
def test_a_killed_run_ends_with_the_agent_of_one_that_was_not(tmp_path, victim, attack):
    values = {"attack": attack, "agent": "my/other"}
    with pytest.raises(Crash):
        run(tmp_path / "killed", victim, Diary(crash_at=192), **values)
    assert json.loads((tmp_path / "killed/seed-0/progress.json").read_text())["steps"] == 128
    run(tmp_path / "killed", victim, resume=True, **values)
    run(tmp_path / "whole", victim, attack=attack)
    (one, first), (other, second) = (read_agent(tmp_path / name / "agent") for name in ("killed", "whole"))
    assert one.sha256 == other.sha256
    assert all(torch.equal(first.state_dict()[name], tensor) for name, tensor in second.state_dict().items())
    assert one.provenance["steps"] == 256


def test_a_run_goes_on_longer_with_more_seeds_and_under_nothing_else(tmp_path, victim):
    run(tmp_path / "run", victim)
    with pytest.raises(RunConflict, match="holds a training run; add --resume to go on"):
        run(tmp_path / "run", victim)
    with pytest.raises(RunConflict, match=r"trained with eps 1\.5, now 0\.5; choose another --run"):
        run(tmp_path / "run", victim, resume=True, eps=0.5)
    with pytest.raises(RunConflict, match=r"trained with attack pa-ad, now pa-ad:steps=2; choose another --run"):
        run(tmp_path / "run", victim, resume=True, attack="pa-ad:steps=2")
    shipped = run(tmp_path / "run", victim, resume=True, steps=320, seeds=(0, 1))
    assert [(one.seed, one.steps) for one in shipped.tried] == [(0, 320), (1, 320)]
    save_network(tmp_path / "victim", "coins/any", Network(SPEC))
    with pytest.raises(RunConflict, match=r"trained with players_identity \['\w+'\], now \['\w+'\]; choose"):
        run(tmp_path / "run", victim, resume=True, steps=320, seeds=(0, 1))


def test_seeds_learn_at_once_what_they_learn_one_after_the_other(tmp_path, victim):
    shipped = run(tmp_path / "apart", victim, seeds=(0, 1), workers=2)
    alone = run(tmp_path / "alone", victim, seeds=(0, 1), workers=1, agent="my/other")
    assert [one.tuning for one in shipped.tried] == [one.tuning for one in alone.tried]
    for seed in (0, 1):
        one, other = (read_agent_card(tmp_path / name / f"seed-{seed}" / "agent") for name in ("apart", "alone"))
        assert one.sha256 == other.sha256


@pytest.mark.slow
def test_what_goes_wrong_with_one_seed_is_told_as_if_it_learned_alone(tmp_path, victim):
    run(tmp_path / "run", victim, seeds=(0, 1), workers=1)
    (tmp_path / "run/seed-1/checkpoint.pt").write_bytes(b"none")
    learn = functools.partial(learn_seed, recipe(tmp_path / "run", victim, resume=True), "")
    with pytest.raises(RefusedFile, match="not a zip, or a truncated one"):
        learn_at_once(learn, (0, 1), 256, 2, Diary())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attack": "fgsm"}, "--attack: expected nr-mdp or pa-ad or pr-mdp or sa-rl, got 'fgsm'"),
        ({"attack": "perturber"}, "--attack: expected nr-mdp or pa-ad or pr-mdp or sa-rl, got 'perturber'"),
        ({"attack": "pa-ad:agent=x"}, "--attack pa-ad:agent=x: agent is for `rlattack attack`: here one is trained"),
        ({"attack": "pa-ad:steps=0"}, "attack pa-ad: steps: expected a number at least 1, got 0"),
        ({"attack": "sa-rl", "norm": "l2"}, "attack sa-rl has the norms linf, got l2"),
        ({"eps": 0.0}, "--eps: expected a finite number above 0, got 0"),
        ({"space": "sigma"}, "--space sigma needs an agent that ships observation statistics"),
        ({"victim": "random"}, "--victim: expected an agent, got 'random', which looks at nothing"),
        ({"victim": "atari/pong/ppo"}, "atari/pong/ppo was trained for atari/pong, not for coins/any"),
        ({**FILM, "attack": "sa-rl"}, r"attack sa-rl: .* this game shows \(4, 6, 6\), .*; use pa-ad"),
        ({**FILM, "attack": "pa-ad"}, r"does not fit observations of \(4, 6, 6\)"),
        ({"victim": "nobody"}, "no agent and no file 'nobody'"),
        (
            {**CARTPOLE, "victim": "tests.kit.players:opaque"},
            r"opaque gives no gradient .*, and pa-ad needs one; use sa-rl$",
        ),
        ({"game": "tug/any"}, "--opponent: game tug/any has 2 seats, so name who holds the other"),
        ({"game": "tug/any", "opponent": "zero", "seat": "goal"}, "--seat: expected left .0. or right .1., got 'goal'"),
        ({"opponent": "zero"}, "--opponent: game coins/any has one seat, so leave it out"),
        ({"steps": 32}, "--steps: expected at least 64, one --batch, got 32"),
        ({"batch": 60}, "--batch: expected a multiple of --envs 8, got 60"),
        ({"minibatch": 30}, "--minibatch: expected a divisor of --batch 64, 2 or more, got 30"),
        ({"seeds": (1, 1)}, "--seeds: expected different numbers of 0 to 2147483647"),
        ({"seeds": ()}, "--seeds: expected different numbers of 0 to 2147483647"),
        ({"workers": 0}, "--workers: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0"),
        ({"entropy": -1.0}, "--entropy: expected a weight of 0 or more"),
        ({"device": "cuda:99"}, "--device cuda:99: "),
        ({"env_args": ("rules",)}, "--env-args: expected KEY=VALUE"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, victim, values, message):
    with pytest.raises(RlattackError, match=message):
        run(tmp_path / "run", **{"victim": victim} | values)
    assert not (tmp_path / "run").exists()


def test_a_front_that_learns_stands_before_the_victim_of_a_perturber(tmp_path, victim):
    front = "denoiser:episodes=20,states=200,epochs=1"
    shipped = run(tmp_path / "run", victim, defence=(front,), steps=64, checkpoint_every=64)
    assert f"--defence {front}" in shipped.score.command
