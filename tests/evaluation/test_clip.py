import io
import sys

import numpy as np
import pytest
from PIL import Image

from rlattack.errors import ContentError
from rlattack.evaluation import clip
from rlattack.evaluation.clip import Frames, magnification, read_frames, render, still

NAMES = ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"]
PANEL = 252


@pytest.fixture
def frames(make_clip):
    return Frames(**make_clip())


def panels(png):
    image = np.asarray(Image.open(io.BytesIO(png)).convert("L")).astype(int)
    left = [14 + i * (PANEL + 14) for i in range(3)]
    return [image[30 : 30 + PANEL, x : x + PANEL] for x in left]


def test_a_clip_is_read_as_it_was_written(tmp_path, make_clip):
    np.savez_compressed(tmp_path / "a.npz", **make_clip())
    frames = read_frames(tmp_path / "a.npz")
    assert np.array_equal(frames.attacked, make_clip()["attacked"])
    assert frames.turning_point == 3


def test_a_file_that_is_no_clip_is_refused(tmp_path, make_clip):
    (tmp_path / "a.npz").write_bytes(b"nonsense")
    with pytest.raises(ContentError, match="expected a clip"):
        read_frames(tmp_path / "a.npz")
    with pytest.raises(ContentError, match="expected a clip"):
        read_frames(tmp_path / "absent.npz")
    np.savez(tmp_path / "b.npz", clean=np.zeros((1, 2, 2)))
    with pytest.raises(ContentError, match="expected a clip"):
        read_frames(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", **make_clip() | {"attacked": np.zeros((12, 84, 83))})
    with pytest.raises(ContentError, match="expected frames of shape"):
        read_frames(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", **make_clip() | {"rewards": np.zeros(3)})
    with pytest.raises(ContentError, match="expected 12 steps"):
        read_frames(tmp_path / "d.npz")


def test_pickles_in_a_clip_are_not_loaded(tmp_path, make_clip):
    np.savez(tmp_path / "a.npz", **make_clip() | {"actions": np.array([object()] * 12)})
    with pytest.raises(ContentError, match="allow_pickle"):
        read_frames(tmp_path / "a.npz")


@pytest.mark.parametrize(("levels", "factor"), [(0.255, 500.0), (2.55, 50.0), (1.0, 100.0), (200.0, 0.5)])
def test_magnification_brings_a_perturbation_to_full_contrast(make_clip, levels, factor):
    values = make_clip()
    clean = np.full_like(values["clean"], 20)
    assert magnification(Frames(**values | {"clean": clean, "attacked": clean + np.float32(levels)})) == factor


def test_no_perturbation_is_not_magnified(make_clip):
    values = make_clip()
    assert magnification(Frames(**values | {"attacked": values["clean"].astype(np.float32)})) == 1.0


def test_a_still_shows_clean_perturbation_and_attacked_frames(frames):
    clean, perturbation, attacked = panels(still(frames, NAMES, 4))
    truth = frames.clean[4].repeat(3, 0).repeat(3, 1).astype(int)
    assert np.abs(clean - truth).max() <= 1
    assert np.abs(attacked - truth).max() <= 2
    signs = np.sign(frames.attacked[4] - frames.clean[4]).repeat(3, 0).repeat(3, 1)
    assert (perturbation[signs > 0] > 250).all()
    assert (perturbation[signs < 0] < 5).all()


def test_where_nothing_changes_the_perturbation_is_mid_grey(make_clip):
    values = make_clip()
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


def test_other_sizes_and_many_actions_fit(make_clip):
    values = make_clip(actions=30)
    small = {key: values[key][:, :60, :50] for key in ("clean", "attacked")}
    large = {key: values[key].repeat(3, 1).repeat(3, 2) for key in ("clean", "attacked")}
    for images in (small, large):
        width, height = Image.open(io.BytesIO(still(Frames(**values | images)))).size
        assert width % 2 == height % 2 == 0


def test_a_film_is_h264_that_browsers_play(frames):
    av = pytest.importorskip("av")
    film = render(frames, NAMES)
    assert film.mime == "video/mp4"
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
    assert film.mime == "image/gif"
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
    whole = render(frames).data
    monkeypatch.setattr(clip, "LIMIT", int(len(whole) * 0.6))
    film = render(frames)
    assert film.mime == mime
    assert len(film.data) <= clip.LIMIT
