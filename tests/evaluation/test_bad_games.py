"""Environments that misbehave are told in one line, by game and episode, and are no fault of an attack."""

import json
import multiprocessing

import pytest
import torch

from rlattack.errors import InvalidInput, UnknownName, WorkerDied
from rlattack.evaluation import Study, evaluate
from rlattack.evaluation.cell import Cell
from rlattack.evaluation.executor import Effort, Local, Task
from rlattack.games import find_game
from rlattack.games.card import Variant
from rlattack.report.comparison import attack_label
from tests.kit.environments import PACKAGE, WRONG

FIRST = "tests.kit.environments:first_of_four"


class Here(Local):
    """Plays in this process, whatever the game."""

    def run(self, tasks, play):
        for task in tasks:
            episodes = {slot: list(range(slot, task.cell.episodes, task.cell.envs)) for slot in range(task.cell.envs)}
            yield from play(task, lambda slot, left=episodes: left[slot].pop(0) if left[slot] else None)
            yield Effort(task.key, task.episodes, 1.0)


@pytest.fixture
def play(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def evaluated(name, victim=FIRST, **changes):
        options = {"episodes": 2, "envs": 2, "space": "raw", "actions": "greedy"} | changes
        return evaluate(Study(game=f"{PACKAGE}{name}-v0", players=(victim,), **options), executor=Here(1)).cells

    return evaluated


@pytest.mark.parametrize(("wrong", "said"), WRONG.items())
def test_a_game_that_misbehaves_is_one_line_that_names_its_episode(play, wrong, said):
    with pytest.raises(InvalidInput, match=rf"^game .*Bad-{wrong}-v0, episode 0 \(seed \d+\): {said}") as caught:
        play(f"Bad-{wrong}")
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).endswith("; finished cells are kept")


@pytest.mark.parametrize(
    ("attack", "norm", "eps"), [("fgsm", "linf", 0.1), ("pgd", "l2", 0.1), ("fgsm", "l1", 0.1), ("noise", "l0", 2.0)]
)
def test_what_a_game_shows_beyond_its_bounds_is_legal_and_attacked(play, attack, norm, eps):
    clean, *attacked = play("Beyond", attack=(attack,), norm=norm, eps=(eps,))
    assert clean.ok
    for cell in attacked:
        assert (cell.status, cell.attacked.attacked) == ("ok", 1.0)
        assert 0 < cell.attacked.sizes[norm] <= cell.attack.radius * (1 + 1e-6)


def test_a_game_that_never_ends_is_cut_where_that_is_asked_for_and_the_result_says_so(play):
    (clean,) = play("Endless", max_steps=7)
    assert (clean.length.mean, clean.endings, clean.truncated) == (7.0, {"--max-steps": 2}, 2)
    assert clean.victim_seat.returns.mean == 7.0
    (longer,) = play("Endless", max_steps=8)
    assert longer.cell != clean.cell


def test_only_the_keys_that_are_named_change_and_choices_never_do(play):
    maze, sizes = "tests.kit.environments:of_the_maze", {"attack": ("fgsm",), "eps": (0.5,)}
    _, _, body = play("Maze", maze, keys="body.speed", **sizes)
    assert (body.status, body.attack.free, body.attacked.sizes["l0"]) == ("ok", (64, 65), 2.0)
    assert (body.attack.entries, attack_label(body)) == ("body.speed", "fgsm free body.speed")
    _, _, every = play("Maze", maze, **sizes)
    assert every.attack.free == (*range(60), 64, 65)
    assert (every.attacked.sizes["l0"] <= 62, every.attack.entries) == (True, "picture,body.speed")
    *_, some = play("Maze", maze, free="0,1,65", **sizes)
    assert some.attack.entries == "picture[0,1],body.speed[1]"
    *_, pixels = play("Maze", maze, keys="picture", attack=("fgsm",), eps=(0.1,), space="unit")
    assert (pixels.status, round(pixels.attacked.sizes["linf"], 6)) == ("ok", 0.1)


@pytest.mark.parametrize(
    ("name", "victim", "options", "error", "said"),
    [
        ("Maze", "of_the_maze", {"keys": "pictures"}, UnknownName, "expected picture, body.speed, got 'pictures'; did"),
        ("Maze", "of_the_maze", {"keys": "compass"}, UnknownName, "got 'compass' holds a choice"),
        ("Maze", "of_the_maze", {"keys": "picture", "free": "1"}, InvalidInput, "--free and --keys: expected one"),
        ("Maze", "of_the_maze", {"free": "61"}, InvalidInput, "expected entries of picture, body.speed, got 61"),
        ("Shown", "first_of_four", {"keys": "a"}, InvalidInput, "--keys: expected observations in a Dict"),
        ("Cards", "of_the_cards", {}, InvalidInput, "what this game shows are choices"),
    ],
)
def test_keys_that_cannot_change_are_refused(play, name, victim, options, error, said):
    with pytest.raises(error, match=said):
        play(name, f"tests.kit.environments:{victim}", attack=("fgsm",), eps=(0.1,), **options)


@pytest.mark.parametrize("victim", ["random", "zero"])
@pytest.mark.parametrize(("name", "paid"), [("Buttons", 3.0), ("Switches", 3.0), ("Arm", 3.0), ("Masked", 3.0)])
def test_who_looks_at_nothing_plays_every_kind_of_actions(play, victim, name, paid):
    (clean,) = play(name, victim, actions="card")
    assert clean.victim_seat.returns.mean == paid


def test_a_process_that_ends_is_told_by_game_and_episode():
    card = find_game(f"{PACKAGE}Bad-exit-v0")
    cell = Cell(game=Variant(card), seats=("player",), players=(), actions=(), seed=0, episodes=2, envs=1)
    with pytest.raises(
        WorkerDied, match=r"^game .*Bad-exit-v0, episode 0: .* ended the worker process \(exit code 3\)"
    ):
        list(Local(1).run([Task(cell)], stepping))


def test_a_plugin_s_game_is_played_apart_too_since_it_may_end_the_process(monkeypatch):
    def begun(**_):
        raise OSError("another process")

    card = find_game("gymnasium/Bad-exit-v0")
    cell = Cell(game=Variant(card), seats=("player",), players=(), actions=(), seed=0, episodes=2, envs=1)
    monkeypatch.setattr("rlattack.registry._plugged", {"tests.kit.environments": None})
    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Process", begun)
    with pytest.raises(OSError, match="another process"):
        list(Local(1).run([Task(cell)], stepping))


def stepping(task, take):
    """Plays without players, as a worker does."""
    from rlattack.games import make_game

    game, episode = make_game(task.cell.game, 1), take(0)
    game.reset(torch.ones(1, dtype=torch.bool).numpy(), torch.tensor([episode]).numpy())
    while True:
        game.step([torch.zeros(1, dtype=torch.int64).numpy()])
        yield from ()


def test_infinite_numbers_never_reach_a_file(play, tmp_path):
    with pytest.raises(InvalidInput, match="pays what is no finite number of 32 bits"):
        play("Bad-inf-paid")
    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)
