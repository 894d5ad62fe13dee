"""Perturbers that lead a victim towards another agent: from demonstrations to likeness on a card."""

import json

import pytest
import torch

from rlattack.errors import RlattackError, RunConflict
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.results import Mean
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.policies.network import Network, NetworkSpec
from rlattack.training import Trained, TrainPerturber, train
from rlattack.training.adversary import choose
from tests.kit.agents import linear_gaussian_network, save_network
from tests.kit.cells import FAMILIES as FAMILIES  # registers the family `film`
from tests.kit.learning import Crash, Diary, curve

SPEC = NetworkSpec(observation=(2,), actions=2, head="actor-critic", scale=1.0)
FILM = {"game": "film/any", "victim": "tests.kit.players:bright", "space": "unit", "eps": 0.1, "attack": "pa-ad"}
CARTPOLE = {"game": "gymnasium/CartPole-v1", "eps": 0.1}


def agent(folder, weight, bias):
    network = Network(SPEC)
    with torch.no_grad():
        network.actor[0].weight.copy_(torch.tensor([[0.0, -weight], [0.0, weight]]))
        network.actor[0].bias.copy_(torch.tensor([bias, 0.0]))
    return save_network(folder, "coins/any", network)


@pytest.fixture
def agents(working_folder):
    """Who names every coin, and who says 0 to all of them: half of them are."""
    return agent(working_folder / "victim", 20.0, 0.0), agent(working_folder / "zero", 0.0, 40.0)


def run(folder, agents, watch=None, **values):
    default = {
        "game": "coins/any", "attack": "sa-rl", "eps": 1.5, "space": "raw", "steps": 256, "envs": 8, "batch": 64,
        "minibatch": 32, "checkpoint_every": 128, "episodes": 3, "tuning": 2, "agent": "my/perturber",
        "victim": agents[0], "towards": agents[1],
    }  # fmt: skip
    (shipped,) = train(TrainPerturber(**default | values, run=folder), watch or Diary(), "rlattack ...")
    return shipped


LEARNS = {"steps": 3072, "batch": 256, "learning_rate": 3e-3, "checkpoint_every": 3072}


def test_the_victim_is_led_to_do_what_was_demonstrated_and_not_to_lose_all(tmp_path, agents):
    watch = Diary()
    shipped = run(tmp_path / "run", agents, watch, **LEARNS, episodes=20)
    card = read_agent_card(shipped.folder)
    assert card.score == shipped.score.table
    like = {name: card.score[name]["observed"]["likeness"] for name in ("clean", "noise", "target")}
    like["attacked"] = card.score["observed"]["likeness"]
    assert like["attacked"]["ci"][0] > 0.9 > 0.7 > like["noise"]["ci"][1]
    assert like["clean"]["ci"][1] < 0.7
    assert like["target"]["mean"] == 1
    assert card.score["mean"] == pytest.approx(card.score["target"]["mean"], abs=0.2)  # half the coins, and not none
    assert card.provenance["towards"] == {
        "id": agents[1], "sha256": read_agent_card(tmp_path / "zero").sha256, "demonstrations": 10,
        "states_only": False,
    }  # fmt: skip
    assert card.score["command"].endswith(
        f"--attack sa-rl:agent=my/perturber --eps 1.5 --space raw --observe likeness:target=agent:{agents[1]}"
    )
    assert card.score["target"]["command"] == (
        f"rlattack attack coins/any --victim {agents[1]} --episodes 20 --seed 1000 "
        f"--observe likeness:target=agent:{agents[1]}"
    )
    assert [note for *_, note, _ in watch.played] == ["evaluating"] * 60 + ["the target itself"] * 20
    assert watch.played[-1][:2] == (80, 80)
    study = Study(
        game="coins/any", players=agents[0], attack="sa-rl:agent=my/perturber", eps=1.5, space="raw", seed=1000,
        observe=f"likeness:target=agent:{agents[1]}",
    )  # fmt: skip
    *_, again = evaluate(study, run=tmp_path / "again").cells
    assert again.victim_seat.observed["likeness"].mean == like["attacked"]["mean"]
    curves = {name: curve(tmp_path / "run/seed-0", name) for name in ("rollout/likeness", "discriminator/loss")}
    assert list(curves["discriminator/loss"]) == list(curves["rollout/likeness"])
    first, *_, last = curves["rollout/likeness"].values()
    assert first < 0.7 < 0.9 < last
    assert all(0 <= share <= 1 for share in curve(tmp_path / "run/seed-0", "discriminator/accuracy").values())
    assert curve(tmp_path / "run", "evaluation/likeness") == {3072: pytest.approx(like["attacked"]["mean"])}


@pytest.mark.slow
def test_a_director_leads_the_victim_there_too(tmp_path, agents):
    shipped = run(tmp_path / "run", agents, attack="pa-ad", **LEARNS, episodes=20)
    assert shipped.score.observed["likeness"].ci[0] > 0.9


