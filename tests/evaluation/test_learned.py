"""What attacks learn on tuning episodes: kept, named, learned once, and never measured on."""

import pytest
import torch
from safetensors.torch import save

import tests.kit.pictures  # noqa: F401  # registers `film` and `sides`
from rlattack.attacks import ATTACKS, Fitted, ObservationAttack
from rlattack.errors import InvalidInput
from tests.evaluation.kinds import COINS, ROPE, run
from tests.kit.games import made
from tests.kit.runs import numbers, rows


class Learner(ObservationAttack):
    """Learns the mean of what it is shown in tuning episodes, and shows that in play."""

    name = "learner"
    knowledge = "none"
    fitted = True

    def fit(self, tuning):
        shown = [batch.mean(dim=0) for batch in tuning.observations(3)]
        return Fitted({"mean": sum(shown) / 3}, {"batches": 3})

    def perturb(self, victim, obs, reach, draws):
        return self.learned.tensors["mean"].expand_as(obs)


ATTACKS.add("learner", f"{__name__}:Learner")


LEARNED = COINS | {"attack": ("learner",), "eps": (0.5,)}


def fits_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "store" / "fits").iterdir()}


def test_what_an_attack_learns_is_kept_named_in_the_result_and_learned_once(tmp_path):
    said = []
    *_, learner = run(tmp_path / "run", **LEARNED, say=said.append)
    kept = fits_of(tmp_path / "run")
    assert kept.keys() == {f"{learner.attack.fit}.safetensors"}
    assert said == ["fitting learner 0.5 on tuning episodes"]
    run(tmp_path / "run", **LEARNED | {"episodes": 9}, say=said.append)
    assert (fits_of(tmp_path / "run"), len(said)) == (kept, 1)


def test_one_fit_serves_every_schedule_and_is_told_without_any(tmp_path):
    said = []
    run(tmp_path / "run", **LEARNED, when=("every", "random:share=0.5"), say=said.append)
    assert said == ["fitting learner 0.5 on tuning episodes"]


class Dull(Learner):
    """Learns nothing; raises, or leaves."""

    name = "dull"

    def fit(self, tuning):
        raise self.why

    why = ZeroDivisionError("nothing to learn")


class Gone(Dull):
    """Leaves."""

    name = "gone"
    why = SystemExit(0)


ATTACKS.add("dull", f"{__name__}:Dull")


ATTACKS.add("gone", f"{__name__}:Gone")


@pytest.mark.parametrize(
    ("attack", "said"), [("dull", "fails as it learns: ZeroDivisionError: nothing to"), ("gone", "SystemExit: 0")]
)
def test_an_attack_of_others_that_fails_as_it_learns_is_one_line(tmp_path, attack, said):
    with pytest.raises(InvalidInput, match=f"attack {attack}: .*{said}"):
        run(tmp_path / "run", **LEARNED | {"attack": (attack,)})


def test_what_is_learned_is_the_same_for_any_number_of_workers(tmp_path):
    for workers in (1, 2):  # of two sizes, each in a process of its own
        run(tmp_path / str(workers), workers=workers, **LEARNED | {"eps": (0.5, 0.25)})
    assert len(fits_of(tmp_path / "1")) == 2
    assert fits_of(tmp_path / "1").keys() == fits_of(tmp_path / "2").keys()
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")
    assert rows(tmp_path / "1") == rows(tmp_path / "2")


@pytest.mark.parametrize("damage", [b"", b"{", save({"mean": torch.zeros(2)})])
def test_a_damaged_fit_is_learned_again_and_that_is_said(tmp_path, damage):
    said = []
    run(tmp_path / "whole", **LEARNED | {"episodes": 9})
    *_, learner = run(tmp_path / "run", **LEARNED)
    (tmp_path / "run" / "store" / "fits" / f"{learner.attack.fit}.safetensors").write_bytes(damage)
    run(tmp_path / "run", **LEARNED | {"episodes": 9}, say=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"fitting learner 0.5 again: fit {learner.attack.fit}")
    assert numbers(tmp_path / "run") == numbers(tmp_path / "whole")


def test_nothing_is_measured_on_what_was_learned_from(tmp_path):
    made.clear()
    run(tmp_path / "run", **ROPE | {"game": "tug/any", "players": ("zero", "random"), "episodes": 6})
    measured = {seed for game in made for seed in game.seeds}
    made.clear()
    players = ("zero", "tests.kit.players:tugger")
    run(tmp_path / "other", **ROPE | {"game": "tug/any", "players": players, "attack": ("learner",), "eps": (0.5,)})
    learned_from = {seed for game in made for seed in game.seeds} - measured
    assert len(measured - {0}) == 6
    assert len(learned_from) >= 4
