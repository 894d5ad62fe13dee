"""`rlattack certify`: a certificate of every size beside the best attack, as a user sees both."""

import dataclasses
import io
import json

import pytest
from command_line import call, refused
from rich.console import Console

from rlattack.errors import InvalidInput
from rlattack.evaluation.certification import certification
from rlattack.evaluation.study import Options
from rlattack.report import print_results
from rlattack.report.certificates import certain, certificates, certified_points
from rlattack.report.comparison import settings
from rlattack.report.runs import read_run
from tests.kit.agents import gaussian_agent

CARTPOLE = ("certify", "gymnasium/CartPole-v1", "--victim", "tests.kit.players:balance", "--space", "raw")
ATTACKS = ("--attack", "pgd:loss=margin,steps=2", "gwc")
QUICK = ("--episodes", "2", "--max-steps", "6", "--workers", "1", "--envs", "2")


def test_what_is_certain_stands_beside_the_best_attack_in_every_form(capsys, working_folder):
    looked = ("--eps", str(1 / 1024), "0.5", "--method", "crown", "--radius")
    assert call(*CARTPOLE, *looked, *ATTACKS, *QUICK, "--run", "run") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "what is certain of greedy actions" in shown
    assert "linf 0.000976562" in shown
    page = (working_folder / "run" / "report.html").read_text()
    assert "What is certain" in page
    assert "Certified share of states" in page
    run = read_run(working_folder / "run")
    (setting,) = settings(run.results)
    by_size = {(one.about.eps, one.about.method): one for one in certain(setting)}
    assert set(by_size) == {(0.000976562, "crown"), (0.5, "crown")}
    small, large = by_size[0.000976562, "crown"], by_size[0.5, "crown"]
    assert small.of("certified", small.clean).mean > 0.5 > large.of("certified", large.clean).mean
    assert small.of("certificates broken", small.attack).mean == 0
    assert small.attack.attack.name == "pgd"
    assert small.greedy.attack.name == "gwc"
    assert small.bound is None
    assert 0 < small.of("certified radius", small.clean).mean <= 0.001
    titles = [column.title for column in certificates(setting).columns]
    assert titles[:3] == ["certified", "radius", "best attack"]
    assert "absolute worst case" not in titles
    narrow = io.StringIO()
    print_results(run.results, working_folder / "run", Console(file=narrow, width=80))
    assert "linf 0.000976562 by crown" in narrow.getvalue()  # as many columns as fit, and what is left out
    assert "too narrow for the table" not in narrow.getvalue()
    assert "greedy worst case, clean: a wider terminal" in narrow.getvalue()
    points = list(certified_points(setting))
    assert ("certified/linf-crown", 977, small.of("certified", small.clean).mean) in points
    assert (working_folder / "run" / "tensorboard" / "certified").is_dir()


def test_entries_that_may_not_change_are_none_of_the_certificate(capsys, working_folder):
    looked = ("--eps", "0.05", "--free", "0", "--method", "crown", "--json", "--attack", "pgd")
    assert call(*CARTPOLE, *looked, *QUICK, "--run", "one") == 0
    one = json.loads(capsys.readouterr().out)["cells"]
    assert call(*CARTPOLE, *(word for word in looked if word not in ("--free", "0")), *QUICK, "--run", "all") == 0
    every = json.loads(capsys.readouterr().out)["cells"]
    shares = [cells[0]["seats"][0]["observed"]["certified at linf 0.05 by crown"]["mean"] for cells in (one, every)]
    assert shares[0] > shares[1]
    assert one[-1]["seats"][0]["observed"]["certificates broken at linf 0.05 by crown"]["mean"] == 0


def test_what_noise_makes_certain_stands_beside_the_best_attack_and_the_bound_of_what_is_earned(working_folder, capsys):
    noised = ("--defence", "smooth:sigma=0.05,copies=4,vote=majority,space=raw", "--norm", "l2", "--eps", "1e-6", "0.1")
    played = ("--attack", "fgsm", "--episodes", "40", "--envs", "40", "--max-steps", "6", "--workers", "1")
    assert call(*CARTPOLE, *noised, *played, "--run", "run") == 0
    assert "l2 1e-06 by smooth-0.05" in capsys.readouterr().out
    (setting,) = settings(read_run(working_folder / "run").results)
    small, large = certain(setting)
    assert (small.about.eps, large.about.eps) == (1e-6, 0.1)
    assert small.of("certified", small.clean).mean > large.of("certified", large.clean).mean
    assert small.attack.attack.name == large.attack.attack.name == "fgsm"
    table = certificates(setting)
    place = [column.title for column in table.columns].index("quantile at least")
    least = [row.values[place].order for row in table.groups[0].rows]
    assert least[0] == 6  # all episodes are cut there, and so small a change turns hardly a copy
    assert least[1] is None


