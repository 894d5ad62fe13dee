"""Cells by key: kept whole or not at all, and never trusted blindly when they are read."""

import dataclasses
import hashlib
import json
import threading

import pytest

from rlattack.errors import RunConflict, Unwritable
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.observers import OBSERVERS
from rlattack.evaluation.store import Kept, Store
from tests.kit.cells import attack_on, judged, load_and_play, make_cell

CELL = dataclasses.replace(
    make_cell("coins/any", ["tests.kit.players:coin"], episodes=3), attacks=attack_on(0, "fgsm:loss=margin")
)


@pytest.fixture(scope="module")
def episodes():
    return load_and_play(CELL)


@pytest.fixture
def store(tmp_path, episodes):
    store = Store(tmp_path / "store")
    store.keep(CELL, Kept(episodes, 1.5))
    return store


def file_of(store):
    return store.folder / "cells" / f"{CELL.key}.json"


def edit(store, change, *, sealed=True):
    """Changes what was written, with a checksum that fits it where `sealed`."""
    content = json.loads(file_of(store).read_text())
    change(content)
    if sealed:
        text = json.dumps({name: value for name, value in content.items() if name != "checksum"}, sort_keys=True)
        content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    file_of(store).write_text(json.dumps(content))


def test_what_is_kept_is_read_again(store, episodes):
    assert store.read(CELL) == Kept(episodes, 1.5)
    assert Store(store.folder).read(dataclasses.replace(CELL, episodes=100)) == Kept(episodes, 1.5)
    assert judged(store.read(CELL).episodes, 0) == judged(episodes, 0)


def test_nothing_is_there_of_another_cell(store):
    assert store.read(CELL.clean) is None


def remove(*path):
    def change(content):
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]

    return change


def put(value, *path):
    def change(content):
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


DAMAGE = {
    "a missing field": remove("episodes", 0, "length"),
    "a missing score": remove("episodes", 2, "seats", 0, "score"),
    "no seconds": remove("seconds"),
    "text for a number": put("many", "episodes", 1, "length"),
    "text for a score": put("much", "episodes", 1, "seats", 0, "score"),
    "not a number": put(float("nan"), "episodes", 1, "seats", 0, "score"),
    "no number in time": put(float("inf"), "seconds"),
    "another cell's key": put("0" * 16, "key"),
    "episodes of another cell": put("0" * 16, "episodes", 0, "cell"),
    "another order": lambda content: content["episodes"].reverse(),
    "an episode twice": lambda content: content["episodes"].insert(1, content["episodes"][0]),
    "the first one missing": remove("episodes", 0),
    "no episodes": put([], "episodes"),
    "episodes that are no list": put({"0": 1}, "episodes"),
    "another schema": put("rlattack/cell/1", "schema"),
    "a later schema": put("rlattack/cell/3", "schema"),
    "seats that are no list": put(7, "episodes", 0, "seats"),
    "an outcome that is none": put("victory", "episodes", 0, "seats", 0, "outcome"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_of_wrong_content_is_none_of_a_cell(store, damage):
    edit(store, DAMAGE[damage])
    assert store.read(CELL) is None


def test_an_edited_number_is_found_by_the_checksum(store):
    edit(store, put(1000.0, "episodes", 1, "seats", 0, "score"), sealed=False)
    assert store.read(CELL) is None


@pytest.mark.parametrize("raw", [b"", b'{"episodes": [', b"[]", b"7", b"null", b"\xff\xfe\x00", b'"text"'])
def test_a_file_that_is_no_table_is_none_of_a_cell(store, raw):
    file_of(store).write_bytes(raw)
    assert store.read(CELL) is None


def test_a_folder_in_place_of_a_file_is_none_of_a_cell(store):
    file_of(store).unlink()
    file_of(store).mkdir()
    assert store.read(CELL) is None


def test_what_is_no_number_is_never_kept(tmp_path, episodes):
    (first, *others) = episodes
    lost = dataclasses.replace(first, seats=(dataclasses.replace(first.seats[0], score=float("nan")),))
    store = Store(tmp_path / "store")
    with pytest.raises(ValueError, match="JSON"):
        store.keep(CELL, Kept([lost, *others], 1.0))
    assert store.read(CELL) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema": "rlattack/store/2"}', "expected schema 'rlattack/store/1', got 'rlattack/store/2'; remove the"),
        ('{"schema": 7}', "expected schema 'rlattack/store/1', got 7"),
        ("{}", "not a store that can be read"),
        ("[]", "not a store that can be read"),
        ("{", "not a store that can be read"),
    ],
)
def test_a_store_of_another_version_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(RunConflict, match=message) as caught:
        Store(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_in_the_place_of_a_store_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunConflict, match=r"not a store that can be read .*; remove the folder, or choose a --run in another"
    ):
        Store(tmp_path / "file" / "store")


