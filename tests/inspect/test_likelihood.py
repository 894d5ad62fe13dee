import numpy as np
import pytest

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.inspect.likelihood import Recording, density, embed

pytest.importorskip("sklearn")
WIDTH = 3


def play(centre, *, episodes=8, steps=60, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(centre, 1.0, (episodes * steps, WIDTH)).astype(np.float32)
    return Recording(values, np.repeat(np.arange(episodes), steps))


def test_likelihood_of_a_known_gaussian_is_its_negative_entropy():
    found = density({"zoo": play(0.0, steps=4000)}, "zoo", components=1)
    entropy = WIDTH / 2 * np.log(2 * np.pi * np.e)
    for half in ("train", "validation"):
        mean, (low, high) = found.likelihood[half]
        assert mean == pytest.approx(-entropy, abs=0.03)
        assert low < mean < high


def test_activations_far_from_normal_play_are_less_likely_the_farther_they_are():
    found = density(
        {"zoo": play(0.0), "random": play(1.0, seed=1), "adversary": play(3.0, seed=2)}, "zoo", components=2
    )
    means = [found.likelihood[name][0] for name in ("validation", "random", "adversary")]
    assert means == sorted(means, reverse=True)
    # a shift of s in each of d entries costs d s^2 / 2
    assert means[0] - means[2] == pytest.approx(WIDTH * 9 / 2, rel=0.2)
    assert max(found.likelihood["adversary"][1]) < min(found.likelihood["validation"][1])


def test_train_and_validation_share_no_episode_and_rows_keep_their_episode():
    # every episode has a place of its own: a mixture that saw all episodes would find validation as likely as train
    centres = np.repeat(np.arange(8) * 100.0, 60)[:, None]
    values = (centres + np.random.default_rng(0).normal(size=(480, WIDTH))).astype(np.float32)
    found = density({"zoo": Recording(values, np.repeat(np.arange(8), 60))}, "zoo", components=4)
    assert found.likelihood["train"][0] > -10
    assert found.likelihood["validation"][0] < -1000


def test_the_mean_is_over_steps_and_its_interval_over_episodes():
    values = np.concatenate([np.zeros((90, 1)), np.full((10, 1), 5.0)]).astype(np.float32)
    normal = play(0.0)
    normal = Recording(normal.values[:, :1], normal.episode)
    other = Recording(values, np.repeat([0, 1], [90, 10]))
    likelihood = density({"zoo": normal, "other": other}, "zoo", components=1).likelihood["other"][0]
    near, far = (
        density(
            {"zoo": normal, "one": Recording(part, np.zeros(len(part), dtype=np.int64))}, "zoo", components=1
        ).likelihood["one"][0]
        for part in (values[:90], values[90:])
    )
    assert likelihood == pytest.approx(0.9 * near + 0.1 * far)


def test_same_seed_same_numbers():
    recorded = {"zoo": play(0.0), "other": play(1.0, seed=3)}
    assert density(recorded, "zoo", seed=4) == density(recorded, "zoo", seed=4)
    (one, _), (two, _) = (embed(recorded, rows=40, seed=4) for _ in range(2))
    for name in recorded:
        np.testing.assert_array_equal(one[name], two[name])


def test_embedding_keeps_apart_what_is_apart():
    found, perplexity = embed({"zoo": play(0.0), "adversary": play(30.0, seed=1)}, rows=50)
    zoo, adversary = found["zoo"], found["adversary"]
    assert zoo.shape == adversary.shape == (50, 2)
    assert perplexity == 25
    distance = np.linalg.norm(zoo[:, None] - adversary[None], axis=2)
    within = np.linalg.norm(zoo[:, None] - zoo[None], axis=2)
    assert distance.min() > np.median(within[within > 0])


@pytest.mark.parametrize(
    ("recorded", "normal", "message"),
    [
        ({"zoo": play(0.0)}, "nobody", "normal opponent among zoo, got 'nobody'"),
        ({"zoo": play(0.0, episodes=3)}, "zoo", "at least 4 episodes against zoo, got 3"),
        ({"zoo": play(0.0, steps=1)}, "zoo", "too few for 10 components"),
    ],
)
def test_too_little_play_is_refused(recorded, normal, message):
    with pytest.raises(InvalidInput, match=message):
        density(recorded, normal)


def test_a_picture_of_a_few_steps_is_refused():
    with pytest.raises(InvalidInput, match="4 steps are too few"):
        embed({"zoo": play(0.0, episodes=4, steps=1)})


@pytest.mark.parametrize(
    ("values", "episode", "message"),
    [
        (np.zeros((2, 3)), np.zeros(3), r"got \(2, 3\) and \(3,\)"),
        (np.zeros(2), np.zeros(2), r"got \(2,\)"),
        (np.full((2, 1), np.nan), np.zeros(2), "not finite"),
    ],
)
def test_activations_that_are_none_are_refused(values, episode, message):
    with pytest.raises(InvalidInput, match=message):
        Recording(values, episode)


def test_missing_scikit_learn_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.mixture", None)
    monkeypatch.setitem(__import__("sys").modules, "sklearn.manifold", None)
    for call in (lambda: density({"zoo": play(0.0)}, "zoo"), lambda: embed({"zoo": play(0.0)})):
        with pytest.raises(MissingExtra, match=r"rlattack\[analysis\]"):
            call()
