import io
import sys

import numpy as np
import pytest
from PIL import Image

from rlattack.errors import ContentError
from rlattack.report.clip import Frames, read_frames, render, still
from tests.kit.results import clip

NAMES = ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"]
PANEL = 252


@pytest.fixture
def frames():
    return Frames(**clip())


@pytest.fixture
def continuous():
    """A clip of a victim whose action has two entries; the first is moved most in step 4."""
    values = {name: array for name, array in clip().items() if not name.startswith("probabilities")}
    clean = np.zeros((12, 2), dtype=np.float32)
    attacked = np.where(np.arange(12)[:, None] == 4, [-0.75, 0.0], [0.25, 0.0]).astype(np.float32)
    return values | {"greedy": clean, "greedy_attacked": attacked, "actions": attacked + 0.5}


def panels(png):
    image = np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(int)
    left = [14 + i * (PANEL + 14) for i in range(3)]
    return [image[30 : 30 + PANEL, x : x + PANEL] for x in left]


def test_a_clip_is_read_as_it_was_written(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **clip())
    frames = read_frames(tmp_path / "a.npz")
    assert np.array_equal(frames.attacked, clip()["attacked"])
    assert frames.turning_point == 3


def test_a_clip_of_continuous_actions_is_read_and_shows_them_as_numbers(tmp_path, continuous):
    np.savez_compressed(tmp_path / "a.npz", **continuous)
    frames = read_frames(tmp_path / "a.npz")
    assert (frames.turning_point, frames.farthest) == (4, 4)
    chart = 14 + 3 * (PANEL + 14)
    pictures = [np.asarray(Image.open(io.BytesIO(still(frames, step=step)))) for step in (4, 5)]
    assert (pictures[0][30:50, chart:] != pictures[1][30:50, chart:]).any()
    assert render(frames).data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attacked": np.zeros((12, 84, 83))}, "expected frames of shape"),
        ({"rewards": np.zeros(3)}, "expected 12 steps"),
        ({"probabilities": np.zeros((12, 4))}, "expected 12 steps"),
        ({"actions": np.array([object()] * 12)}, "allow_pickle"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changes, words):
    np.savez(tmp_path / "a.npz", **clip() | changes)
    with pytest.raises(ContentError, match=words):
        read_frames(tmp_path / "a.npz")


def test_a_file_that_is_no_clip_is_refused(tmp_path, continuous):
    (tmp_path / "a.npz").write_bytes(b"nonsense")
    np.savez(tmp_path / "b.npz", clean=np.zeros((1, 2, 2)))
    for name in ("a", "b", "absent"):
        with pytest.raises(ContentError, match="expected a clip with the arrays clean, attacked, actions"):
            read_frames(tmp_path / f"{name}.npz")
    del continuous["greedy_attacked"]
    np.savez(tmp_path / "c.npz", **continuous)
    with pytest.raises(ContentError, match="with probabilities, or with greedy_attacked"):
        read_frames(tmp_path / "c.npz")


@pytest.mark.parametrize(("levels", "factor"), [(0.255, 500.0), (2.55, 50.0), (1.0, 100.0), (200.0, 0.5)])
def test_magnification_brings_a_perturbation_to_full_contrast(levels, factor):
    values = clip()
    clean = np.full_like(values["clean"], 20)
    assert Frames(**values | {"clean": clean, "attacked": clean + np.float32(levels)}).magnification == factor


def test_no_perturbation_is_not_magnified():
    values = clip()
    assert Frames(**values | {"attacked": values["clean"].astype(np.float32)}).magnification == 1.0


def test_a_still_shows_clean_perturbation_and_attacked_frames(frames):
    clean, perturbation, attacked = panels(still(frames, NAMES, 4))
    truth = frames.clean[4].repeat(3, 0).repeat(3, 1).astype(int)
    assert np.abs(clean - truth).max() <= 1
    assert np.abs(attacked - truth).max() <= 2
    signs = np.sign(frames.attacked[4] - frames.clean[4]).repeat(3, 0).repeat(3, 1)
    assert (perturbation[signs > 0] > 250).all()
    assert (perturbation[signs < 0] < 5).all()


def test_where_nothing_changes_the_perturbation_is_mid_grey():
    values = clip()
    attacked = values["clean"].astype(np.float32)
    attacked[:, 10, 10] = 255
    _, perturbation, _ = panels(still(Frames(**values | {"attacked": attacked})))
    assert abs(int(perturbation[0, 0]) - 127) <= 1
    assert perturbation[31, 31] > 130


def test_bars_are_as_long_as_the_probabilities(frames):
    image = np.asarray(Image.open(io.BytesIO(still(frames, NAMES, 0))))
    blue = (image == (86, 164, 245)).all(axis=2)[30:]
    lengths = sorted(set(blue.sum(axis=1)) - {0})
    assert lengths == [round(0.02 * 158), round(0.9 * 158)]


def test_the_mark_stands_at_the_action_that_was_played(frames):
    def row(step):
        image = np.asarray(Image.open(io.BytesIO(still(frames, NAMES, step))))
        return np.flatnonzero((image == (255, 214, 90)).all(axis=2).any(axis=1)).mean()

    assert row(4) - row(0) == pytest.approx(34)


def test_a_still_is_the_first_step_in_which_the_choice_changes(frames):
    assert still(frames) == still(frames, step=3)


def test_names_that_do_not_fit_the_actions_become_numbers(frames):
    assert still(frames, ["only one"]) == still(frames)
    assert still(frames, NAMES) != still(frames)


def test_other_sizes_and_many_actions_fit():
    values = clip(actions=30)
    small = {key: values[key][:, :60, :50] for key in ("clean", "attacked")}
    large = {key: values[key].repeat(3, 1).repeat(3, 2) for key in ("clean", "attacked")}
    for images in (small, large):
        width, height = Image.open(io.BytesIO(still(Frames(**values | images)))).size
        assert width % 2 == height % 2 == 0


def test_a_film_is_h264_that_browsers_play(frames):
    av = pytest.importorskip("av")
    film = render(frames, NAMES)
    assert (film.mime, film.moves) == ("video/mp4", True)
    with av.open(io.BytesIO(film.data)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == 15
        decoded = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
    assert len(decoded) == len(frames.clean)
    shown = decoded[6][30 : 30 + PANEL, 14 : 14 + PANEL].astype(int)
    truth = frames.clean[6].repeat(3, 0).repeat(3, 1).astype(int)
    assert np.abs(shown - truth).mean() < 25  # the frames of this test are noise, the worst a codec can meet


def test_without_the_video_extra_a_film_is_a_gif(frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    film = render(frames, NAMES)
    assert (film.mime, film.moves) == ("image/gif", False)
    with Image.open(io.BytesIO(film.data)) as image:
        assert image.n_frames == len(frames.clean)
        image.seek(6)
        shown = np.asarray(image.convert("L")).astype(int)[30 : 30 + PANEL, 14 : 14 + PANEL]
    assert np.abs(shown - frames.clean[6].repeat(3, 0).repeat(3, 1)).max() <= 1


@pytest.mark.parametrize("mime", ["video/mp4", "image/gif"])
def test_a_film_that_is_too_large_leaves_out_steps(frames, monkeypatch, mime):
    if mime == "image/gif":
        monkeypatch.setitem(sys.modules, "av", None)
    else:
        pytest.importorskip("av")
    limit = int(len(render(frames).data) * 0.6)
    film = render(frames, limit=limit)
    assert film.mime == mime
    assert len(film.data) <= limit