def test_states_alone_show_the_way_of_numbers_in_a_game_of_two(tmp_path):
    still = save_network(tmp_path / "still", "tug/any", linear_gaussian_network([[0.0, 0.2, 0.0]], deviation=0.01))
    pulls = linear_gaussian_network([[0.0, 0.0, 0.0]], deviation=0.01)
    with torch.no_grad():
        pulls.pi.out.bias.fill_(-0.8)
    pulls = save_network(tmp_path / "pulls", "tug/any", pulls)
    shipped = run(
        tmp_path / "run", (still, pulls), game="tug/any", opponent="tests.kit.learning:middling", seat="left", eps=5.0,
        states_only=True, actions="greedy", episodes=5, **LEARNS,
    )  # fmt: skip
    score = shipped.score.table
    assert score["observed"]["likeness"]["mean"] > 0.85
    assert max(score[name]["observed"]["likeness"]["mean"] for name in ("clean", "noise")) < 0.75
    assert score["target"]["win"]["rate"] == score["win"]["rate"] == 0
    assert list(curve(tmp_path / "run/seed-0", "rollout/likeness").values())[-1] > 0.8


@pytest.mark.parametrize("states_only", [False, True])
def test_a_killed_run_ends_with_the_agent_of_one_that_was_not(tmp_path, agents, states_only):
    values = {"states_only": states_only, "agent": "my/other"}
    with pytest.raises(Crash):
        run(tmp_path / "killed", agents, Diary(crash_at=192), **values)
    assert json.loads((tmp_path / "killed/seed-0/progress.json").read_text())["steps"] == 128
    run(tmp_path / "killed", agents, resume=True, **values)
    run(tmp_path / "whole", agents, states_only=states_only)
    (one, first), (other, second) = (read_agent(tmp_path / name / "agent") for name in ("killed", "whole"))
    assert one.sha256 == other.sha256
    assert all(torch.equal(first.state_dict()[name], tensor) for name, tensor in second.state_dict().items())
    folders = [tmp_path / name / "seed-0" for name in ("killed", "whole")]
    kept = [torch.load(folder / "checkpoint.pt", weights_only=True)["policy"] for folder in folders]
    beside = [name for name in kept[0] if name.startswith("beside.")]
    assert "beside.demonstrations" in beside
    assert len(kept[0]["beside.demonstrations"]) > 30  # ten episodes of three coins and more
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in beside)


def test_a_run_goes_on_under_nothing_else(tmp_path, agents):
    run(tmp_path / "run", agents)
    with pytest.raises(RunConflict, match="trained with demonstrations 10, now 4; choose another --run"):
        run(tmp_path / "run", agents, resume=True, demonstrations=4)
    with pytest.raises(RunConflict, match=r"trained with towards .*zero, now None; choose another --run"):
        run(tmp_path / "run", agents, resume=True, towards=None)
    agent(tmp_path / "zero", 0.0, -40.0)
    with pytest.raises(RunConflict, match="trained with towards_identity"):
        run(tmp_path / "run", agents, resume=True, steps=320)


def test_of_several_seeds_the_one_that_led_the_victim_nearest_ships(tmp_path, agents):
    shipped = run(tmp_path / "run", agents, seeds=(0, 1), workers=1)
    tried = {one.seed: one.likeness.mean for one in shipped.tried}
    card = read_agent_card(shipped.folder)
    assert tried[card.provenance["seed"]] == max(tried.values())
    assert [row["tuning_likeness"] for row in card.provenance["tried"]] == list(tried.values())
    assert [row["tuning_return"] for row in card.provenance["tried"]] == [one.tuning.mean for one in shipped.tried]
    trained = [
        Trained(seed=seed, steps=256, folder=one.folder, tuning=Mean(earned, (0, 9)), likeness=Mean(like, (0, 1)))
        for one, seed, earned, like in zip(shipped.tried, (0, 1), (0.0, 9.0), (0.4, 0.5), strict=True)
    ]
    assert choose(tmp_path / "run", trained).seed == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attack": "nr-mdp"}, "--towards: expected an attack on what the victim sees, pa-ad or sa-rl, got 'nr-mdp'"),
        ({"demonstrations": 0}, "--demonstrations: expected at least 1, got 0"),
        ({"towards": None, "states_only": True}, "--states-only: expected --towards, whose demonstrations those are"),
        ({"towards": "atari/pong/ppo"}, "atari/pong/ppo was trained for atari/pong, not for coins/any"),
        ({"towards": "nobody"}, "no agent and no file 'nobody'"),
        ({"towards": "random"}, "--towards random: expected an agent that looks at the game, and random does not"),
        ({"towards": "victim"}, "--towards: expected another agent than the victim, got victim for both"),
        (
            {**CARTPOLE, "victim": "tests.kit.players:balance", "towards": "tests.kit.players:memory"},
            "--towards tests.kit.players:memory: expected an agent without memory",
        ),
        (
            {**CARTPOLE, "victim": "tests.kit.players:balance", "towards": "tests.kit.players:coin"},
            r"tests.kit.players:coin",
        ),
        ({**FILM, "towards": "tests.kit.players:bright"}, r"--towards: expected numbers in a row, .* \(4, 6, 6\)"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, agents, values, message):
    with pytest.raises(RlattackError, match=message):
        run(tmp_path / "run", agents, **values)
    assert not (tmp_path / "run").exists()
