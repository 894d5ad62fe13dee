import numpy as np
import pytest

from rlattack.errors import InvalidInput
from rlattack.inspect.kinds import Occlusion
from rlattack.inspect.occlusion import Blocks, occlusion
from tests.inspect.looks import COINS, UNSURE, other, subject_of

pytestmark = pytest.mark.library
BRIGHTER = Occlusion(**UNSURE, shuffles=1, states=4, every=2, block=4, stride=4, by=("brighter",), film=0)


def told(options):
    return occlusion(subject_of(options), options)


def test_the_fall_of_a_linear_policy_is_the_one_by_hand():
    found = told(BRIGHTER).numbers["ways"]["brighter"]["agent"]["largest"].mean
    newest = subject_of(BRIGHTER).states(4, 2).obs[:, -1].astype(np.float64)
    apart = 0.02 * np.abs(newest[:, :, :10].mean(axis=(1, 2)) - newest[:, :, 10:].mean(axis=(1, 2)))
    # a block of 16 pixels on the darker side, 25 grey levels brighter: 16 of 120 pixels of its mean
    after = apart - 0.02 * 25 * 16 / 120
    assert found == pytest.approx((1 / (1 + np.exp(-apart)) - 1 / (1 + np.exp(-after))).mean(), rel=1e-4)


def test_what_is_not_looked_at_takes_nothing():
    found = told(other(BRIGHTER, by=("background",)))
    darker = told(other(BRIGHTER, by=("darker",)))
    (picture,) = found.shown
    assert picture.raw.startswith(b"\x89PNG")
    # darker blocks on the brighter side do harm, as brighter ones on the darker side do
    one, two = (of.numbers["ways"] for of in (told(BRIGHTER), darker))
    assert one["brighter"]["agent"]["largest"].mean == pytest.approx(two["darker"]["agent"]["largest"].mean, rel=1e-4)


def test_every_way_has_the_agent_beside_shuffled_weights_with_intervals():
    found = told(other(BRIGHTER, by=("brighter", "blur")))
    assert list(found.numbers["ways"]) == ["brighter", "blur"]
    for of in found.numbers["ways"].values():
        assert list(of) == ["agent", "shuffled weights", "shuffled, rescaled"]
        for one in of.values():
            assert one["largest"].ci[0] <= one["largest"].mean <= one["largest"].ci[1]
        assert of["agent"]["times"] is None
        assert of["shuffled weights"]["times"].mean == pytest.approx(
            of["agent"]["largest"].mean / of["shuffled weights"]["largest"].mean
        )


def test_the_mask_of_a_blur_is_a_gaussian_about_the_middle_of_its_block():
    options = other(BRIGHTER, block=5, stride=5)
    mask = Blocks.of(subject_of(options), options).masks("blur")[0]
    assert mask[2, 2] == 1
    assert mask[2, 7].item() == pytest.approx(np.exp(-0.5 * 1.6**2))  # a block's side off: 1.6 deviations
    assert mask[7, 2] == mask[2, 7]


def test_a_film_shows_consecutive_steps():
    found = told(other(BRIGHTER, film=3))
    film = found.shown[1]
    assert film.film is not None
    assert film.caption.startswith("3 steps of an episode")


def test_same_seed_same_numbers():
    one, two, another = (told(options).to_json({}) for options in (BRIGHTER, BRIGHTER, other(BRIGHTER, seed=1)))
    assert one == two != another


def test_a_game_without_pictures_is_refused_with_the_way_out():
    with pytest.raises(InvalidInput, match=r"coins/any shows Box.*`rlattack inspect saliency` tells which entries"):
        told(Occlusion(**COINS))


def test_a_block_larger_than_the_picture_is_refused():
    with pytest.raises(InvalidInput, match="block: expected at most 12, the picture's side, got 13"):
        told(other(BRIGHTER, block=13))


def test_every_shuffle_is_told_and_their_mean_stands_beside_the_agent():
    found = told(other(BRIGHTER, shuffles=3)).numbers["ways"]["brighter"]["shuffled weights"]
    assert len(set(found["each"])) == 3
    assert np.mean(found["each"]) == pytest.approx(found["largest"].mean)