def test_continuous_actions_have_bounds_of_how_far_they_move(capsys, working_folder):
    agent = gaussian_agent(working_folder / "agent", "mujoco/hopper", 11, 3, hidden=(8,))
    arguments = (
        "--victim",
        str(agent),
        "--eps",
        "0.05",
        "--space",
        "sigma",
        "--every",
        "5",
        "--tolerance",
        "0.5",
        "--json",
    )
    assert call("certify", "mujoco/hopper", *arguments, *QUICK, "--run", "run") == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    observed = cells[0]["seats"][0]["observed"]
    assert 0 < observed["may move at linf 0.05"]["mean"] < 1
    assert {cell["attacks"][0]["name"] for cell in cells[1:]} == {"noise", "pgd"}
    assert all(cell["status"] == "ok" for cell in cells)


def test_a_setting_without_certificates_has_no_table_of_them(working_folder):
    call("attack", *CARTPOLE[1:], "--eps", "0.1", *QUICK, "--run", "run")
    (setting,) = settings(read_run(working_folder / "run").results)
    assert certificates(setting) is None
    assert list(certified_points(setting)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--eps: expected at least one size to certify, as in --eps 0.001 0.004"),
        (("--eps", "0.1", "--actions", "sampled"), "--actions: certificates are of greedy actions, got sampled"),
        (("--eps", "0.1", "--norm", "l0"), "certificates are of linf, l2, l1, got l0"),
        (("--eps", "0.1", "--space", "unit"), "--space unit is for pixels in 0..255"),
        (("--eps", "0.1", "--space", "sigma"), "--space sigma needs an agent that ships observation statistics"),
        (("--eps", "0.1", "--every", "0"), "every: expected a number at least 1, got 0"),
        (("--eps", "0.1", "--tolerance", "2"), "tolerance: expected a number above 0 and at most 1, got 2"),
        (
            ("--eps", "0.1", "--victim", "tests.kit.players:memory"),
            "expected a policy without memory, got Memory with a st",
        ),
        (
            ("--eps", "0.1", "--victim", "tests.kit.players:opaque"),
            "got Opaque, which has no bounds here; bounded are net",
        ),
        (("--eps", "-1"), "--eps: expected a finite number above 0"),
    ],
)
def test_what_cannot_be_certified_is_refused_in_one_line(capsys, arguments, message):
    assert message in refused(capsys, *CARTPOLE, *QUICK, *arguments)


def test_a_front_that_is_not_bounded_is_named(capsys):
    arguments = (
        "certify",
        "atari/pong",
        "--victim",
        "atari/pong/ppo",
        "--eps",
        "0.01",
        "--defence",
        "jpeg",
        "--episodes",
        "1",
    )
    assert "expected a policy with no front before it, got the front jpeg" in refused(capsys, *arguments)


def test_the_attacks_that_stand_beside_are_those_of_the_actions():
    options = Options(game="gymnasium/CartPole-v1", eps=(0.1,), space="raw", observe=("margins",))
    study = certification(options, ["tests.kit.players:balance"], ["ibp", "ibp", "crown"])
    assert study.attack == ("pgd:loss=margin,steps=20,restarts=2", "gwc")
    looked = [f"certified:eps=0.1,norm=linf,space=raw,method={method}" for method in ("ibp", "crown")]
    assert study.observe == ("margins", *looked)
    assert certification(dataclasses.replace(options, game="mujoco/hopper"), ["zero"], ["auto"]).attack == (
        "pgd:steps=20,restarts=2",
    )
    assert certification(dataclasses.replace(options, attack=("fgsm",)), ["zero"], ["auto"]).attack == ("fgsm",)


def test_behind_noise_radii_of_states_and_bounds_of_returns_stand_beside_the_attack():
    options = Options(
        game="gymnasium/CartPole-v1", eps=(0.1,), space="raw", norm="l2", defence=("smooth:sigma=0.1",), max_steps=50
    )
    study = certification(options, ["tests.kit.players:balance"], ["auto"])
    assert study.observe == ("smoothed:eps=0.1,space=raw", "return-bound:eps=0.1,steps=50")
    assert study.attack == ("pgd",)
    with pytest.raises(InvalidInput, match="--norm: what noise makes certain is counted in l2, got linf"):
        certification(dataclasses.replace(options, norm="linf"), ["zero"], ["auto"])
