"""What each natural change of pictures does, against pictures that are changed by hand."""

import io
import math

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from PIL import Image

from rlattack.budget import Picture
from rlattack.errors import BudgetError
from tests.budget.test_change import COLOUR, FIRST, STACK, change, images, wanting

SQUARE = Box(0, 255, (2, 21, 21), np.uint8)


def changed(kind, eps, clean, space=STACK, seed=3):
    reach = change(abs(eps), kind, space)
    return reach.settle(wanting(reach, *[float(eps)] * len(clean), seed=seed), clean)


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (-90.0, -1), (180.0, 2)])
def test_a_quarter_turn_is_that_of_the_array(angle, turns):
    clean = images(SQUARE)
    turned = changed("rotation", angle, clean, SQUARE)
    assert torch.allclose(turned, torch.rot90(clean, turns, (-2, -1)), atol=0.02)


def test_images_in_colours_turn_as_their_channels_do():
    clean = images(COLOUR)
    assert torch.allclose(changed("rotation", 90.0, clean, COLOUR), torch.rot90(clean, 1, (1, 2)), atol=0.02)


def test_images_in_colours_with_channels_first_turn_as_frames_do():
    first = Picture(0, 255, STACK.shape, np.uint8)
    turned, frames = (changed("rotation", 90.0, images(), of) for of in (first, STACK))
    assert turned.equal(frames)


def test_a_slope_turned_by_an_angle_has_the_slope_of_that_angle():
    """Bilinear interpolation of a plane is exact, also where an image is wider than high; but for the edges."""
    wide = torch.arange(30.0).expand(1, 4, 24, 30).contiguous()
    turned = changed("rotation", 30.0, wide)[0, 0]
    across, down = np.gradient(turned.numpy())[::-1]
    inside = np.s_[9:15, 12:18]
    assert across[inside] == pytest.approx(math.cos(math.radians(30)), abs=1e-4)
    assert down[inside] == pytest.approx(-math.sin(math.radians(30)), abs=1e-4)


@pytest.mark.parametrize("kind", ["rotation", "zoom", "shift-x", "shift-y", "blur"])
def test_what_is_all_alike_stays_so_beyond_an_edge_its_pixels_go_on(kind):
    alike = torch.full((3, *STACK.shape), 77.0)
    assert torch.allclose(changed(kind, 6.0, alike), alike, atol=1e-3)


def test_a_shift_by_whole_pixels_is_that_of_the_array_and_by_half_a_pixel_the_mean():
    clean = images()
    right, left, down = changed("shift-x", 2, clean), changed("shift-x", -1, clean), changed("shift-y", 1, clean)
    assert torch.equal(right[..., 2:], clean[..., :-2])
    assert torch.equal(right[..., 0], clean[..., 0])
    assert torch.equal(left[..., :-1], clean[..., 1:])
    assert torch.equal(down[:, :, 1:], clean[:, :, :-1])
    half = changed("shift-x", 0.5, clean)
    assert torch.allclose(half[..., 1:], (clean[..., 1:] + clean[..., :-1]) / 2, atol=1e-4)


def test_a_zoom_shows_what_is_nearer_to_the_centre():
    slope = torch.arange(30.0).expand(1, 4, 24, 30).contiguous() - 14.5
    for per_cent in (25.0, -20.0):
        seen = changed("zoom", per_cent, slope + 128)[0, 0, 12, 8:22] - 128
        assert torch.allclose(seen, slope[0, 0, 12, 8:22] / (1 + per_cent / 100), atol=1e-3)


def test_brightness_adds_grey_levels_whatever_the_range_is():
    clean = images() * 0.5 + 40
    assert torch.equal(changed("brightness", 10, clean), clean + 10)
    assert torch.equal(changed("brightness", -60, clean), (clean - 60).clamp(min=0))
    unit = Box(0, 1, STACK.shape, np.float32)
    assert torch.allclose(changed("brightness", 51, clean / 255, unit), (clean / 255 + 0.2).clamp(max=1), atol=1e-6)


def test_contrast_moves_pixels_away_from_their_frame_s_mean():
    clean = images() * 0.2 + 100
    found = changed("contrast", 30, clean)
    assert torch.allclose(found.mean(dim=(2, 3)), clean.mean(dim=(2, 3)), atol=1e-3)
    assert torch.allclose(found.std(dim=(2, 3)), 1.3 * clean.std(dim=(2, 3)), rtol=1e-4)


def test_a_tint_is_of_colours_where_there_are_some_and_a_gamma_of_grey_frames():
    colour = images(COLOUR) * 0.5
    found = changed("tint", 10, colour, COLOUR)
    assert torch.allclose(found, colour * torch.tensor([1.1, 1.0, 0.9]), atol=1e-3)
    assert torch.equal(changed("tint", 10, colour.movedim(-1, 1), FIRST), found.movedim(-1, 1))
    grey = images()
    assert torch.allclose(changed("tint", 50, grey), 255 * (grey / 255) ** 1.5, atol=1e-2)
    assert torch.allclose(changed("tint", -50, grey), 255 * (grey / 255) ** (1 / 1.5), atol=1e-2)


def test_a_blur_spreads_a_point_as_a_gaussian():
    point = torch.zeros(1, *STACK.shape)
    point[:, :, 12, 15] = 200
    found = changed("blur", 1.5, point)[0, 0]
    assert float(found.sum()) == pytest.approx(200, abs=1e-2)
    across = found.sum(dim=0)
    places = torch.arange(30.0) - 15
    assert float((across * places**2).sum() / across.sum()) == pytest.approx(1.5**2, rel=0.02)


def test_jpeg_is_that_of_the_encoder_frame_by_frame_or_in_colours():
    def coded(picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, format="JPEG", quality=30)
        return np.asarray(Image.open(file))

    grey, colour = images(), images(COLOUR)
    found = changed("jpeg", 70, grey).numpy()
    assert np.array_equal(found[1, 2], coded(grey[1, 2].byte().numpy()))
    assert np.array_equal(changed("jpeg", 70, colour, COLOUR)[1].numpy(), coded(colour[1].byte().numpy()))


def test_salt_and_pepper_is_a_share_of_pixels_in_all_frames():
    clean = images(rows=20) * 0.5 + 50
    found = changed("salt-and-pepper", 20, clean)
    black, white = ((found == end).all(dim=1).float().mean() for end in (0, 255))
    assert float(black) == pytest.approx(0.1, abs=0.02)
    assert float(white) == pytest.approx(0.1, abs=0.02)
    assert (found != clean).float().mean() == pytest.approx(float(black + white))


def test_an_occlusion_is_a_black_square_within_the_picture():
    clean = images(rows=50) + 1
    found = changed("occlusion", 6, clean.clamp(max=255), seed=8)
    hidden = (found == 0).all(dim=1)
    assert hidden.sum(dim=(1, 2)).tolist() == [36] * 50
    rows, columns = hidden.any(dim=2).int(), hidden.any(dim=1).int()
    assert (rows.sum(dim=1) == 6).all()
    assert (columns.sum(dim=1) == 6).all()
    assert len(set(rows.argmax(dim=1).tolist())) > 10
    assert (changed("occlusion", 24, clean) == 0).any(dim=1).sum(dim=(1, 2)).tolist() == [24 * 24] * 50
    with pytest.raises(BudgetError, match="--eps: occlusion is above 0 and at most 24 pixels here, got 25"):
        changed("occlusion", 25, clean)
