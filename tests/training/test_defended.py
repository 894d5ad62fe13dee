"""Agents that learn to stand attacks, from a recipe to the best of them."""

import json

import pytest
import torch

from rlattack.errors import InvalidInput, RlattackError, RunConflict
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.results import Mean
from rlattack.policies.folder import read_agent, read_agent_card
from rlattack.policies.network import Network, NetworkSpec
from rlattack.training import Trained
from rlattack.training.adversary import choose
from tests.kit.agents import gaussian_network, save_network
from tests.kit.learning import Diary, curve
from tests.training.hardened import ARM, COINS, TEACHER, learn_little, run

SPEC = NetworkSpec(observation=(2,), actions=2, head="actor-critic", scale=1.0, actor=(8,), critic=(8,))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    learn_little(monkeypatch)


def test_a_run_leaves_an_agent_whose_card_says_what_it_stands_and_what_it_earns_clean_and_attacked(tmp_path):
    shipped = run(tmp_path / "run", episodes=10)
    card = read_agent_card(shipped.folder)
    assert (card.role, card.algorithm, card.game, card.score) == ("victim", "ppo", "coins/any", shipped.score.table)
    claims = {"defence": "sa:steps=2", "eps": 0.3, "norm": "linf", "space": "raw", "kinds": ["linf"]}
    assert card.provenance["defends"] == claims
    command = "rlattack attack coins/any --victim my/own --episodes 10 --seed 1000"
    assert card.score["command"] == command
    assert card.score["attacked"]["command"] == f"{command} --attack pgd:loss=margin --eps 0.3 --space raw"
    study = Study(
        game="coins/any", players="my/own", attack="pgd:loss=margin", eps=0.3, space="raw", seed=1000, episodes=10
    )
    clean, noise, attacked = (one.victim_seat.returns.mean for one in evaluate(study, run=tmp_path / "again").cells)
    told = [card.score, card.score["noise"], card.score["attacked"]]
    assert [one["mean"] for one in told] == [clean, noise, attacked]
    assert curve(tmp_path / "run", "evaluation/return_mean") == {256: pytest.approx(clean)}
    assert curve(tmp_path / "run/seed-0", "train/robustness")


@pytest.mark.parametrize("game", [COINS, ARM], ids=["discrete", "continuous"])
def test_who_goes_on_from_an_agent_begins_as_it_is_and_its_card_names_it(tmp_path, game):
    network = Network(SPEC) if game is COINS else gaussian_network(3, hidden=(8,), critic=(4,), clip=10.0)
    if game is ARM:
        network.obs_mean.fill_(0.5)
    victim = save_network(tmp_path / "victim", game["game"], network)
    begun = run(tmp_path / "run", **game, victim=victim, learning_rate=1e-30)
    card, learned = read_agent(tmp_path / "run" / "agent")
    assert card.provenance["victim"] == {"id": victim, "sha256": read_agent_card(tmp_path / "victim").sha256}
    for name, tensor in network.state_dict().items():
        if not name.startswith(("vf.out", "value_")):  # whose scale is that of the rewards
            torch.testing.assert_close(learned.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)
    other = save_network(tmp_path / "victim", game["game"], type(network)(network.spec))
    with pytest.raises(RunConflict, match="trained with victim_identity"):
        run(tmp_path / "run", **game, victim=other, learning_rate=1e-30, resume=True)
    assert begun.id == "my/own"


def test_the_scores_of_who_it_goes_on_from_are_divided_where_asked_for(tmp_path):
    network = Network(SPEC)
    victim = save_network(tmp_path / "victim", COINS["game"], network)
    run(tmp_path / "run", victim=victim, learning_rate=1e-30, victim_temperature=4.0)
    learned = read_agent(tmp_path / "run" / "agent")[1]
    seen = torch.rand(32, 2)
    scores, values = network(seen)[:2]
    found = learned(seen)[:2]
    torch.testing.assert_close(found[0], scores / 4, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found[1], values, rtol=1e-3, atol=1e-4)
    assert scores.std() > 0.01


