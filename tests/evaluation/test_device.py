"""Play on another device: what is computed there is what the CPU computes, where both compute alike."""

import dataclasses

import numpy as np
import pytest
import torch

from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.evaluator import processes
from rlattack.evaluation.plan import plan
from rlattack.evaluation.play import open_play, play_episodes
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.summary import summarise
from rlattack.report.comparison import settings
from rlattack.report.warnings import warnings
from tests.kit.agents import gaussian_network, perturber_agent
from tests.kit.cells import FAMILIES as FAMILIES  # registers the family `film`
from tests.kit.cells import take
from tests.kit.second_device import SECOND, second_device

CARTPOLE = {"game": "gymnasium/CartPole-v1", "players": "gymnasium/CartPole-v1/dqn", "eps": 0.1, "space": "raw"}
PONG = {"game": "atari/pong", "players": "atari/pong/ppo", "eps": 0.004, "envs": 1, "episodes": 1}
HOPPER = {"game": "mujoco/hopper", "players": "mujoco/hopper/ppo", "eps": 0.1, "space": "sigma"}
RUNNER = {
    "game": "mujoco/you-shall-not-pass", "players": ("mujoco/you-shall-not-pass/adversary-runner-v1", "random"),
    "victim": "0", "eps": 0.1, "space": "sigma",
}  # fmt: skip
FILM = {"game": "film/any", "players": "tests.kit.players:bright", "actions": "greedy", "eps": 0.2}
TEN = {**CARTPOLE, "max_steps": 10, "envs": 8}
MEMORY = {**CARTPOLE, "players": "tests.kit.players:memory"}
PLAYED = [
    *({**CARTPOLE, "attack": attack} for attack in ("noise", "fgsm:target=least", "deepfool", "direction")),
    *({**CARTPOLE, "attack": "pgd:steps=2,restarts=2", "norm": norm} for norm in ("linf", "l2", "l1")),
    {**CARTPOLE, "attack": ("mim:steps=2", "ni-fgsm:steps=2", "apgd:steps=3,restarts=2")},
    {
        **CARTPOLE,
        "norm": "l2",
        "attack": ("cw:steps=2,searches=1", "lbfgs:steps=3,searches=1", "deepfool:target=0"),
    },
    {**CARTPOLE, "norm": "l1", "attack": ("ead:steps=2,searches=1", "fab:steps=1,restarts=2,target=0")},
    {**CARTPOLE, "attack": "fgsm", "free": "0,2", "observe": "margins", "actions": "sampled"},
    {**CARTPOLE, "attack": "fgsm", "when": ("timed:share=0.5", "random:share=0.5", "entropy:below=0.5")},
    {
        **CARTPOLE,
        "attack": "fgsm",
        "when": ("importance:threshold=1", "value:above=10", "period:n=2", "first:steps=2"),
    },
    {**CARTPOLE, "attack": "pgd:steps=2,target=planned", "when": ("critical:n=1,horizon=2", "enchanting:plans=2")},
    {**CARTPOLE, "attack": "fgsm", "surrogate": "tests.kit.players:balance"},
    {**MEMORY, "attack": "pgd:steps=2"},
    {**HOPPER, "attack": ("pgd:steps=2", "fgsm:loss=value")},
    {**HOPPER, "attack": "mas:steps=2", "space": "raw"},
    {**RUNNER, "attack": "fgsm:random_start=true"},
    {**FILM, "attack": ("rotate", "noise", "fgsm"), "eps": 0.2},
    {
        **FILM,
        "attack": ("rotate:worst=true,grid=3", "shift-x", "blur", "jpeg", "salt-and-pepper", "occlusion"),
        "eps": 3,
    },
    {**FILM, "attack": ("delay", "dropped"), "eps": 2, "model": "frame", "grid": True},
    {**HOPPER, "attack": ("stale", "action-slip"), "eps": 20},
    {**FILM, "attack": "fgsm", "model": "frame", "grid": True},
    {**FILM, "attack": ("pixel", "pixel-de:population=4,generations=2", "jsma:share=0.2"), "norm": "l0", "eps": 1},
    {**FILM, "attack": "fgsm", "defence": "jpeg"},
    {
        **FILM,
        "attack": "pgd:steps=2,eot=2",
        "defence": ("median", "blur:sigma=0.5", "tv:iterations=2", "temporal:window=2", "bits", "smooth:sigma=0.05"),
    },
    {**MEMORY, "attack": "pgd:steps=2", "defence": ("temporal", "smooth:sigma=0.1,copies=2,space=raw,vote=majority")},
    {**HOPPER, "attack": "pgd:steps=2", "defence": "smooth:sigma=0.1,copies=3,vote=median"},
    {**FILM, "attack": ("nes:queries=6,directions=2", "spsa:queries=6,directions=2", "square:queries=4")},
    {**FILM, "attack": ("finite-differences:queries=6,directions=2", "simba:queries=4", "redraws:queries=4")},
    {**CARTPOLE, "attack": ("boundary:queries=50", "hop-skip-jump:queries=50"), "norm": "l2"},
    {**PONG, "attack": "fgsm"},
    {**PONG, "attack": "fgsm", "model": "screen", "eps": 0.04},
    {
        **CARTPOLE,
        "attack": ("fgsm", "gwc", "awc:horizon=2"),
        "observe": ("certified:eps=0.1,space=raw,radius=true", "smoothed:sigma=0.1,space=raw,noises=100,every=50"),
    },
    {**CARTPOLE, "attack": "pgd:steps=2", "norm": "l2", "observe": "certified:eps=0.1,space=raw,norm=l2,method=ibp"},
    {
        **HOPPER,
        "attack": "fgsm:random_start=true",
        "observe": ("certified:eps=0.1", "smoothed:sigma=0.1,eps=0.01,noises=100,every=50"),
    },
    {**FILM, "attack": "gwc", "observe": ("certified:eps=0.2", "smoothed:sigma=0.1,vote=mean,noises=100")},
]
"""What plays on every device: each access, norm, schedule, memory and picture."""
LEARNED = [
    {**FILM, "attack": "universal:states=50,epochs=1"},
    {
        **FILM,
        "attack": "fgsm",
        "detect": ("squeeze:rate=0.5", "foresight:rate=0.5,episodes=30,epochs=1,states=100"),
        "envs": 15,
    },
    {**TEN, "attack": 'pgd:steps=2,evade="mahalanobis:rate=0.3"', "detect": "mahalanobis:rate=0.3,alarm=cusum"},
    {**TEN, "attack": "fgsm", "detect": ("mixture:rate=0.3,components=2", "ad3:rate=0.3,skip=1,window=2")},
    {**TEN, "attack": "fgsm", "defence": 'detect:detector="foresight:rate=0.3,epochs=1,states=100"'},
    {
        **HOPPER,
        "attack": "fgsm:loss=value",
        "defence": 'detect:detector="mahalanobis:rate=0.3"',
        "max_steps": 10,
        "envs": 8,
    },
    {**FILM, "attack": "universal:states=50,epochs=1,rule=deepfool"},
    {**FILM, "attack": "sticker:states=50,epochs=1", "eps": 3},
    {**CARTPOLE, "attack": "fgsm", "surrogate": "imitate:episodes=2,epochs=1", "max_steps": 60},
    {**FILM, "attack": "fgsm", "defence": ("smooth:sigma=0.1,copies=2", "denoiser:episodes=45,states=200,epochs=1")},
    {**CARTPOLE, "attack": "fgsm", "defence": "denoiser:episodes=2,epochs=1", "max_steps": 60},
    {**HOPPER, "attack": "pgd:steps=2", "surrogate": "imitate:episodes=2,epochs=1", "max_steps": 60},
    {
        **FILM,
        "attack": "search:kind=linear,coefficients=4,steps=16,population=4,horizon=2",
        "envs": 50,
    },
    {**HOPPER, "attack": "search:steps=16,population=4,horizon=2"},
    {**HOPPER, "attack": "autoattack:effort=0.0001,also=pgd"},
    {**HOPPER, "attack": "sarsa:rollout=80,updates=2,box=0.1,steps=2,mad=0.1"},
]
"""What learns on every device before it plays."""


