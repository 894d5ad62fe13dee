"""What fronts learn on tuning episodes before anything is measured: kept by key, shared, and named in the result."""

import dataclasses

import numpy as np
import pytest
import torch

from rlattack.attacks import Fitted
from rlattack.defences import FRONTS, Front, defend
from rlattack.errors import InvalidInput, RefusedFile
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.fits import read_fit
from rlattack.evaluation.plan import plan
from rlattack.evaluation.play import play_episodes
from rlattack.evaluation.prepare import prepare
from rlattack.evaluation.spawned import held_back
from rlattack.specs import NoParameters
from tests.kit.agents import CARTPOLE, scores_as_seen
from tests.kit.cells import load_and_play, take

BALANCE = {
    "game": "gymnasium/CartPole-v1", "players": "tests.kit.players:balance", "max_steps": 30, "episodes": 3, "envs": 2,
    "attack": "fgsm", "eps": 0.1, "space": "raw",
}  # fmt: skip


class Centre(Front):
    """Lets through how far something is from the mean of four tuning episodes; keeps what else it could learn from."""

    name = "centre"
    fitted = True
    watched = None

    def fit(self, watching):
        steps = [dataclasses.replace(step) for step in watching.steps(4)]
        type(self).watched = watching, steps
        rows = torch.cat([step.received[torch.as_tensor(step.active)] for step in steps])
        return Fitted({"mean": rows.mean(dim=0)}, {"rows": len(rows)})

    def seen(self, obs, draws):
        return obs - self.known("mean")


class Add(Front):
    """Adds 1, and sees two copies of that."""

    name = "add-twice"
    copies = 2

    def seen(self, obs, draws):
        return (obs + 1).repeat_interleave(2, dim=0)

    def decided(self, out, obs, memory):
        return dataclasses.replace(out, actions=type(out.actions)(out.actions.scores[::2])), memory


class Fails(Centre):
    """Cannot learn."""

    name = "fails"

    def fit(self, watching):
        raise KeyError("what it needs")


for _front in (Centre, Add, Fails):
    FRONTS.add(_front.name, f"{__name__}:{_front.__name__}")


def test_a_front_learns_of_clean_play_of_its_victim_on_seeds_of_its_own(tmp_path):
    results = evaluate(Study(**BALANCE, defence="centre"), run=tmp_path / "run", workers=1)
    watching, steps = Centre.watched
    first = [step for step in steps if step.episode[0] == 0]
    assert [sorted({int(step.episode[slot]) for step in steps} - {-1}) for slot in (0, 1)] == [[0, 2], [1, 3]]
    assert (watching.slots, len(first)) == (2, 30)
    assert all(np.array_equal(step.received.numpy(), step.shown.astype(np.float32)) for step in steps)
    out = watching.policy(steps[3].received)
    assert torch.equal(out.actions.scores, steps[3].out.actions.scores)
    (front,) = results.cells[0].fronts
    assert (front.name, front.facts) == ("centre", {"rows": 120})
    learned = read_fit(results.fits, front.fit)
    rows = np.concatenate([step.shown[step.active] for step in steps])
    assert np.allclose(learned.tensors["mean"].numpy(), rows.mean(axis=0), atol=1e-6)


def test_what_it_learned_stands_in_every_cell_and_key_and_is_shared_and_made_again_the_same(tmp_path):
    planned = plan(Study(**BALANCE, defence="centre"))
    pgd = Study(**BALANCE | {"attack": "pgd:steps=1"}, defence="centre")
    keys = {ref.fits for cell in planned.cells for ref in cell.players}
    assert len(keys) == 1
    bare = plan(Study(**BALANCE))
    assert not {cell.key for cell in planned.cells} & {cell.key for cell in bare.cells}
    other = plan(Study(**BALANCE | {"seed": 1}, defence="centre")).cells[0].players[0]
    assert other.fits not in keys
    said = []
    for cells, place in ((planned.cells, "a"), (planned.cells, "b"), (plan(pgd).cells, "b")):
        prepare(cells, tmp_path / place, said.append)
    assert said == ["fitting centre on tuning episodes"] * 2
    ((key,),) = keys
    one, two = (read_fit(tmp_path / place, key) for place in ("a", "b"))
    assert torch.equal(one.tensors["mean"], two.tensors["mean"])


def test_each_front_learns_behind_those_before_it_and_before_those_after_it(tmp_path):
    study = Study(**BALANCE, defence=("add-twice", "centre", "centre"))
    results = evaluate(study, run=tmp_path / "run", workers=1)
    first, middle, last = results.cells[0].fronts
    assert first.fit is None
    mean = read_fit(results.fits, middle.fit).tensors["mean"]
    for step in Centre.watched[1]:  # of the last one
        assert torch.allclose(step.received, torch.as_tensor(step.shown) + 1 - mean)
    assert last.fit not in (middle.fit, None)


def test_what_a_front_learned_is_given_to_it_by_hand_too():
    policy = scores_as_seen(4)
    with pytest.raises(InvalidInput, match="defence centre learns on tuning episodes first: play it by"):
        defend(policy, ("centre",), CARTPOLE)
    both = defend(policy, ("centre",), CARTPOLE, [Fitted({"mean": torch.ones(4)})])
    assert torch.equal(both(torch.ones(1, 4)).actions.scores, torch.zeros(1, 4))
    with pytest.raises(InvalidInput, match="defence centre learns on tuning episodes first"):
        Centre(NoParameters()).seen(torch.ones(1, 4), None)


def test_without_what_it_learned_nothing_is_played(tmp_path):
    cell = plan(Study(**BALANCE | {"seed": 7}, defence="centre")).cells[0]
    with pytest.raises(RefusedFile, match="what a front learned is in a folder of fits, which was not given"):
        next(play_episodes(cell, take(cell)))
    with pytest.raises(RefusedFile, match="--defence centre: what it learned is not there; run the command again"):
        next(play_episodes(cell, take(cell), fits=tmp_path))


def test_a_front_of_others_that_fails_as_it_learns_is_named(tmp_path):
    cell = plan(Study(**BALANCE, defence="fails")).cells[0]
    with pytest.raises(InvalidInput, match="defence fails: fails as it learns: KeyError: 'what it needs'"):
        prepare([cell], tmp_path, lambda line: None)


def test_a_class_of_this_process_is_a_front_too(tmp_path):
    class Own(Centre):
        """A front of nobody else."""

        name = "own-centre"

    study = Study(**BALANCE, defence=Own)
    assert study.defence == ("own-centre",)
    cells = plan(study).cells
    prepare(cells[:1], tmp_path, lambda line: None)
    assert load_and_play(cells[0], fits=tmp_path)
    assert held_back(cells).startswith("own-centre is code that no other process can import")
    with pytest.raises(InvalidInput, match="--defence: expected names, or fronts of a class of your own, got 3"):
        Study(**BALANCE, defence=3)
