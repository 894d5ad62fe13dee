import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput, UnknownName
from rlattack.inspect.kinds import Units
from rlattack.inspect.layers import activations, layers_of
from rlattack.inspect.units import Likeness, units
from rlattack.policies.network import NetworkSpec
from tests.inspect.looks import COINS, PUSHING, UNSURE, other, subject_of
from tests.kit.agents import gaussian_agent, network_agent

pytestmark = pytest.mark.library
SPEC = NetworkSpec(
    observation=(2,), actions=2, head="actor-critic", scale=1.0, hidden=(12,), actor=(6, 5), critic=(4,),
    activation="tanh",
)  # fmt: skip


@pytest.fixture
def options(tmp_path):
    agent = network_agent(tmp_path / "agent", "coins/any", SPEC, seed=3)
    return Units(**{**COINS, "victim": agent}, states=40, every=1, top=4)


def likeness(points, episode, top):
    return Likeness((np.asarray(points)[:, None] - np.asarray(points)[None]) ** 2.0, np.asarray(episode), top)


def test_coherence_is_how_much_nearer_the_best_are_than_all():
    found = likeness([0.0, 0.0, 10.0, 10.0], [0, 1, 2, 3], top=2)
    alike, apart = np.array([[1.0, 1.0], [0.9, 0.0], [0.1, 0.9], [0.0, 0.1]]).T
    coherent, incoherent = found.coherence(np.stack([alike, apart], axis=1))
    assert coherent == pytest.approx(1)
    assert incoherent == pytest.approx(1 - 100 / (4 * 100 / 6))  # of six pairs four are 10 apart


def test_the_probability_of_units_that_are_surely_more_coherent_is_1_and_of_the_same_a_half():
    rng = np.random.default_rng(0)
    points = np.repeat([0.0, 10.0], 20)
    found = likeness(points, np.tile(np.arange(8), 5), top=4)
    sides = points[:, None] * rng.choice([-1.0, 1.0], 9) + rng.uniform(0, 1, (40, 9))
    nothing = rng.uniform(0, 1, (40, 9))
    assert found.probability(sides, nothing).mean > 0.9
    same = found.probability(nothing, nothing)
    assert same.mean == pytest.approx(0.5)
    assert 0 <= same.ci[0] < 0.5 < same.ci[1] <= 1


def test_layers_are_those_of_the_actor_that_are_hidden(options):
    subject = subject_of(options)
    assert layers_of(subject, subject.states(2, 1)) == ["trunk.1", "actor.0", "actor.2"]


def test_what_units_do_is_told_behind_their_activation(options):
    subject = subject_of(options)
    states = subject.states(6, 1)
    found = activations(subject, states, ["trunk.1", "actor.2"])
    network = subject.policy.module
    with torch.no_grad():
        first = network.trunk(torch.as_tensor(states.obs, dtype=torch.float32))
        hidden = network(torch.as_tensor(states.obs, dtype=torch.float32))[3]
    np.testing.assert_allclose(found["trunk.1"], first.numpy(), rtol=1e-6)
    np.testing.assert_allclose(found["actor.2"], hidden.numpy(), rtol=1e-6)
    assert found["trunk.1"].min() == 0


def test_layers_whose_modules_are_not_called_are_seen_too(tmp_path):
    agent = gaussian_agent(tmp_path / "agent", "pull/any", hidden=(4, 3))
    subject = subject_of(Units(**{**PUSHING, "victim": agent}))
    assert layers_of(subject, subject.states(2, 1)) == ["pi.layers.0", "pi.layers.2"]


def test_every_layer_has_units_beside_directions_with_intervals(options):
    found = units(subject_of(options), options)
    assert [layer["name"] for layer in found.numbers["layers"]] == ["trunk.1", "actor.0", "actor.2"]
    for layer in found.numbers["layers"]:
        assert 2 <= layer["looked"] <= layer["live"] <= layer["units"]
        assert list(layer["coherence"]) == ["units", "plain", "standardised", "chance"]
        for one in layer["probability"].values():
            assert 0 <= one.ci[0] <= one.mean <= one.ci[1] <= 1
    assert "3 layers" in found.sentence


def test_same_seed_same_numbers(options):
    one, two, another = (units(subject_of(of), of).to_json({}) for of in (options, options, other(options, seed=5)))
    assert one == two != another


def test_a_layer_that_is_none_is_named_with_those_that_are(options):
    with pytest.raises(UnknownName, match=r"layers: expected trunk\.1, actor\.0, actor\.2, got 'actor\.1'; did you"):
        units(subject_of(options), other(options, layers=("actor.1",)))


def test_an_agent_without_hidden_layers_is_refused():
    with pytest.raises(InvalidInput, match="expected an agent with hidden layers of torch's own, got tests"):
        units(subject_of(Units(**UNSURE)), Units(**UNSURE))


def test_too_few_observations_are_refused(options):
    with pytest.raises(InvalidInput, match="states: expected more than 8, twice top, got 8"):
        units(subject_of(options), other(options, states=8))


def test_a_layer_that_always_says_the_same_is_refused(options, tmp_path):
    subject = subject_of(options)
    with torch.no_grad():
        subject.policy.module.trunk[1].weight[1:] = 0
    with pytest.raises(InvalidInput, match=r"trunk\.1.: expected at least 2 units that say more .*, got [01]"):
        units(subject, other(options, layers=("trunk.1",)))


def test_of_pictures_what_was_liked_best_is_shown(tmp_path):
    spec = NetworkSpec(observation=(4, 12, 20), actions=2, head="q", scale=255.0, convolutions=((3, 4, 4),), actor=(6,))
    agent = network_agent(tmp_path / "agent", "sides/any", spec, seed=1)
    options = Units(**{**UNSURE, "victim": agent}, states=14, every=1, top=3, units=6, layers=("actor.0",))
    (shown,) = units(subject_of(options), options).shown
    assert shown.file == "units-actor-0.png"
    assert shown.raw.startswith(b"\x89PNG")
