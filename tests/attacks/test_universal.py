"""One perturbation for everything, against what is best for linear policies; its fit on tuning episodes."""

from dataclasses import dataclass

import pytest
import torch
from gymnasium.spaces import Box

from rlattack.attacks import Attacker, ObservationAttack, make_attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.policies.gaussian import GaussianPolicy
from tests.attacks.conftest import SPACE, RandomTuning
from tests.kit.agents import linear_gaussian_network, linear_policy
from tests.kit.cells import Film  # noqa: F401  # registers the game
from tests.kit.runs import numbers, rows

EPS = 0.02
NAME = "universal:states=40,loss=margin"
FILM = {
    "game": "film/any", "players": ("tests.kit.players:bright",), "attack": (NAME,),
    "eps": (0.1,), "episodes": 6, "envs": 4,
}  # fmt: skip


@pytest.fixture
def slope():
    """Of the margin of action 1 over action 0."""
    return torch.randn(SPACE.shape, generator=torch.Generator().manual_seed(1))


def fit(policy, shown, norm="linf", model="stack", **parameters):
    """What is learned where the game shows these batches; it starts at random and loses sight of that."""
    attack = make_attack("universal", Budget(norm=norm, eps=EPS), **{"loss": "margin", "states": 80} | parameters)
    attacker = Attacker(attack, policy, SPACE, 4, model=model)
    attack.learned = attack.fit(RandomTuning(attacker, policy, shown))
    return attacker, attack.learned


def certain(slope, surplus=1e6):
    """A linear policy that takes action 0 whatever it sees."""
    return linear_policy(torch.stack([torch.zeros(slope.numel()), slope.flatten()]), [surplus, 0.0], SPACE.shape)


def test_for_a_linear_victim_with_one_label_it_is_the_steepest_direction(slope, obs):
    _, learned = fit(certain(slope), [obs])
    assert torch.allclose(learned.tensors["delta"], 255 * EPS * slope.sign())
    _, learned = fit(certain(slope), [obs], norm="l2")
    delta = learned.tensors["delta"].flatten()
    assert float(delta.norm()) == pytest.approx(255 * EPS * 108**0.5, rel=1e-5)
    assert torch.cosine_similarity(delta, slope.flatten(), dim=0) > 0.999
    assert learned.facts == {"states": 80, "action_change": 0.0}


def test_where_labels_want_opposite_things_it_serves_the_more_frequent_one(slope):
    one, other = ((128 + 40 * sign * slope.sign()).expand(4, *SPACE.shape) for sign in (-1, 1))
    policy = certain(slope, 128 * float(slope.sum()))
    assert policy(torch.cat([one, other])).actions.greedy.tolist() == [0] * 4 + [1] * 4
    for shown, sign in ([one, one, other], 1), ([other, one, other], -1):
        _, learned = fit(policy, shown, states=600)
        assert torch.allclose(learned.tensors["delta"], sign * 255 * EPS * slope.sign(), rtol=0.01)


def test_how_many_states_it_changes_is_told(slope, obs):
    policy = certain(slope, float((obs * slope).flatten(1).sum(dim=1).max()) + 1.0)
    attacker, learned = fit(policy, [obs])
    changed = policy(attacker(obs)).actions.greedy != policy(obs).actions.greedy
    assert 0 < learned.facts["action_change"] == changed.float().mean()


def test_of_frames_that_are_attacked_once_all_get_the_same(slope):
    attacker, learned = fit(certain(slope), [torch.full((4, *SPACE.shape), 128.0)], model="frame")
    delta = learned.tensors["delta"]
    assert torch.allclose(delta, (255 * EPS * slope.sum(dim=0).sign()).expand(SPACE.shape))
    frames = torch.randint(50, 200, (4, 8, 6, 6), generator=torch.Generator().manual_seed(2)).float()
    for step in range(6):
        received = attacker(frames[:, step : step + 3])
    assert torch.allclose(received - frames[:, 5:8], delta.expand(4, *SPACE.shape), atol=1e-4)


