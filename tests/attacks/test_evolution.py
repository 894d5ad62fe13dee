import numpy as np
import pytest

from rlattack.attacks.fooling.cppn import CPPN, INPUTS, Node, coordinates
from rlattack.attacks.fooling.evolution import Direct, evolve


def test_evolution_reaches_targets_that_noise_is_far_from():
    def ask(inputs):  # a target each: large and small means
        means = np.stack(inputs).mean(axis=1)
        return np.stack([means, 1 - means], axis=1)

    found = evolve(Direct((20,)), ask, 0.8, 4000, np.random.default_rng(0))
    assert (found.reached > 20).all()
    assert (found.sure >= 0.8).all()
    np.testing.assert_allclose(found.best.mean(axis=1), [found.sure[0], 1 - found.sure[1]], rtol=1e-5)
    assert found.queries < 4000  # it ends as soon as all are reached


def test_evolution_asks_no_more_than_it_may():
    asked = []

    def ask(inputs):
        asked.append(len(inputs))
        return np.zeros((len(inputs), 2))

    found = evolve(Direct((3,)), ask, 0.5, 50, np.random.default_rng(0))
    assert sum(asked) == found.queries == 50
    assert list(found.reached) == [-1, -1]


def test_a_child_changes_a_tenth_of_its_entries_and_stays_in_range():
    rng = np.random.default_rng(0)
    encoding = Direct((2000,))
    parent = encoding.random(rng)
    child = encoding.mutated(parent, rng)
    assert (child != parent).mean() == pytest.approx(0.1, abs=0.03)
    assert child.min() >= 0
    assert child.max() <= 1
    assert np.abs(child - parent).max() < 0.7  # small changes, mostly


def test_a_cppn_paints_what_its_graph_says():
    where = coordinates(2, 3, 4)
    assert where.shape == (INPUTS, 24)
    line = CPPN((Node("line", ((0, 1.0),)),))
    np.testing.assert_allclose(line.paint(where), 0.5 * (1 + np.tanh(where[0])), rtol=1e-6)
    deeper = CPPN((Node("gauss", ((1, 2.0),)), Node("sine", ((INPUTS, 3.0),))))
    np.testing.assert_allclose(
        deeper.paint(where), 0.5 * (1 + np.tanh(np.sin(3 * np.exp(-((2 * where[1]) ** 2))))), rtol=1e-5
    )


def test_every_child_of_a_cppn_is_a_graph_without_loops():
    rng = np.random.default_rng(0)
    network, where = CPPN.random(rng), coordinates(1, 4, 4)
    for _ in range(200):
        network = network.mutated(rng)
        for place, node in enumerate(network.nodes):
            assert all(0 <= source < INPUTS + place for source, _ in node.edges)
    assert len(network.nodes) > 5
    painted = network.paint(where)
    assert np.isfinite(painted).all()
    assert 0 <= painted.min() <= painted.max() <= 1
