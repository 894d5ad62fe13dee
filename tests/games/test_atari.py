import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from rlattack.errors import ContentError, InvalidInput, UnknownName
from rlattack.games import GameCard, Variant, find_game, with_variant
from rlattack.games.atari import CRASHING, AtariGame, atari_roms, vector_env
from rlattack.games.camera import camera
from rlattack.games.game import NOBODY, UNDECIDED
from tests.games.random_play import Alone

ALL = np.ones(1, dtype=np.bool_)


def card(rom: str, sticky: float | None = None, **options: object) -> GameCard:
    return with_variant(find_game(f"atari/{rom}"), sticky=sticky, options=options)


def game(the_card: GameCard, slots: int, threads: int = 1) -> Alone:
    return Alone(AtariGame(Variant(the_card), slots, threads))


def moves(batch: Alone, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, batch.action_space.n, steps)


def play(batch: Alone, slot: int, seed: int, steps: int = 60) -> list[tuple[bytes, float]]:
    """The start of an episode in a slot, by actions drawn beforehand; the other slots play something else."""
    mask = np.arange(batch.slots) == slot
    lines = [(batch.reset(mask, np.array([seed]))[slot].tobytes(), 0.0)]
    for t, action in enumerate(moves(batch, steps)):
        step = batch.step(np.where(mask, action, (t + np.arange(batch.slots)) % batch.action_space.n))
        lines.append((step.obs[slot].tobytes(), float(step.rewards[slot])))
    return lines


def alone(the_card: GameCard, seed: int = 5, steps: int = 60) -> list[np.ndarray]:
    """Observations of the start of one episode in a batch of one."""
    batch = game(the_card, 1)
    seen = [batch.reset(ALL, np.array([seed]))[0]]
    seen += [batch.step(np.array([action])).obs[0] for action in moves(batch, steps)]
    batch.close()
    return seen


@pytest.mark.parametrize(("sticky", "fill"), [(0.0, "zero"), (0.25, "first")])
def test_an_episode_depends_on_its_seed_alone(sticky, fill):
    expected = play(game(card("breakout", sticky, stack_fill=fill), 1), 0, seed=5)
    crowd = game(card("breakout", sticky, stack_fill=fill), 3, threads=2)
    assert play(crowd, 2, seed=5) == expected  # neighbours that were never reset
    crowd.reset(np.ones(3, dtype=np.bool_), np.array([7, 8, 9]))
    assert play(crowd, 0, seed=5) == expected  # another slot, after another episode
    assert play(crowd, 0, seed=5) == expected  # again
    assert play(crowd, 0, seed=6) != expected


def test_sticky_actions_change_what_the_same_seed_plays():
    fixed = {"noop_max": 0, "fire_reset": False}
    without, with_them = (alone(card("pong", sticky, **fixed)) for sticky in (0.0, 0.25))
    assert np.array_equal(without[0], with_them[0])
    assert not all(map(np.array_equal, without, with_them))


def test_a_masked_reset_leaves_the_other_slots_alone():
    batch, control = (game(card("pong"), 3) for _ in range(2))
    actions = moves(batch, 40)
    for each in (batch, control):
        each.reset(np.ones(3, dtype=np.bool_), np.array([1, 2, 3]))
        for action in actions[:20]:
            last = each.step(np.full(3, action)).obs
    after = batch.reset(np.array([False, True, False]), np.array([9]))
    assert np.array_equal(after[[0, 2]], last[[0, 2]])
    for action in actions[20:]:
        moved, expected = (each.step(np.full(3, action)).obs for each in (batch, control))
        assert np.array_equal(moved[[0, 2]], expected[[0, 2]])
        assert not np.array_equal(moved[1], expected[1])


