"""Pictures by which observations are told in a few numbers."""

import numpy as np
import pytest
from scipy.fft import idctn

from rlattack.attacks.basis import make_basis
from rlattack.errors import InvalidInput


def test_waves_are_those_of_the_cosine_transform_lowest_first():
    waves = make_basis("dct", (3, 5, 4), 7).numpy()
    for number, frequencies in enumerate([(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]):
        alone = np.zeros((3, 5, 4))
        alone[frequencies] = 1
        np.testing.assert_allclose(waves[number], idctn(alone, norm="ortho").ravel(), atol=1e-6)


@pytest.mark.parametrize(("shape", "cut"), [((3, 5, 4), (3, 2, 2)), ((6, 5, 2), (2, 2, 2)), ((9, 6), (4, 4))])
def test_tiles_are_flat_squares_of_each_frame(shape, cut):
    tiles = make_basis("tiles", shape, np.prod(cut) + 1).numpy().reshape(-1, *shape)
    assert len(tiles) == np.prod(cut)
    assert ((tiles > 0).sum(axis=0) == 1).all()
    for tile in tiles:
        (rows,) = np.nonzero(tile.any(axis=(0, 2) if len(shape) == 3 and cut[0] == 3 else tuple(range(1, tile.ndim))))
        assert len(np.unique(tile[tile > 0])) == 1
        assert np.ptp(rows) < 3


@pytest.mark.parametrize("name", ["dct", "tiles"])
def test_pictures_have_length_1_and_share_nothing(name):
    pictures = make_basis(name, (4, 7, 6), 36).numpy()
    np.testing.assert_allclose(pictures @ pictures.T, np.eye(len(pictures)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("dct", 0, "coefficients: expected 1 to 75, got 0"),
        ("tiles", 76, "coefficients: expected 1 to 75, got 76"),
        ("tiles", 2, "coefficients: expected at least 3, one a frame, for basis=tiles, got 2"),
    ],
)
def test_more_pictures_than_entries_or_fewer_tiles_than_frames_are_refused(name, count, message):
    with pytest.raises(InvalidInput, match=message):
        make_basis(name, (3, 5, 5), count)
