"""Victims behind fronts, from the command to the result."""

import importlib.metadata

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from rlattack.defences import FRONTS, Front, defend
from rlattack.errors import InvalidInput
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.episode import Episode
from rlattack.evaluation.plan import plan
from rlattack.evaluation.play import play_episodes
from rlattack.evaluation.prepare import prepare
from rlattack.games import Seat
from rlattack.report.comparison import attack_label, settings
from rlattack.report.transfer import transfers
from tests.kit.cells import in_order, load_and_play
from tests.kit.pictures import looker  # registers `sides`
from tests.kit.players import balance

SIDES = {
    "game": "sides/any", "players": ("tests.kit.pictures:looker",), "actions": "greedy",
    "attack": ("fgsm:loss=margin",), "eps": (0.05,), "episodes": 5, "envs": 2,
}  # fmt: skip


def test_the_front_and_what_runs_it_are_in_the_key_of_every_cell_and_its_order_too():
    fronts = [(), ("jpeg",), ("jpeg:quality=30",), ("jpeg:quality=30", "jpeg"), ("jpeg", "jpeg:quality=30")]
    plans = [plan(Study(**SIDES, defence=defence)) for defence in fronts]
    assert len({cell.key for planned in plans for cell in planned.cells}) == 3 * len(fronts)
    assert [planned.cells[0].players[0].fronts for planned in plans] == fronts
    assert [planned.cells[0].code.get("pillow") for planned in plans[:2]] == [
        None,
        importlib.metadata.version("pillow"),
    ]