def cells(options):
    return plan(Study(**{"episodes": 2, "envs": 2, "max_steps": 4, **options})).cells


def episodes(cell, fits=None):
    """The episodes of a cell, in the order in which they end."""
    return [one for one in play_episodes(cell, take(cell), fits=fits) if isinstance(one, Episode)]


def nearly(value):
    """About a number; what is none is none."""
    return value if value is None else pytest.approx(value, rel=1e-4, abs=1e-4)


def without_rounding(episode):
    """An episode without what sums of another order round otherwise."""
    seats = [
        dataclasses.replace(
            seat,
            judged=seat.judged
            and dataclasses.replace(
                seat.judged, sizes={name: pytest.approx(size, rel=1e-5) for name, size in seat.judged.sizes.items()}
            ),
            measured={name: pytest.approx(value, rel=1e-6) for name, value in seat.measured.items()},
            traces={name: list(map(nearly, values)) for name, values in seat.traces.items()},
        )
        for seat in episode.seats
    ]
    return dataclasses.replace(episode, cell="", seats=tuple(seats))


@pytest.mark.parametrize("options", PLAYED, ids=str)
def test_play_computes_there_what_it_computes_here(options):
    for cell in cells(options):
        here = episodes(cell)
        with second_device() as crossings:
            there = episodes(dataclasses.replace(cell, device=SECOND))
        assert crossings.there
        assert list(map(without_rounding, there)) == [dataclasses.replace(one, cell="") for one in here]


@pytest.mark.parametrize("options", LEARNED, ids=str)
def test_what_an_attack_learns_there_is_what_it_learns_here(tmp_path, options):
    for cell in cells(options):
        prepare([cell], tmp_path / "here", lambda line: None)
        here = episodes(cell, fits=tmp_path / "here")
        with second_device():
            away = dataclasses.replace(cell, device=SECOND)
            prepare([away], tmp_path / "there", lambda line: None)
            there = episodes(away, fits=tmp_path / "there")
        assert list(map(without_rounding, there)) == [dataclasses.replace(one, cell="") for one in here]
    assert [one.name for one in (tmp_path / "there").iterdir()] == [one.name for one in (tmp_path / "here").iterdir()]