def test_a_dqn_goes_on_from_a_network_of_values(tmp_path):
    network = Network(NetworkSpec(observation=(2,), actions=2, head="q", scale=1.0, actor=(8,)))
    victim = save_network(tmp_path / "victim", "coins/any", network)
    run(tmp_path / "run", victim=victim, algo="dqn", learning_rate=1e-30)
    learned = read_agent(tmp_path / "run" / "agent")[1].state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(learned[name], tensor, rtol=1e-3, atol=1e-6)


def test_every_seed_learns_and_the_one_that_earns_most_under_attack_ships(tmp_path):
    watch = Diary()
    shipped = run(tmp_path / "run", watch, seeds=(4, 7))
    card = read_agent_card(shipped.folder)
    tried = {one.seed: one.tuning.mean for one in shipped.tried}
    assert tried[card.provenance["seed"]] == max(tried.values())
    assert json.loads((tmp_path / "run" / "seeds.json").read_text()) == card.provenance["tried"]
    notes = [note for *_, note, _ in watch.played]
    assert notes == ["choosing, seed 4"] * 6 + ["choosing, seed 7"] * 6 + ["evaluating"] * 9
    trained = [
        Trained(seed=seed, steps=256, folder=tmp_path / f"run/seed-{seed}/agent", tuning=Mean(mean, (0, 9)))
        for seed, mean in ((4, 2.0), (7, 3.0))
    ]
    assert choose(tmp_path / "run", trained, defended=True).seed == 7


@pytest.mark.slow
def test_seeds_learn_at_once_what_they_learn_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.undo()  # other processes know nothing of small batches
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "apart", seeds=(0, 1), workers=2)
    run(tmp_path / "alone", seeds=(0, 1), workers=1, agent="my/other")
    for seed in (0, 1):
        one, other = (read_agent_card(tmp_path / name / f"seed-{seed}" / "agent") for name in ("apart", "alone"))
        assert one.sha256 == other.sha256


def test_a_smoothed_agent_is_scored_behind_its_front(tmp_path):
    shipped = run(tmp_path / "run", defence="smoothed:sigma=0.1,copies=4")
    front = "smooth:sigma=0.1,copies=4,vote=mean,space=raw"
    assert f"--defence {front}" in shipped.score.command
    assert f"--defence {front}" in shipped.score.more["attacked"]["command"]
    assert read_agent_card(shipped.folder).score["fronts"] == [front]


def test_who_learns_under_noise_needs_no_size(tmp_path):
    shipped = run(tmp_path / "run", defence="smoothed:sigma=0.1,copies=4", eps=None)
    card = read_agent_card(shipped.folder)
    assert card.provenance["defends"]["kinds"] == ["gaussian"]
    assert "eps" not in card.provenance["defends"]
    assert card.score["attacked"]["attack"] == "missing"