def test_a_defended_victim_is_played_attacked_and_named_so_whatever_the_number_of_workers(tmp_path):
    study = Study(**SIDES, defence=("jpeg:quality=5", "jpeg"))
    one, two = (evaluate(study, run=tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert [cell.seats for cell in one.cells] == [cell.seats for cell in two.cells]
    assert [cell.defence for cell in one.cells] == ["jpeg:quality=5 + jpeg"] * 3
    assert one.ok
    clean, noise, fgsm = (cell.attacked for cell in one.cells)
    assert (noise.gradients, fgsm.gradients, fgsm.queries) == (0.0, 1.0, 0.0)
    assert fgsm.returns.mean < noise.returns.mean == clean.returns.mean
    bare = evaluate(Study(**SIDES), run=tmp_path / "bare", workers=1)
    assert [cell.defence for cell in bare.cells] == [None] * 3


def test_an_oblivious_attack_is_crafted_on_the_bare_victim(tmp_path):
    study = Study(**SIDES, defence=("jpeg",), surrogate="tests.kit.pictures:looker")
    planned = plan(study)
    (ref,) = planned.cells[2].attacks
    assert (ref.surrogate.fronts, planned.cells[2].players[0].fronts) == ((), ("jpeg",))
    fgsm = evaluate(planned, run=tmp_path / "run", workers=1).cells[2]
    assert (fgsm.attack.surrogate, fgsm.attack.knowledge, fgsm.defence) == ("tests.kit.pictures:looker", "none", "jpeg")


def test_a_front_that_does_not_fit_is_refused_before_play():
    with pytest.raises(
        InvalidInput, match=r"expected pictures, player sees Box.*; numbers have bits, detect, denoiser, smooth"
    ):
        plan(Study(game="coins/any", players=("tests.kit.players:coin",), defence=("jpeg",)))
    with pytest.raises(InvalidInput, match="quality: expected a number at least 1 and at most 100, got 0"):
        plan(Study(**SIDES, defence=("jpeg:quality=0",)))


BEHIND = {
    "game": "gymnasium/CartPole-v1", "players": "tests.kit.players:memory", "max_steps": 40, "episodes": 4, "envs": 2,
    "attack": "pgd:steps=2,eot=2", "eps": 0.1, "space": "raw", "actions": "sampled",
    "defence": ("denoiser:episodes=4,epochs=1", "temporal", "smooth:sigma=0.2,copies=3,space=raw,vote=majority"),
}  # fmt: skip


def test_an_episode_behind_fronts_that_learn_remember_and_draw_is_the_same_whoever_plays_beside_it(tmp_path):
    cell = plan(Study(**BEHIND)).cells[2]
    prepare([cell], tmp_path, lambda line: None)
    whole = load_and_play(cell, fits=tmp_path)
    assert [one.episode for one in whole] == [0, 1, 2, 3]
    assert all(seat.judged.changed > 0 for one in whole for seat in one.seats)
    left = [3, 1]
    alone = play_episodes(cell, lambda slot: left.pop() if slot == 1 and left else None, fits=tmp_path)
    assert in_order([one for one in alone if isinstance(one, Episode)]) == [whole[1], whole[3]]


def contrary():
    """Balances where it sees the opposite of the last number."""
    module = balance()
    with torch.no_grad():
        module.weight[:, 3].neg_()
    return module


@pytest.mark.parametrize(
    "attack",
    ["search:kind=linear,steps=1500,population=8", "universal:states=50,epochs=1", "square:queries=4,eot=2"],
)
def test_attacks_that_learn_or_ask_for_outputs_work_on_the_victim_with_its_fronts(tmp_path, attack):
    """Behind the front the victim sees the opposite of one number: who does not know of that does less harm."""
    options = BEHIND | {"players": f"{__name__}:contrary", "attack": attack, "actions": "greedy", "eps": 0.5}
    cells = plan(Study(**options | {"defence": ("opposite",), "surrogate": ("self", "bare")})).cells[2:]
    prepare(cells, tmp_path, lambda line: None)
    through, oblivious = (load_and_play(cell, fits=tmp_path) for cell in cells)
    assert all(one.seats[0].judged.attacked > 0 for one in (*through, *oblivious))
    assert sum(one.length for one in through) < sum(one.length for one in oblivious)


def test_an_oblivious_attack_stands_beside_and_is_called_so(tmp_path):
    study = Study(**SIDES, defence=("jpeg",), surrogate=("self", "bare"))
    clean, noise, knowing, oblivious = evaluate(study, run=tmp_path / "run", workers=1).cells
    assert [cell.attack and cell.attack.oblivious for cell in (clean, noise, knowing, oblivious)] == [
        None, False, False, True,
    ]  # fmt: skip
    assert (oblivious.attack.surrogate, oblivious.attack.knowledge) == ("tests.kit.pictures:looker", "none")
    assert [attack_label(one) for one in (knowing, oblivious)] == ["fgsm loss=margin", "fgsm loss=margin oblivious"]
    assert [cell.label for cell in plan(study).cells[2:]] == [
        "fgsm:loss=margin 0.05",
        "fgsm:loss=margin 0.05 oblivious",
    ]
    (laid,) = transfers(settings([clean, noise, knowing, oblivious]))
    assert laid.columns == ["the victim itself", "the bare victim (oblivious)", "control: noise"]
    assert '"oblivious": true' in (tmp_path / "run" / "results.json").read_text()


def test_a_victim_that_is_named_as_surrogate_is_the_bare_one_too():
    cells = [plan(Study(**SIDES, defence=("jpeg",), surrogate=name)).cells[2] for name in (SIDES["players"][0], "bare")]
    assert cells[0].key == cells[1].key
    assert all(cell.oblivious(cell.attacks[0]) for cell in cells)


def test_without_a_front_nobody_is_oblivious():
    with pytest.raises(InvalidInput, match="--surrogate bare: expected a --defence, nothing stands before whom"):
        plan(Study(**SIDES, surrogate="bare"))


def test_more_copies_than_the_machine_holds_are_refused_before_play():
    with pytest.raises(InvalidInput, match=r"--defence: 200,000,000 copies need at least .* GiB, this machine has"):
        plan(Study(**SIDES, defence=("smooth:sigma=0.1,copies=10000",) * 2))


class Halves(Front):
    """Shows every second column."""

    name = "halves"

    def seen(self, obs, draws):
        return obs[..., ::2]


class Twice(Front):
    """Shows everything twice, and says that it shows it once."""

    name = "twice"

    def seen(self, obs, draws):
        return obs.repeat(2, 1, 1, 1)


class Opposite(Front):
    """Shows the opposite of the last number."""

    name = "opposite"
    sloped = True

    def seen(self, obs, draws):
        return obs * torch.tensor([1.0, 1.0, 1.0, -1.0])


class Scribbles(Front):
    """Writes to what it was shown."""

    name = "scribbles"

    def seen(self, obs, draws):
        return obs.zero_() + 1


for _front in (Halves, Opposite, Twice, Scribbles):
    FRONTS.add(_front.name, f"{__name__}:{_front.__name__}")


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("halves", r"defence halves: expected a front that keeps the shape .*, \(4, 12, 20\), got \(4, 12, 10\)"),
        ("twice", r"defence twice: .* \(4, 12, 20\) of 1 rows, in 2, got \(4, 12, 20\)"),
    ],
)
def test_a_front_that_changes_shapes_is_refused_before_play(front, message):
    with pytest.raises(InvalidInput, match=message):
        plan(Study(**SIDES, defence=(front,)))


def test_a_front_of_others_that_writes_to_what_it_is_shown_changes_nothing_else():
    policy, obs = looker(), torch.full((1, 4, 12, 20), 7.0)
    both = defend(policy, ("scribbles",), Seat("player", Box(0, 255, (4, 12, 20), np.uint8), policy.action))
    assert torch.equal(both(obs).actions.scores, policy(torch.ones(1, 4, 12, 20)).actions.scores)
    assert (obs == 7).all()