class Steps(Observer):
    """Somebody's own."""


OBSERVERS.add("steps-of-a-user", f"{__name__}:Steps")


def observed(episodes=3, victim=0, names=("margins",)):
    return dataclasses.replace(CELL, episodes=episodes, victim=victim, observers=names)


def test_fewer_episodes_never_take_the_place_of_more(store, episodes):
    store.keep(CELL, Kept(episodes[:1], 0.5))
    assert store.read(CELL) == Kept(episodes, 2.0)


def test_episodes_that_were_observed_lie_beside_those_that_were_not(store, episodes):
    assert store.read(observed()) is None
    store.keep(observed(), Kept(episodes[:2], 1.0))
    assert store.read(observed()) == Kept(episodes[:2], 1.0)
    assert store.read(CELL) == Kept(episodes, 1.5)
    assert len(list((store.folder / "cells").iterdir())) == 2


def test_who_needs_no_observer_takes_episodes_that_were_observed(tmp_path, episodes):
    store = Store(tmp_path / "store")
    store.keep(observed(names=("margins", "sizes")), Kept(episodes, 1.0))
    for fewer in (CELL, observed(), observed(names=("sizes",))):
        assert store.read(fewer) == Kept(episodes, 1.0)
    store.keep(CELL, Kept([], 0.0))
    assert file_of(store).exists()


def test_what_was_measured_of_another_seat_is_not_taken(store, episodes):
    store.keep(observed(), Kept(episodes, 1.0))
    assert store.read(observed(victim=1)) is None


def test_an_observer_of_the_user_s_is_told_by_its_source(store, episodes, monkeypatch):
    cell = observed(names=("steps-of-a-user",))
    store.keep(cell, Kept(episodes, 1.0))
    assert Store(store.folder).read(cell) == Kept(episodes, 1.0)
    monkeypatch.setattr(Steps, "__module__", "tests.kit.players")  # as if it stood in other code
    assert Store(store.folder).read(cell) is None
    assert store.read(cell) == Kept(episodes, 1.0)  # an edit during a run plays no part in it


def test_several_that_keep_at_once_lose_nothing(tmp_path, episodes):
    """As many as share a store under `runs/`, each with the episodes that it played."""
    store = Store(tmp_path / "store")
    cells = [dataclasses.replace(CELL, seed=seed) for seed in range(5)]

    def keep(count):
        for cell in cells:
            there = [dataclasses.replace(one, cell=cell.key) for one in episodes]
            Store(store.folder).keep(cell, Kept(there[:count], 1.0))

    threads = [threading.Thread(target=keep, args=(count,)) for count in (1, 2, 3, 1, 2, 3, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(len(kept.episodes), kept.seconds) for kept in map(store.read, cells)] == [(3, 7.0)] * 5


def test_a_cell_that_cannot_be_kept_is_one_line(store, episodes):
    (store.folder / "cells" / f"{CELL.clean.key}.json").mkdir()
    clean = [dataclasses.replace(one, cell=CELL.clean.key) for one in episodes]
    with pytest.raises(Unwritable, match=r"cannot be written .*; finished cells are kept"):
        store.keep(CELL.clean, Kept(clean, 1.0))
    assert store.read(CELL) is not None
