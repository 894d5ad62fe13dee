"""Every kind of attack, schedule, front and observer through the whole engine, each beside its control."""

import math

import pytest

import tests.kit.pictures  # noqa: F401  # registers `film` and `sides`
from rlattack.errors import InvalidInput, UnknownName
from rlattack.evaluation import Study
from rlattack.evaluation.observer import Observer
from rlattack.evaluation.observers import OBSERVERS
from rlattack.evaluation.plan import plan
from tests.evaluation.kinds import COINS, FILM, ROPE, names, run
from tests.kit.runs import rows

# Attacks on what a victim does.


def test_an_attack_on_actions_is_measured_beside_what_was_chosen(tmp_path):
    clean, control, mas = run(tmp_path / "run", **ROPE, attack=("mas",), eps=(0.25,))
    assert names((clean, control, mas)) == ["clean", "action-noise", "mas"]
    for cell in (control, mas):
        seat = cell.attacked
        assert (cell.status, cell.attack.access, seat.name) == ("ok", "action", "right")
        assert seat.attacked > 0.5  # what the range of actions clips is none
        assert seat.sizes["action linf"] == pytest.approx(0.25, rel=1e-5)
        assert seat.drop is not None
    assert clean.attacked.returns.mean != mas.attacked.returns.mean
    assert [cell.seats[0].attacked for cell in (control, mas)] == [None, None]


def test_attacks_on_what_a_victim_sees_and_does_work_at_once_beside_both_controls(tmp_path):
    clean, control, both = run(tmp_path / "run", **ROPE, attack=("pgd:steps=2+mas",), eps=(0.25,))
    assert names((clean, control, both)) == ["clean", "noise + action-noise", "pgd + mas"]
    assert control.control
    assert {"linf", "action linf"} <= both.attacked.sizes.keys()
    assert both.attacked.sizes["linf"] == pytest.approx(0.25, rel=1e-5)
    assert both.attacked.sizes["action linf"] == pytest.approx(0.25, rel=1e-5)


def test_attacks_at_once_may_each_have_a_size_of_their_own_as_their_controls_then_have(tmp_path):
    asked = ROPE | {"attack": ("pgd:steps=2,eps=0.1+mas", "pgd:steps=2,eps=0.1+nr-mdp:steps=2"), "eps": (0.25,)}
    clean, control, other, both, mixed = run(tmp_path / "run", **asked)
    assert names((control, other)) == ["noise + action-noise"] * 2
    for cell in (control, both):
        assert [one.eps for one in cell.attacks] == [0.1, 0.25]
        assert cell.attacked.sizes["linf"] == pytest.approx(0.1, rel=1e-5)
        assert cell.attacked.sizes["action linf"] == pytest.approx(0.25, rel=1e-5)
    for cell in (other, mixed):  # what counts per cent plays at its own standard size
        assert [(one.reach, one.eps) for one in cell.attacks] == [("linf", 0.1), ("mix", 10.0)]
        assert cell.status == "ok"
    assert clean.attacked.returns.mean != both.attacked.returns.mean


def test_one_of_several_at_once_that_has_no_size_is_told():
    with pytest.raises(InvalidInput, match="--eps: expected at least one size"):
        plan(Study(**ROPE, attack=("pgd:eps=0.1+mas",)))


def test_what_an_opponent_and_attacks_on_both_channels_do_is_in_one_cell(tmp_path):
    asked = ROPE | {"players": (("zero", "random"), "tests.kit.players:puller")}
    cells = run(tmp_path / "run", **asked, attack=("pgd:steps=2,eps=0.1+mas:eps=0.25",))
    attacked = [cell for cell in cells if len(cell.attacks) == 2 and not cell.control]
    assert [cell.seats[0].player for cell in attacked] == ["zero", "random"]
    assert all(cell.attacked.name == "right" and cell.seats[0].attacked is None for cell in attacked)
    assert len({cell.seats[0].returns.mean for cell in attacked}) == 2


def test_actions_that_are_no_numbers_are_not_attacked():
    with pytest.raises(InvalidInput, match="attack mas: expected continuous actions"):
        plan(Study(**COINS, attack=("mas",), eps=(0.25,)))


# Attacks that look for the smallest change; natural ones are in `test_changes`.


def test_an_attack_that_looks_for_the_smallest_change_needs_no_size_and_tells_what_it_found(tmp_path):
    clean, direction, deepfool = run(tmp_path / "run", **COINS, attack=("deepfool",))
    assert names((clean, direction, deepfool)) == ["clean", "direction", "deepfool"]
    assert (deepfool.attack.eps, deepfool.attack.radius, deepfool.status) == (None, None, "ok")
    found = deepfool.attacked.observed
    assert found["found"].mean == 1.0
    assert found["size found, median"].mean == pytest.approx(1.02)  # the other side begins at 0, and a hair beyond
    assert deepfool.attacked.action_change == 1.0
    assert not clean.attacked.observed


# Schedules.


def test_a_control_acts_at_the_steps_of_its_attack(tmp_path):
    asked = COINS | {"attack": ("fgsm:loss=margin",), "eps": (1.5,), "when": ("every", "random:share=0.5")}
    cells = run(tmp_path / "run", **asked)
    assert [(cell.attack and cell.attack.schedule) for cell in cells] == [
        None, "every", "random:share=0.5", "every", "random:share=0.5",
    ]  # fmt: skip
    _, noise, rare_noise, fgsm, rare_fgsm = (cell.attacked.attacked for cell in cells)
    assert noise == fgsm == 1.0
    assert 0.2 < rare_fgsm == rare_noise < 0.8
    by_name = {cell.cell: cell for cell in cells}
    assert len(by_name) == 5


