import pytest

from rlattack.evaluation.results import Mean, Rate
from rlattack.evaluation.study import Study
from rlattack.training import Score
from rlattack.training.score import Scorer
from tests.kit.agents import gaussian_agent


def score(win, tie, loss, episodes=4, command="rlattack duel ..."):
    rates = {name: Rate(rate, (0.0, 1.0)) for name, rate in (("win", win), ("tie", tie), ("loss", loss))}
    return Score(episodes=episodes, seed=1000, actions="sampled", command=command, rates=rates)


def test_scores_of_wins_are_joined_with_an_interval_over_all_games():
    joined = Score.together([score(1.0, 0.0, 0.0), score(0.5, 0.25, 0.25)], [{"opponent": "a"}, {"opponent": "b"}])
    assert [rate.rate for rate in joined.rates.values()] == [0.75, 0.125, 0.125]
    assert joined.rates["win"].ci == pytest.approx((0.4093, 0.9285), abs=1e-4)  # Wilson, of 6 in 8
    assert joined.episodes == 8
    assert joined.command == "rlattack duel ... && rlattack duel ..."
    assert joined.table["against"] == [
        {"opponent": "a", "win": 1.0, "tie": 0.0}, {"opponent": "b", "win": 0.5, "tie": 0.25},
    ]  # fmt: skip


def test_a_score_is_a_table_of_a_card_and_points_of_curves():
    wins = score(0.5, 0.0, 0.5)
    assert wins.table["win"] == {"rate": 0.5, "ci": [0.0, 1.0]}
    assert wins.points == {
        "win_rate": 0.5, "tie_rate": 0.0, "loss_rate": 0.5, "win_rate_low": 0.0, "win_rate_high": 1.0,
    }  # fmt: skip
    returns = Score(episodes=2, seed=0, actions="greedy", command="", returns=Mean(3.0, (2.0, 4.0)))
    assert returns.table == {
        "mean": 3.0, "ci": [2.0, 4.0], "episodes": 2, "actions": "greedy", "seed": 0, "command": "",
    }  # fmt: skip
    assert returns.points == {"return_mean": 3.0, "return_low": 2.0, "return_high": 4.0}
    assert returns.rates == {}


@pytest.mark.parametrize(("seat", "own"), [("left", 0), ("right", 1)])
def test_an_agent_is_scored_in_its_own_seat_and_named_as_it_will_be(tmp_path, seat, own):
    agent = gaussian_agent(tmp_path / "agent", "tug/any", 3)
    players = [agent, "zero"] if own == 0 else ["zero", agent]
    told = []
    scorer = Scorer(tmp_path / "run", 10, lambda *heard: told.append(heard))
    study = Study(game="tug/any", players=tuple(players), victim=seat, episodes=5, seed=7)
    found = scorer(study, "why", {agent: "my/agent"})
    assert sum(rate.rate for rate in found.rates.values()) == pytest.approx(1)
    assert found.more.keys() == {"length", "distinct", "endings"}
    named = " ".join(player if player == "zero" else "my/agent" for player in players)
    assert found.command == f"rlattack duel tug/any --players {named} --episodes 5 --seed 7"
    assert told == [(number, 10, "why", False) for number in range(1, 6)]
    again = scorer(study, "again", {agent: "my/agent"})
    assert again == found
    assert told[5:] == [(number, 10, "again", True) for number in range(6, 11)]


def test_wins_of_one_seat_are_losses_of_the_other(tmp_path):
    agent = gaussian_agent(tmp_path / "agent", "tug/any", 3)
    scorer = Scorer(tmp_path / "run", 10, lambda *_: None)
    studies = [Study(game="tug/any", players=(agent, "random"), victim=seat, episodes=9) for seat in ("left", "right")]
    first, second = (scorer(study, "", {}) for study in studies)
    assert first.rates["win"] == second.rates["loss"]
    assert first.rates["loss"] == second.rates["win"]


def test_a_score_of_a_game_of_one_seat_tells_its_return(tmp_path):
    scorer = Scorer(tmp_path / "run", 3, lambda *_: None)
    found = scorer(Study(game="coins/any", players=("tests.kit.players:coin",), episodes=3), "", {})
    assert 2 <= found.returns.mean <= 5
    assert found.more.keys() == {"distinct", "sticky"}
    assert found.command == "rlattack attack coins/any --victim tests.kit.players:coin --episodes 3 --seed 0"