PONG = {"game": "atari/pong", "space": "unit", "eps": 0.01}
BAD = [
    (
        {**PONG, "defence": "smoothed:sigma=0.0005"},
        "smoothed: sigma: what is seen is kept as bytes, so expected at least half a grey level, 0.001961, got 0.0005",
    ),
    (
        {**PONG, "space": "raw", "defence": "smoothed:sigma=0.4"},
        "expected at least half a grey level, 0.5, got 0.4",
    ),
    ({"defence": "sb"}, "no defence 'sb'; did you mean 'sa'"),
    ({"defence": "jpeg:quality=50"}, "--defence jpeg: is a front, which stands before any agent and is not trained: "),
    ({"defence": "sa:kapa=1"}, "defence sa has no parameter 'kapa'; did you mean 'kappa'"),
    ({"defence": "sa:solver=best"}, "defence sa: solver: expected"),
    (
        {"defence": "sa:start=0.5,ramp=0.9"},
        "defence sa: expected start and ramp, .* got 0.5 and 0.9, .* choose a ramp of at most 0.5$",
    ),
    ({**TEACHER, "defence": "distil:start=0.6"}, "defence distil: expected start and ramp, .* got 0.6 and 0.5, "),
    ({"eps": None}, "--eps: --defence sa needs the size that it is to stand, as --eps 0.01"),
    ({"eps": 0.0}, "--eps: expected a finite number above 0, got 0"),
    ({"space": "unit"}, "--space unit is for pixels in 0..255, this game shows"),
    ({"space": "sigma"}, "--space sigma: coins/any is learned without statistics of what is seen; use --space raw"),
    ({"norm": "l2"}, "--defence sa: has the norms linf, got --norm l2"),
    ({"game": "tug/any"}, "game tug/any has 2 seats: `rlattack train rounds` hardens who is met there"),
    ({**ARM, "algo": "dqn"}, "--algo dqn: gymnasium/Pendulum-v1 has continuous actions; choose --algo ppo$"),
    ({"victim": "random"}, "--victim: expected an agent, got 'random', which looks at nothing"),
    ({"victim": "atari/pong/ppo"}, "atari/pong/ppo was trained for atari/pong, not for coins/any"),
    (
        {"game": "gymnasium/CartPole-v1", "victim": "tests.kit.players:balance"},
        "--victim tests.kit.players:balance: expected an agent's folder or a zip of Stable-Baselines3",
    ),
    (
        {"game": "gymnasium/CartPole-v1", "victim": "gymnasium/CartPole-v1/dqn"},
        "dqn: has a network of the kind q, ppo has not: choose --algo dqn",
    ),
    ({"attack": "fsgm"}, "no attack 'fsgm'; did you mean 'fgsm'"),
    ({"defence": "bar", "algo": "dqn"}, "--defence bar: is for --algo ppo, got dqn"),
    (
        {"defence": "adversarial:attack=mas"},
        "attack mas has the norms|adversarial: attack: expected one on what is seen",
    ),
    ({"defence": "adversarial:attack=none"}, "adversarial: attack: expected one on what is seen, got none"),
    ({"defence": "adversarial:attack=universal"}, "universal learns before it plays, of who is attacked; expected one"),
    ({"defence": "adversarial:attack=cw"}, "cw has the norms l2, got linf"),
    ({"defence": "adversarial:pool=9", "algo": "dqn"}, "--defence adversarial: pool: is for --algo ppo, got dqn"),
    ({"defence": "adversarial:pool=9", "norm": "l2"}, "--defence adversarial: pool: has the norm linf, got --norm l2"),
    ({"defence": "natural:changes=storm"}, "--defence natural: changes: expected some of rotate, .*; got storm"),
    ({"defence": "natural:changes=rotate"}, "rotation is for images, this game shows numbers"),
    ({"seeds": (1, 1)}, "--seeds: expected different numbers of 0 to"),
    ({"workers": 0}, "--workers: expected at least 1, got 0"),
    ({"learning_rate": 0.0}, "--learning-rate: expected a number above 0"),
    ({"victim_temperature": 2.0}, "--victim-temperature: expected a --victim whose scores it divides, or 1, got 2"),
    ({"victim": "tests.kit.players:coin", "victim_temperature": 0.0}, "--victim-temperature: expected a number above"),
    (
        {"victim": "tests.kit.players:coin", "victim_temperature": 2.0, "defence": "distil"},
        "--victim-temperature: is for ppo of discrete actions",
    ),
    ({**TEACHER, "defence": "distil", "algo": "dqn"}, "--algo: changes nothing of --defence distil, which learns by i"),
    (
        {**TEACHER, "defence": "distil", "learning_rate": 5.0},
        "--learning-rate: changes nothing of --defence distil, whose own is its parameter rate; leave it out",
    ),
    (
        {**TEACHER, "defence": "garbage", "eps": None, "envs": 64},
        "--envs: changes nothing of --defence garbage, whose lessons are of 8 copies; leave it out",
    ),
    ({"device": "cuda:99"}, "--device cuda:99: "),
    ({"env_args": ("rules",)}, "--env-args: expected KEY=VALUE"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, values, message):
    with pytest.raises(RlattackError, match=message):
        run(tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_a_network_with_a_memory_cannot_be_gone_on_from(tmp_path):
    victim = save_network(tmp_path / "victim", ARM["game"], gaussian_network(3, memory=4))
    with pytest.raises(InvalidInput, match="expected a network without memory"):
        run(tmp_path / "run", **ARM, victim=victim)