def test_a_schedule_s_questions_count_as_the_attack_s(tmp_path):
    timed = run(tmp_path / "run", **COINS, attack=("fgsm:loss=margin",), eps=(1.5,), when=("timed:share=0.5",))[2]
    assert timed.attacked.queries == 1.0
    assert 0 < timed.attacked.gradients == timed.attacked.attacked <= 0.5


@pytest.mark.parametrize(
    ("when", "error", "message"),
    [
        ("evry", UnknownName, "did you mean 'every'"),
        ("random", InvalidInput, "share"),
    ],
)
def test_a_schedule_that_is_none_is_refused(when, error, message):
    with pytest.raises(error, match=message):
        plan(Study(**COINS, attack=("fgsm:loss=margin",), eps=(1.5,), when=(when,)))


# Fronts.


def test_a_front_stands_before_the_victim_and_makes_cells_of_its_own(tmp_path):
    bare = plan(Study(**FILM, attack=("fgsm:loss=margin",), eps=(0.1,)))
    asked = FILM | {"defence": ("jpeg:quality=50",), "attack": ("fgsm:loss=margin",), "eps": (0.1,)}
    cells = run(tmp_path / "run", **asked)
    assert {cell.defence for cell in cells} == {"jpeg:quality=50"}
    assert {cell.cell for cell in cells}.isdisjoint(cell.key for cell in bare.cells)
    assert all(cell.ok for cell in cells)
    assert cells[2].attacked.gradients == 1.0


@pytest.mark.parametrize(
    ("front", "error", "message"),
    [
        ("jpg", UnknownName, "did you mean 'jpeg'"),
        ("jpeg:quality=1000", InvalidInput, "quality"),
        ("jpeg:qualty=3", UnknownName, "did you mean 'quality'"),
    ],
)
def test_a_front_that_does_not_fit_is_refused_before_anything_is_played(front, error, message):
    with pytest.raises(error, match=message):
        plan(Study(**FILM, defence=(front,)))


def test_a_front_of_images_is_refused_where_there_are_none():
    with pytest.raises(InvalidInput, match="jpeg"):
        plan(Study(**COINS, defence=("jpeg:quality=50",)))


# Fits.


# Observers.


def test_margins_of_the_victim_are_observed_beside_those_on_the_truly_clean_view(tmp_path):
    cells = run(tmp_path / "run", **COINS, attack=("fgsm:loss=margin",), eps=(1.5,), observe=("margins",))
    sure, flipped = math.tanh(5.0), math.tanh(2.5)  # of scores that are 10 and 5 apart
    clean, fgsm = cells[0].attacked.observed, cells[2].attacked.observed
    assert (clean["margin"].mean, clean["margin, clean view"].mean) == (pytest.approx(sure), pytest.approx(sure))
    assert (fgsm["margin"].mean, fgsm["margin, clean view"].mean) == (pytest.approx(flipped), pytest.approx(sure))


def test_who_observes_changes_no_episode_and_no_key(tmp_path):
    asked = COINS | {"attack": ("fgsm:loss=margin",), "eps": (1.5,)}
    with_it = run(tmp_path / "with", **asked, observe=("margins",))
    without = run(tmp_path / "without", **asked)
    assert [cell.cell for cell in with_it] == [cell.cell for cell in without]
    assert rows(tmp_path / "with") == rows(tmp_path / "without")


def test_a_cell_that_was_not_observed_is_played_again_and_more_episodes_may_be_observed_less(tmp_path):
    asked = COINS | {"attack": ("fgsm:loss=margin",), "eps": (1.5,)}
    run(tmp_path / "run", **asked)
    observed = run(tmp_path / "run", **asked, observe=("margins",))
    assert {"margin", "margin, clean view"} == observed[0].attacked.observed.keys()
    more = run(tmp_path / "run", **asked | {"episodes": 9})
    assert [(cell.episodes, cell.attacked.observed) for cell in more] == [(9, {})] * 3
    run(tmp_path / "whole", **asked | {"episodes": 9})
    assert rows(tmp_path / "run") == rows(tmp_path / "whole")


class Steps(Observer):
    """Counts the steps of the victim."""

    def __init__(self, seat, slots):
        super().__init__(seat, slots)
        self.steps = [0.0] * slots

    def see(self, moment):
        for slot in moment.acting.nonzero()[0]:
            self.steps[slot] += moment.seat == self.seat

    def collect(self, slot):
        steps, self.steps[slot] = self.steps[slot], 0.0
        return {"steps": steps}


OBSERVERS.add("steps", f"{__name__}:Steps")


def test_an_observer_of_others_is_added_by_its_name_and_known_to_workers(tmp_path):
    (cell,) = run(tmp_path / "run", workers=2, **COINS, observe=("steps",))
    assert cell.attacked.observed["steps"].mean == cell.length.mean


def test_an_observer_that_is_none_is_refused_before_anything_is_played():
    with pytest.raises(UnknownName, match="did you mean 'margins'"):
        plan(Study(**COINS, observe=("margin",)))


def test_margins_of_continuous_actions_are_refused_in_one_line(tmp_path):
    with pytest.raises(InvalidInput, match="--observe margins: expected a victim of discrete actions"):
        run(tmp_path / "run", **ROPE, observe=("margins",))
