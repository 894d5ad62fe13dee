"""Any observation as one array, any action as it is typed by a policy; packages, arguments and faults of users."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete
from gymnasium.wrappers import FlattenObservation

from rlattack.budget import is_stack
from rlattack.errors import ContentError, InvalidInput, MissingExtra, UnknownName
from rlattack.games import find_game, make_game, with_variant
from rlattack.games.card import GymnasiumOptions
from rlattack.games.game import SlotFault
from rlattack.games.gymnasium_spaces import OneArray, Sight
from tests.kit import environments as kit


def made(name, slots=1, **options):
    return make_game(with_variant(find_game(f"{kit.PACKAGE}{name}-v0"), options=options), slots)


def begun(name, seed=3, **options):
    game = made(name, **options)
    (view,) = game.reset(np.ones(1, dtype=np.bool_), np.array([seed]))
    return game, view


def act(game, *actions):
    (view,) = game.step([np.asarray(actions)]).views
    return view


def two_steps(game):
    """Plays in the second of two slots."""
    game.reset(np.array([False, True]), np.array([1]))
    for _ in range(2):
        game.step([np.zeros(2, dtype=np.int64)])


def given(game):
    """The actions that the environment was given."""
    return game._envs[0].unwrapped.done


@pytest.mark.parametrize("name", ["Cards", "Blackjack-v1", "FrozenLake-v1", "Taxi-v4"])
def test_choices_are_shown_as_gymnasium_flattens_them(name):
    own = f"{kit.PACKAGE}{name}-v0" if name == "Cards" else f"gymnasium/{name}"
    game = make_game(find_game(own), 1)
    (view,) = game.reset(np.ones(1, dtype=np.bool_), np.array([7]))
    plain = FlattenObservation(gymnasium.make(own.removeprefix("gymnasium/")))
    assert view.obs[0].tolist() == plain.reset(seed=7)[0].tolist()
    assert game.seats[0].observation.contains(view.obs[0])


def test_a_dict_is_flattened_in_its_own_order_without_its_texts():
    game, view = begun("Maze")
    (seat,) = game.seats
    assert [(part.name, part.start, part.entries, part.shape, part.numbers) for part in seat.parts] == [
        ("picture", 0, 60, (5, 4, 3), True), ("compass", 60, 4, (4,), False), ("body.speed", 64, 2, (2,), True),
    ]  # fmt: skip
    shown, _ = gymnasium.make("tests.kit.environments:Maze-v0").reset(seed=3)
    compass = np.arange(1, 5) == shown["compass"]
    assert view.obs[0].tolist() == [*shown["picture"].ravel(), *compass, *shown["body"]["speed"]]
    assert (seat.observation.high[0], seat.observation.high[60], seat.observation.low[64]) == (255, 1, -2)


def test_pictures_may_have_their_channels_first():
    game, view = begun("Picture", channels="first")
    assert (game.seats[0].observation, view.obs.shape) == (Box(0, 255, (3, 16, 14), np.uint8), (1, 3, 16, 14))
    game, view = begun("Maze", channels="first")
    shown, _ = gymnasium.make("tests.kit.environments:Maze-v0").reset(seed=3)
    assert game.seats[0].parts[0].shape == (3, 5, 4)
    assert view.obs[0, :60].reshape(3, 5, 4).tolist() == np.moveaxis(shown["picture"], -1, 0).tolist()


@pytest.mark.parametrize(
    ("options", "shape", "older"),
    [
        ({"stack": 3}, (16, 14, 9), [0, 0, 10]),
        ({"stack": 3, "stack_fill": "first"}, (16, 14, 9), [10, 10, 10]),
        ({"stack": 3, "channels": "first"}, (9, 16, 14), [0, 0, 10]),
    ],
)
def test_pictures_are_stacked_along_their_channels(options, shape, older):
    game, view = begun("Picture", **options)
    axes = (1, 2) if options.get("channels") else (0, 1)
    assert game.seats[0].observation == Box(0, 255, shape, np.uint8)
    assert (game.seats[0].stacked, is_stack(game.seats[0].observation)) == (3, False)  # of frames in grey
    assert view.obs[0].mean(axis=axes).tolist() == [value for value in older for _ in range(3)]
    newer = [*older[1:], 11]
    assert act(game, 0).obs[0].mean(axis=axes).tolist() == [value for value in newer for _ in range(3)]
    newest = [*newer[1:], 12]
    assert act(game, 0).obs[0].mean(axis=axes).tolist() == [value for value in newest for _ in range(3)]
    (again,) = game.reset(np.ones(1, dtype=np.bool_), np.array([3]))
    assert again.obs.tolist() == view.obs.tolist()  # nothing is left of the episode before


@pytest.mark.parametrize(("name", "channels"), [("Shown", "as-shown"), ("Picture", "first")])
def test_stacks_are_those_of_stable_baselines3(name, channels):
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecTransposeImage

    theirs = VecFrameStack(DummyVecEnv([lambda: gymnasium.make(f"tests.kit.environments:{name}-v0", length=9)]), 4)
    theirs = VecTransposeImage(theirs) if channels == "first" else theirs
    theirs.seed(5)
    game, view = begun(name, seed=5, stack=4, channels=channels, args={"length": 9})
    assert view.obs.tolist() == theirs.reset().tolist()
    for _ in range(6):
        assert act(game, 1).obs.tolist() == theirs.step(np.array([1]))[0].tolist()


def test_pictures_in_grey_are_stacked_on_an_axis_of_their_own():
    sight = Sight(Box(0, 255, (4, 5), np.uint8), GymnasiumOptions(stack=2))
    assert sight.space == Box(0, 255, (2, 4, 5), np.uint8)
    first = sight.fresh(np.full((4, 5), 1))
    assert sight.next(first, np.full((4, 5), 2))[:, 0, 0].tolist() == [1, 2]


def test_continuous_actions_are_clipped_to_the_range_of_each_entry():
    game, _ = begun("Arm")
    assert game.seats[0].action == Box(np.float32([-1, -2]), np.float32([1, 0.5]))
    act(game, [7.0, -0.25])
    act(game, [-7.0, 7.0])
    assert [action.tolist() for action in given(game)] == [[1.0, -0.25], [-1.0, 0.5]]


def test_actions_of_several_axes_are_a_row_to_the_policy():
    game, _ = begun("Grid")
    assert game.seats[0].action.shape == (6,)
    act(game, np.float32([0, 0.5, 2, -3, 0.25, 1]))
    (action,) = given(game)
    assert (action.tolist(), action.dtype) == ([[0, 0.5, 1], [-1, 0.25, 1]], np.float64)


def test_several_choices_count_from_zero_and_switches_are_choices_of_two():
    game, _ = begun("Buttons")
    assert game.seats[0].action == MultiDiscrete([2, 3])
    act(game, [1, 2])
    assert given(game)[0].tolist() == [1, 7]
    game, _ = begun("Switches")
    assert game.seats[0].action == MultiDiscrete([2, 2, 2])
    act(game, [1, 0, 1])
    assert given(game)[0].tolist() == [1, 0, 1]


def test_what_an_environment_masks_is_not_legal():
    game, view = begun("Masked")
    assert view.legal.tolist() == [[True, False, False]]
    assert act(game, 0).legal.tolist() == [[False, True, False]]
    assert view.legal.tolist() == [[True, False, False]]  # what was shown stays
    with pytest.raises(SlotFault, match="its action_masks has 2 entries, its actions 3"):
        begun("Mismasked")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Graph(Box(0, 1, (2,)), None), "expected observations of numbers, got Graph"),
        (Dict(), "expected observations of numbers, got Dict"),
    ],
)
def test_what_is_no_numbers_is_refused(space, said):
    with pytest.raises(InvalidInput, match=said):
        Sight(space, GymnasiumOptions())


class Spaceless(kit.Shown):
    observation_space = None


def test_an_environment_without_spaces_of_gymnasium_is_refused():
    with pytest.raises(InvalidInput, match=r"expected spaces of Gymnasium, got builtins.NoneType"):
        OneArray(Spaceless(), GymnasiumOptions())


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([300, 5], "shows observations of int64 that are no uint8, which its space declares"),
        ([0.5, 5.0], "of float64 that are no uint8"),
        ([np.nan, 5.0], "of float64 that are no uint8"),
    ],
)
def test_numbers_that_the_declared_type_does_not_hold_are_refused(shown, said):
    sight = Sight(Box(0, 255, (2,), np.uint8), GymnasiumOptions())
    assert sight.fresh([3.0, 255.0]).tolist() == [3, 255]
    with pytest.raises(InvalidInput, match=said):
        sight.fresh(shown)


@pytest.mark.parametrize(
    ("space", "shown"), [(Discrete(3, start=1), 0), (MultiDiscrete([2, 3]), [1, 3]), (MultiBinary(2), [1, 2, 0])]
)
def test_a_choice_that_is_none_is_refused(space, shown):
    with pytest.raises(InvalidInput, match=r"shows observations as .*, its space declares (Multi)?(Discrete|Binary)"):
        Sight(space, GymnasiumOptions()).fresh(shown)


def test_what_cannot_be_stacked_or_made_is_refused_by_name():
    with pytest.raises(InvalidInput, match=r"game .*Maze-v0: --frame-stack is for .* one array, got Dict"):
        made("Maze", stack=2)
    with pytest.raises(InvalidInput, match=r"game .*Shown-v0: the environment cannot be made: .*argument 'lengths'"):
        made("Shown", args={"lengths": 3})
    with pytest.raises(ContentError, match="stack expects a whole number, got 'two'"):
        made("Shown", stack="two")
    with pytest.raises(ContentError, match="stack: expected more than 0, got 0"):
        made("Shown", stack=0)


def test_arguments_are_those_of_the_environment_and_of_its_card(tmp_path, monkeypatch):
    (tmp_path / "envs" / "gymnasium").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "envs" / "gymnasium" / "long.toml").write_text(
        'schema = "rlattack/game/1"\ntitle = "Long"\nmax_steps = 4\n[gymnasium]\n'
        'env = "tests.kit.environments:Shown-v0"\nargs = { length = 5 }\nstack = 2\n'
    )
    card = find_game("gymnasium/long")
    assert (card.max_steps, card.gymnasium.args, card.gymnasium.stack) == (4, {"length": 5}, 2)
    assert with_variant(card, options={"args": {"depth": 1}}).gymnasium.args == {"length": 5, "depth": 1}
    game = make_game(card, 1)
    game.reset(np.ones(1, dtype=np.bool_), np.array([0]))
    ended = [bool(game.step([np.zeros(1, dtype=np.int64)]).terminated[0]) for _ in range(5)]
    assert ended == [False] * 4 + [True]


def test_options_of_environments_are_for_those():
    with pytest.raises(
        ContentError, match="has no options stack: --env-args, --frame-stack and --channels are for gymnasium/ games"
    ):
        with_variant(find_game("mujoco/hopper"), options={"stack": 2})
    with pytest.raises(ContentError, match="has no options args, channels: --env-args and --channels are for gymnas"):
        with_variant(find_game("atari/pong"), options={"stack": 2, "args": {}, "channels": "first"})


def test_a_stack_is_one_of_an_atari_game_too():
    pytest.importorskip("ale_py")
    game = make_game(with_variant(find_game("atari/pong"), options={"stack": 2}), 1)
    (seat,) = game.seats
    assert (seat.observation.shape, seat.stacked, is_stack(seat.observation)) == ((2, 84, 84), 2, True)
    game.close()
    with pytest.raises(ContentError, match="max_steps: expected a whole number from 1"):
        with_variant(find_game("atari/pong"), max_steps=0)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nobodys_package:Name-v0", MissingExtra, "lies in the working folder, and there is no 'nobodys_package'"),
        ("nobodys.part:Name-v0", MissingExtra, "there is no 'nobodys.part'"),
        (
            "tests.kit.environments:Mazes-v0",
            UnknownName,
            r"registers no environment 'Mazes-v0'; did you mean 'Maze-v0'",
        ),
        (":Name-v0", UnknownName, "expected gymnasium/package:Name-v0$"),
        ("os:system", UnknownName, "os was imported and registers no environment 'system'$"),
    ],
)
def test_a_package_that_is_none_or_registers_none_is_said(name, error, said):
    with pytest.raises(error, match=said):
        find_game(f"gymnasium/{name}")


def test_a_package_in_the_working_folder_is_found_and_its_faults_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "own_worlds.py").write_text(
        "import gymnasium\ngymnasium.register('Own-v0', 'tests.kit.environments:Shown', kwargs={'length': 2})\n"
    )
    (tmp_path / "broken_worlds.py").write_text("import own_worlds\n1 / 0\n")
    (tmp_path / "lacking_worlds.py").write_text("import nothing_like_it\n")
    assert make_game(find_game("gymnasium/own_worlds:Own-v0"), 1).seats[0].observation.shape == (4,)
    for name, said in (("broken", "ZeroDivisionError: division by zero"), ("lacking", "No module named 'nothing_like")):
        with pytest.raises(InvalidInput, match=f"{name}_worlds cannot be imported: .*{said}"):
            find_game(f"gymnasium/{name}_worlds:Own-v0")


# whether numbers are finite is looked at by the play loop, of every game
@pytest.mark.parametrize(("wrong", "said"), [one for one in kit.WRONG.items() if "finite" not in one[1]])
def test_a_copy_that_misbehaves_names_its_slot(wrong, said):
    game = made(f"Bad-{wrong}", slots=2)
    with pytest.raises(SlotFault, match=said) as caught:
        two_steps(game)
    assert caught.value.slot == 1


def test_a_key_that_is_not_shown_is_named():
    game, _ = begun("Keyless")
    act(game, 0)
    with pytest.raises(SlotFault, match="shows no 'picture', which its space declares"):
        act(game, 0)


def test_discrete_actions_of_an_environment_stay_as_they_are():
    assert make_game(find_game("gymnasium/CartPole-v1"), 1).seats[0].action == Discrete(2)