@pytest.mark.parametrize("rom", ["pong", "breakout"])
@pytest.mark.parametrize("fill", ["zero", "first"])
def test_frames_and_rewards_are_those_of_gymnasiums_wrappers_to_the_bit(rom, fill):
    name = "".join(part.title() for part in rom.split("_"))
    reference = gymnasium.make(f"ALE/{name}-v5", frameskip=1, repeat_action_probability=0.0)
    reference = FrameStackObservation(
        AtariPreprocessing(reference, noop_max=0), 4, padding_type="reset" if fill == "first" else "zero"
    )
    batch = game(card(rom, noop_max=0, fire_reset=False, stack_fill=fill), 1)
    assert np.array_equal(batch.reset(ALL, np.array([0]))[0], reference.reset()[0])
    for t, action in enumerate(moves(batch, 400)):
        action = 1 if t == 0 else action  # serves in Breakout
        step = batch.step(np.array([action]))
        obs, reward, terminated, _, _ = reference.step(action)
        assert (step.rewards[0], step.terminated[0]) == (reward, terminated)
        if terminated:  # then Gymnasium's last frame is an older one
            break
        assert np.array_equal(step.obs[0], obs), t
    assert t > 100
    reference.close()


def test_crop_cuts_the_resized_frame():
    whole, cut = alone(card("pong")), alone(card("pong", crop=[20, 3, 60, 70]))
    assert cut[0].shape == (4, 60, 70)
    assert all(np.array_equal(w[:, 20:80, 3:73], c) for w, c in zip(whole, cut, strict=True))


def test_resize_stack_and_skip_shape_what_is_seen():
    batch = game(card("pong", resize=[42, 50], stack=2, frame_skip=2), 1)
    assert batch.observation_space.shape == (2, 42, 50)
    assert batch.reset(ALL, np.array([1])).shape == (1, 2, 42, 50)


def test_the_action_set_is_minimal_full_or_as_listed():
    sizes = [game(card("pong", action_set=kind), 1).action_space.n for kind in ("minimal", "full", [5, 0, 2, 2, 11])]
    assert sizes == [6, 18, 5]


def test_actions_have_the_emulators_names_in_the_order_of_the_card():
    assert AtariGame(Variant(card("pong", action_set=[5, 0, 2])), 1).action_names == ["DOWN", "NOOP", "UP"]


def test_a_listed_action_is_the_emulators_own_number():
    listed, full = (game(card("pong", action_set=kind), 1) for kind in ([5, 0, 2], "full"))
    for each in (listed, full):
        each.reset(ALL, np.array([3]))
    for mine in moves(listed, 60):
        obs = listed.step(np.array([mine])).obs
        assert np.array_equal(obs, full.step(np.array([[5, 0, 2][mine]])).obs)


def ends(the_card: GameCard, steps: int) -> list[int]:
    """Steps at which an episode of Breakout terminated while serving at every tenth."""
    batch = game(the_card, 1)
    batch.reset(ALL, np.array([7]))
    found = [t for t in range(steps) if batch.step(np.array([int(t % 10 == 0)])).terminated[0]]
    batch.close()
    return found


def test_a_lost_life_ends_the_episode_only_when_asked_for():
    whole, lives = ends(card("breakout"), 160), ends(card("breakout", life_loss="terminal"), 40)
    assert lives[0] < 30 < 100 < whole[0]


def test_a_new_game_follows_a_lost_life():
    batch = game(card("breakout", life_loss="terminal"), 1)
    first = batch.reset(ALL, np.array([7]))
    while not batch.step(np.array([1])).terminated[0]:
        pass
    assert np.array_equal(batch.reset(ALL, np.array([7])), first)


def test_rewards_are_the_games_own():
    batch = game(card("qbert"), 4)
    batch.reset(np.ones(4, dtype=np.bool_), np.arange(4))
    rewards = {float(r) for a in moves(batch, 120) for r in batch.step((a + np.arange(4)) % 6).rewards}
    assert 25.0 in rewards  # a cube


def test_an_episode_is_truncated_after_the_cards_frames():
    batch = game(card("pong", max_frames=80), 1)
    batch.reset(ALL, np.array([1]))
    steps = [batch.step(np.array([0])) for _ in range(20)]
    assert [bool(step.truncated[0]) for step in steps] == [False] * 19 + [True]
    assert not steps[-1].terminated[0]


