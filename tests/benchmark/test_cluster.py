"""Cells and fits on a Ray cluster of two nodes give the numbers of one process, also where a node is killed."""

import functools
import json
import time
from pathlib import Path

import pytest

from rlattack.benchmark.cluster import Freight, Ray
from rlattack.errors import InvalidInput, MissingExtra
from rlattack.evaluation.executor import Effort, Task
from tests.benchmark.grids import COINS, chooser, planned, played
from tests.evaluation.test_executor import NAMED, numbers, slowly

LEARNS = COINS.replace('"pgd:steps=2,loss=margin"', '"universal:loss=margin"')
"""With an attack that learns on tuning episodes."""


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, each of one core."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    found.add_node(num_cpus=1)
    yield found
    import ray

    ray.shutdown()
    found.shutdown()


def squared(folder, say, number):
    say(f"squaring {number}")
    return number**2


def unfit(folder, say):
    raise InvalidInput("it does not fit")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"--ray needs Ray: pip install .rlattack\[ray\]"):
        Ray("local")


def test_what_a_node_is_sent_holds_agents_and_fits_and_is_named_by_them(tmp_path):
    agent = chooser(tmp_path / "agent", 0)
    cells = planned(tmp_path, COINS.replace("tests.kit.players:coin", agent)).cells
    (tmp_path / "fits").mkdir()
    empty = Freight.of(cells, tmp_path / "fits")
    assert list(empty.names.agents) == [agent]
    (tmp_path / "fits" / "a.safetensors").write_bytes(b"learned")
    more = Freight.of(cells, tmp_path / "fits")
    assert more.fits == {"a.safetensors": b"learned"}
    assert more.key != empty.key == Freight.of(cells, tmp_path / "none").key


def test_two_nodes_give_the_leaderboard_of_one_process(cluster, tmp_path):
    agent = chooser(tmp_path / "agent", 0, scale=20.0)
    text = LEARNS.replace("tests.kit.players:coin", agent)
    here = played(planned(tmp_path, text), tmp_path / "here")[1]
    there = played(planned(tmp_path, text), tmp_path / "there", executor=Ray(cluster.address))[1]
    assert here == there
    assert json.loads((tmp_path / "there" / "leaderboard.json").read_text())["missing"] == 0


def test_jobs_are_done_and_heard(cluster):
    said = []
    jobs = [functools.partial(squared, number=number) for number in range(4)]
    done = dict(Ray(cluster.address).each(jobs, [NAMED["a"]], Path(), said.append))
    assert done == {0: 0, 1: 1, 2: 4, 3: 9}
    assert sorted(said) == [f"squaring {number}" for number in range(4)]


def test_an_error_of_the_input_is_told_as_here(cluster):
    with pytest.raises(InvalidInput, match=r"^it does not fit$"):
        list(Ray(cluster.address).each([unfit], [], Path(), print))


def test_a_node_that_is_killed_loses_only_what_it_was_playing(cluster):
    node = cluster.add_node(num_cpus=2)
    task = Task(NAMED["a"], 0)
    import dataclasses

    task = Task(dataclasses.replace(task.cell, episodes=64, envs=4))
    here, items = sorted(numbers(task, _takes(task))), []
    for count, item in enumerate(Ray(cluster.address).run([task], slowly)):
        items.append(item)
        if count == 0:
            cluster.remove_node(node, allow_graceful=False)
    assert sorted(item for item in items if not isinstance(item, Effort)) == here
    assert sum(item.episodes for item in items if isinstance(item, Effort)) == 64


def test_an_address_that_does_not_answer_is_one_line():
    pytest.importorskip("ray", reason="needs the extra `ray`")
    import ray

    ray.shutdown()
    begun = time.monotonic()
    with pytest.raises(
        InvalidInput, match=r"--ray 127\.0\.0\.1:1: nothing answers there; `ray start --head` begins a cluster"
    ):
        Ray("127.0.0.1:1")
    assert time.monotonic() > begun


def _takes(task):
    slots = [iter(range(slot, task.cell.episodes, task.cell.envs)) for slot in range(task.cell.envs)]
    return lambda slot: next(slots[slot], None)