@pytest.mark.parametrize("attack", ["sa-rl", "pa-ad:steps=2"])
def test_a_trained_adversary_says_there_what_it_says_here(tmp_path, attack):
    name, says = attack.partition(":")[0], 4 if attack == "sa-rl" else 1
    agent = perturber_agent(tmp_path / "adversary", CARTPOLE["game"], gaussian_network(4, says), name)
    spec = f"{attack}{',' if ':' in attack else ':'}transfer=true,agent={agent}"
    for cell in cells({**CARTPOLE, "attack": spec}):
        here = episodes(cell)
        with second_device():
            there = episodes(dataclasses.replace(cell, device=SECOND))
        assert list(map(without_rounding, there)) == [dataclasses.replace(one, cell="") for one in here]


def test_what_is_seen_crosses_once_a_step_and_only_what_is_done_comes_back():
    (*_, cell) = cells({**PONG, "attack": "pgd:steps=2", "envs": 2})
    with second_device() as crossings:
        play = open_play(dataclasses.replace(cell, device=SECOND), take(cell))
        steps = play.play()
        next(steps)
        crossings.there.clear()
        crossings.back.clear()
        next(steps)
        steps.close()
    seen = 2 * 4 * 84 * 84
    assert [count for count in crossings.there if count >= seen] == [seen, seen]  # and the random start of PGD
    assert max(crossings.back) <= 2 * 6


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "--device: expected cpu, cuda or cuda:NUMBER, got 'gpu'"),
        ("cuda:", "--device: expected cpu, cuda or cuda:NUMBER, got 'cuda:'"),
        ("cuda:x", "--device: expected cpu, cuda or cuda:NUMBER, got 'cuda:x'"),
        ("cpu:0", "--device: expected cpu, cuda or cuda:NUMBER, got 'cpu:0'"),
        ("cuda:99", "--device cuda:99: "),
    ],
)
def test_a_device_that_is_none_of_this_machine_is_refused_before_anything_is_loaded(device, message):
    with pytest.raises(InvalidInput, match=message):
        plan(Study(game="gymnasium/CartPole-v1", players="no such agent", device=device))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_message_says_what_would_do():
    with pytest.raises(InvalidInput, match=r"--device cuda: .*(built without CUDA|finds no GPU)"):
        evaluate(Study(game="gymnasium/CartPole-v1", players="gymnasium/CartPole-v1/dqn", device="cuda"))


@pytest.mark.gpu
def test_a_gpu_plays_alike_each_time_and_as_the_cpu_does_but_for_rounding(tmp_path):
    study = Study(**{**CARTPOLE, "attack": "pgd:steps=3", "episodes": 8, "device": "cuda"})
    first, again = (evaluate(study, run=tmp_path / name).cells for name in ("first", "again"))
    on_cpu = evaluate(dataclasses.replace(study, device="cpu"), run=tmp_path / "cpu", workers=1).cells
    assert [one.seats for one in first] == [one.seats for one in again]
    assert [one.cell for one in first] != [one.cell for one in on_cpu]
    assert first[0].device.startswith("cuda (")
    assert np.isclose(first[0].victim_seat.returns.mean, on_cpu[0].victim_seat.returns.mean, rtol=0.1)


@pytest.mark.gpu
@pytest.mark.parametrize("options", [*PLAYED, *LEARNED], ids=str)
def test_a_gpu_plays_all_attacks_alike_each_time_and_inside_their_reach(tmp_path, options):
    for cell in cells({**options, "device": "cuda"}):
        first, again = (played_on_a_gpu(cell, tmp_path / name) for name in ("first", "again"))
        assert first == again
        assert not any(seat.judged.broken for one in first for seat in one.seats if seat.judged)


def played_on_a_gpu(cell, fits):
    prepare([cell], fits, lambda line: None)
    return episodes(cell, fits=fits)


def on_a_gpu(cell):
    return dataclasses.replace(cell, device="cuda", code={**cell.code, "device": "Some GPU"})


def test_one_process_feeds_a_gpu():
    planned = plan(Study(**CARTPOLE))
    there = dataclasses.replace(planned, cells=tuple(map(on_a_gpu, planned.cells)))
    assert (processes(planned, 3), processes(there, None), processes(there, 1)) == (3, 1, 1)
    with pytest.raises(InvalidInput, match="--workers: expected 1 with a --device, which one process feeds, got 3"):
        processes(there, 3)


def test_results_are_those_of_the_gpu_and_say_so():
    cell = cells(CARTPOLE)[0]
    played = episodes(cell)
    here, there = (summarise(one, played, played, (), 1.0) for one in (cell, on_a_gpu(cell)))
    assert (here.device, there.device) == ("cpu", "cuda (Some GPU)")
    assert here.cell != there.cell
    for result, expected in ((here, 0), (there, 1)):
        said = [line for setting in settings([result]) for line in warnings(setting)]
        assert sum(line.startswith("Computed on cuda (Some GPU): another device rounds") for line in said) == expected