def test_a_step_gives_new_arrays():
    batch = game(card("pong"), 1)
    kept = [batch.reset(ALL, np.array([1]))]
    copies = [kept[0].copy()]
    for action in moves(batch, 50):
        kept.append(batch.step(np.array([action])).obs)
        copies.append(kept[-1].copy())
    assert all(map(np.array_equal, kept, copies))


def test_no_ops_are_drawn_from_zero_to_below_the_maximum():
    def starts(**options: object) -> set[int]:
        env = vector_env(card("breakout", **options), 1)
        env.reset(seed=0)
        return {int(env.reset()[1]["episode_frame_number"][0]) for _ in range(60)}

    assert starts(noop_max=3, fire_reset=False) == {0, 1, 2}
    assert starts(noop_max=0, fire_reset=False) == {0}
    assert starts(noop_max=0, fire_reset=True) == {1}


@pytest.mark.parametrize("seeds", [[-1], [2**31], [1, 2], []])
def test_seeds_that_would_not_be_kept_are_refused(seeds):
    with pytest.raises(InvalidInput, match="expected"):
        game(card("pong"), 1).reset(ALL, np.array(seeds))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("rom", CRASHING)
def test_a_rom_that_ends_the_process_is_refused_before_it_is_loaded(rom, training):
    with pytest.raises(InvalidInput, match=f"game atari/{rom}: ale-py ends the process"):
        vector_env(GameCard(id=f"atari/{rom}", title="", rom=rom), 1, training=training)


def test_a_card_needs_a_rom_that_exists():
    with pytest.raises(UnknownName, match="no game 'atari/pongg'; did you mean 'atari/pong'"):
        game(GameCard(id="atari/x", title="", rom="pongg"), 1)
    with pytest.raises(ContentError, match="the card names no rom"):
        game(GameCard(id="atari/x", title=""), 1)


def test_all_registered_roms_are_listed_but_those_that_crash():
    roms = atari_roms()
    assert len(roms) == 104
    assert not set(CRASHING) & set(roms)


def test_a_game_has_one_seat_and_leaves_it_to_the_card_who_has_won():
    pong = AtariGame(Variant(card("pong", max_frames=8)), 2)
    assert [seat.name for seat in pong.seats] == ["player"]
    (view,) = pong.reset(np.ones(2, dtype=np.bool_), np.array([1, 2]))
    assert view.turn.all()
    assert view.legal is None
    first, last = (pong.step([np.zeros(2, dtype=np.int64)]) for _ in range(2))
    assert (first.rewards.shape, first.rewards.dtype, first.sparse) == ((1, 2), np.float64, None)
    assert (first.winner.tolist(), first.ending.tolist()) == ([NOBODY] * 2, [0, 0])
    assert last.winner.tolist() == [UNDECIDED] * 2
    assert [pong.endings[ending] for ending in last.ending] == ["time"] * 2
    pong.close()


def test_a_player_of_atari_cannot_be_hidden():
    with pytest.raises(InvalidInput, match="game atari/pong: only MuJoCo games can hide the other player from a seat"):
        AtariGame(Variant(card("pong"), hidden=((0, "zero"),)), 1)


def test_its_camera_shows_the_newest_frame_of_a_slot_enlarged():
    pong = AtariGame(Variant(card("pong", frame_skip=3)), 2)
    shot = camera(pong)
    pong.reset(np.ones(2, dtype=np.bool_), np.array([1, 2]))
    step = pong.step([np.array([2, 3])])
    picture = shot.frame(1)
    assert (picture.shape, picture.dtype, shot.fps) == ((252, 252, 3), np.uint8, 20)
    assert np.array_equal(picture[1::3, 1::3, 2], step.views[0].obs[1, -1])
    assert shot.frame(0).any()
    shot.close()
    pong.close()