@pytest.mark.parametrize("rule", [{"loss": "margin"}, {"rule": "deepfool", "loss": None}])
@pytest.mark.parametrize("target", [0, 1, "least", "agent:tests.attacks.test_universal:always_1"])
def test_a_target_is_where_all_are_led(slope, rule, target):
    grey = torch.full((4, *SPACE.shape), 128.0)
    wants_0 = certain(slope, 128 * float(slope.sum()) + 1e-3)
    attacker, learned = fit(wants_0, [grey], target=target, **rule)
    led = 0 if target == 0 else 1
    assert wants_0(attacker(grey)).actions.greedy.tolist() == [led] * 4
    if rule.get("loss"):
        assert torch.allclose(learned.tensors["delta"], (2 * led - 1) * 255 * EPS * slope.sign())


def always_1():
    """A player that does action 1 whatever it sees."""
    return certain(torch.zeros(SPACE.shape), -1.0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("model", ["stack", "frame"])
def test_the_rule_of_deepfool_goes_as_far_as_all_states_take_and_no_further(slope, norm, model):
    gap, grey = 30.0, torch.full((4, *SPACE.shape), 128.0)
    _, learned = fit(certain(slope, 128 * float(slope.sum()) + gap), [grey], norm, model, rule="deepfool", loss=None)
    way = slope if model == "stack" else slope.sum(dim=0).expand(SPACE.shape)
    expected = way.sign() if norm == "linf" else way
    expected = 1.02 * gap * expected / float((expected * slope).sum())
    assert torch.allclose(learned.tensors["delta"], expected, rtol=1e-3, atol=1e-5)
    assert learned.facts["action_change"] == 1.0


def test_the_rule_of_deepfool_ends_at_the_edge_of_the_reach(slope, obs):
    _, learned = fit(certain(slope), [obs.clamp(50, 200)], rule="deepfool", loss=None)
    assert torch.allclose(learned.tensors["delta"], 255 * EPS * slope.sign())


def test_states_that_are_turned_ask_for_nothing_more(slope):
    near, far = (torch.full((4, *SPACE.shape), 128.0) - way * slope.sign() for way in (0.0, 1.0))
    policy = certain(slope, 128 * float(slope.sum()) + 10.0)
    _, both = fit(policy, [near, far], rule="deepfool", loss=None)
    _, alone = fit(policy, [far], rule="deepfool", loss=None)
    assert both.facts["action_change"] == alone.facts["action_change"] == 1.0
    assert torch.allclose(both.tensors["delta"], alone.tensors["delta"], rtol=0.05)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rule": "deepfool"}, "rule=deepfool goes to boundaries: loss= and eot= are for rule=ascent"),
        ({"rule": "deepfool", "loss": None, "eot": 2}, "loss= and eot= are for rule=ascent"),
        ({"target": 2}, "target: expected an action 0 to 1 or 'least', got 2"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(slope, obs, parameters, message):
    with pytest.raises(InvalidInput, match=message):
        fit(certain(slope), [obs], **parameters)


def test_continuous_actions_have_no_boundaries():
    policy = GaussianPolicy(linear_gaussian_network(torch.ones(1, 3)))
    attack = make_attack("universal", Budget(eps=0.5, space="raw"), rule="deepfool")
    with pytest.raises(InvalidInput, match="rule=deepfool: expected discrete actions; rule=ascent takes others"):
        Attacker(attack, policy, Box(-9, 9, (3,), float), 4)


def test_it_asks_nothing_at_play_and_adds_the_same_to_everything(slope, obs):
    attacker, learned = fit(certain(slope), [obs])
    received = attacker(obs)
    assert torch.equal(received, (obs + learned.tensors["delta"]).clamp(0, 255))
    assert attacker.oracle.queries.sum() == attacker.oracle.gradients.sum() == 0


def test_continuous_victims_are_led_away_from_their_means():
    weights = torch.tensor([[1.0, -2.0, 0.5]])
    policy = GaussianPolicy(linear_gaussian_network(weights))
    attack = make_attack("universal", Budget(eps=0.5, space="raw"), states=8)
    attacker = Attacker(attack, policy, Box(-9, 9, (3,), float), 4)
    shown = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    delta = attack.fit(RandomTuning(attacker, policy, [shown])).tensors["delta"]

    best = 0.5 * weights[0].sign()
    assert torch.allclose(delta, best) or torch.allclose(delta, -best)  # the mean may be led up or down


def test_before_it_has_learned_anything_it_does_not_play(policy, obs):
    attacker = Attacker(make_attack("universal", Budget(eps=EPS)), policy, SPACE, 4)
    with pytest.raises(InvalidInput, match="universal learns on tuning episodes first"):
        attacker(obs)


def run(folder, workers=1, **changes):
    """What came of a study, what was told, and the files of its fits."""
    told = []
    results = evaluate(Study(**FILM | changes), run=folder, workers=workers, say=told.append)
    return results, told, {path.name: path.read_bytes() for path in sorted((folder / "store" / "fits").iterdir())}


@pytest.mark.parametrize("model", ["stack", "frame"])
def test_what_is_learned_and_played_is_the_same_with_any_number_of_workers(tmp_path, model):
    one, told, fits = run(tmp_path / "1", model=model)
    assert told == [f"fitting {NAME} 0.1 on tuning episodes"]
    assert len(fits) == 1
    _, told, others = run(tmp_path / "2", workers=2, model=model)
    assert (len(told), others) == (1, fits)
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")
    assert rows(tmp_path / "1") == rows(tmp_path / "2")
    _, noise, universal = one.cells
    assert (noise.attack.name, noise.control, noise.attack.fit) == ("noise", True, None)
    assert f"{universal.attack.fit}.safetensors" in fits
    assert 0.09 < universal.attacked.sizes["linf"] <= 0.1
    assert universal.attacked.queries == universal.attacked.gradients == 0
    assert universal.attacked.action_change > noise.attacked.action_change


def test_a_fit_is_found_again_and_learned_again_where_it_was_damaged(tmp_path):
    first, _, fits = run(tmp_path)
    more, told, again = run(tmp_path, episodes=8)
    assert (told, again) == ([], fits)
    (damaged,) = (tmp_path / "store" / "fits").glob("*.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-4] + b"oops")
    results, told, again = run(tmp_path, episodes=10)
    assert told == [f"fitting {NAME} 0.1 again: fit {damaged.stem} is damaged"]
    assert again == fits
    fresh, _, _ = run(tmp_path / "fresh", episodes=10)
    assert numbers(tmp_path) == numbers(tmp_path / "fresh")
    assert [len(one.cells) for one in (first, more, results, fresh)] == [3] * 4


def test_every_size_is_learned_for_itself(tmp_path):
    results, told, fits = run(tmp_path, eps=(0.05, 0.1))
    assert len(fits) == 2
    assert told == [f"fitting {NAME} {eps} on tuning episodes" for eps in (0.05, 0.1)]
    assert len({cell.attack.fit for cell in results.cells if cell.attack and not cell.control}) == 2


@dataclass(frozen=True, kw_only=True)
class ReleasedConfig:
    """Whose mask."""

    file: str


class Released(ObservationAttack):
    """Adds a mask that the authors of Tekgul et al. 2022 released for their agents."""

    name = "released"
    knowledge = "none"
    config_type = ReleasedConfig
    files = ("file",)

    def perturb(self, victim, obs, reach, draws):
        return obs + torch.load(self.config.file, weights_only=True, map_location="cpu")["advmask"]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "mask"), [("stack", "uaps"), ("frame", "uapo")])
def test_what_is_found_is_not_weaker_than_the_released_masks_on_their_own_agents(tmp_path, zoo, model, mask):
    files = zoo.parent / "ad3" / "Pong"
    released = Released(Budget(eps=0.01004), ReleasedConfig(file=str(files / f"mask-victim_ppo_{mask}.pt")))
    study = Study(
        game="atari/pong", players=str(files / "ppo" / "model.pt"), attack=(released, "universal"), eps=0.01004,
        model=model, episodes=3, envs=3, seed=7200,
    )  # fmt: skip
    clean, noise, theirs, ours = (cell.attacked.returns.mean for cell in evaluate(study, run=tmp_path, workers=1).cells)
    assert clean > 15
    assert noise > 10
    assert ours <= theirs + 1 < -18
