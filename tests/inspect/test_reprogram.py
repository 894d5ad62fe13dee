import sys

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput, MissingExtra
from rlattack.inspect.kinds import Reprogram
from rlattack.inspect.reprogram import Program, reprogram
from rlattack.inspect.tasks import digits, squares
from tests.inspect.looks import COINS, UNSURE, other, subject_of

pytestmark = pytest.mark.library


@pytest.fixture
def options():
    return Reprogram(
        **{**UNSURE, "victim": "tests.inspect.players:adder"}, picture=8, updates=60, batch=20, fresh=60, rate=0.1
    )


def test_who_weighs_light_counts_squares_by_a_program_alone(options):
    subject = subject_of(options)
    before = [weight.clone() for weight in subject.policy.module.parameters()]
    whole = reprogram(subject, options)
    found = whole.numbers
    (shown,) = whole.shown
    assert shown.raw.startswith(b"\x89PNG")
    assert found["right"]["the agent"].rate > 0.8 > found["untrained"]["the agent"].rate
    assert found["chance"].rate == 0.5
    assert list(found["right"]) == ["the agent", "fresh weights", "fresh weights, rescaled"]
    assert all(map(torch.equal, before, subject.policy.module.parameters()))
    assert all(weight.grad is None for weight in subject.policy.module.parameters())


def test_a_program_stands_around_every_frame_and_never_in_the_picture(options):
    subject = subject_of(options)
    weights = torch.randn(4, 12, 20, generator=torch.Generator().manual_seed(0))
    program = Program(subject, subject.inputs, weights, 8)
    pictures = squares(3, 2, 8, np.random.default_rng(0)).pictures
    made = program.around(pictures)
    assert made.shape == (3, 4, 12, 20)
    for frame in range(4):
        torch.testing.assert_close(made[:, frame, 2:10, 6:14], 255 * pictures)
    outside = torch.ones(12, 20, dtype=torch.bool)
    outside[2:10, 6:14] = False
    expected = (255 * 0.5 * (1 + weights.tanh())).round()
    torch.testing.assert_close(made[1][:, outside], expected[:, outside])


def test_the_slope_of_a_program_is_that_of_what_is_seen_through_tanh(options):
    subject = subject_of(options)
    weights = torch.randn(4, 12, 20, generator=torch.Generator().manual_seed(0))
    program = Program(subject, subject.inputs, weights, 8)
    slope = program.slope(torch.ones(5, 4, 12, 20))
    assert (slope[:, 2:10, 6:14] == 0).all()
    assert slope[0, 0, 0].item() == pytest.approx(5 * 255 * 0.5 * (1 - weights[0, 0, 0].tanh().item() ** 2), rel=1e-5)


def test_same_seed_same_numbers(options):
    short = other(options, updates=3)
    one, two, another = (reprogram(subject_of(of), of).to_json({}) for of in (short, short, other(short, seed=4)))
    assert one == two != another


def test_boards_hold_as_many_squares_as_their_class_says():
    found = squares(64, 4, 16, np.random.default_rng(0))
    assert np.bincount(found.labels).tolist() == [16] * 4
    white = found.pictures.sum(dim=(1, 2)).numpy()
    np.testing.assert_array_equal(white, 9 * (found.labels + 1))  # cells of 4 with squares of 3 x 3


def test_digits_to_learn_from_are_no_fresh_ones():
    pytest.importorskip("sklearn")
    known, fresh = digits(6, 12, 100, np.random.default_rng(0))
    assert len(fresh) == 100
    assert known.labels.max() == fresh.labels.max() == 5
    seen = {picture.tobytes() for picture in known.pictures.numpy()}
    assert sum(picture.tobytes() in seen for picture in fresh.pictures.numpy()) == 0
    assert known.pictures.shape[1:] == (12, 12)
    assert 0 <= known.pictures.min() <= known.pictures.max() <= 1


def test_missing_scikit_learn_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtra, match=r"digits need scikit-learn: pip install .rlattack\[analysis\]"):
        digits(2, 8, 10, np.random.default_rng(0))


def test_a_picture_that_leaves_no_frame_is_refused(options):
    with pytest.raises(InvalidInput, match="picture: expected at most 11, which leaves a frame of 12 pixels a program"):
        reprogram(subject_of(options), other(options, picture=12))


def test_more_classes_than_outputs_or_digits_are_refused(options):
    with pytest.raises(InvalidInput, match=r"classes: expected 2 to 2, an output of .* each, got 3"):
        reprogram(subject_of(options), other(options, classes=3))
    with pytest.raises(InvalidInput, match="classes: expected at most 10 of digits, got 11"):
        digits(11, 8, 10, np.random.default_rng(0))


def test_a_game_without_pictures_is_refused_with_the_way_out():
    options = Reprogram(**COINS)
    with pytest.raises(InvalidInput, match=r"coins/any shows .*in which no picture stands; `rlattack inspect fooling`"):
        reprogram(subject_of(options), options)


def test_a_program_that_does_no_better_than_chance_is_said_to_be_none(options):
    found = reprogram(subject_of(options), other(options, updates=1, rate=1e-6))
    assert any("not surely better than chance" in line for line in found.notes)
