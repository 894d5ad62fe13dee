"""Surrogates that learn from what a victim does, against victims that are linear in what they see."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from rlattack.attacks import TuningStep
from rlattack.attacks.imitation import (
    ImitateConfig,
    Imitation,
    agreement_words,
    learns_by_watching,
    make_imitation,
    surrogate_name,
)
from rlattack.draws import SharedDraws
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.game import Seat
from rlattack.policies.distributions import Choices, Point

SLOTS = 4
NUMBERS = Box(-9, 9, (3,), np.float32)
WEIGHTS = torch.tensor([[2.0, -1.0, 0.0], [-2.0, 1.0, 0.0]])


class Watched:
    """A victim whose episodes have so many steps, and who does what `does` makes of what it is shown."""

    def __init__(self, space, does, length=lambda episode: 20, acting=None):
        self._space, self._does, self._length, self._acting = space, does, length, acting
        self.closed, self.played = False, []

    def round(self, take):
        """Plays episodes whose observations their number and the step tell."""
        episode = [take(slot) for slot in range(SLOTS)]
        step = [0] * SLOTS
        while any(one is not None for one in episode):
            active = np.asarray([one is not None for one in episode])
            shown = np.stack([self._shown(one, at) for one, at in zip(episode, step, strict=True)])
            ended = np.asarray(
                [bool(a and at + 1 >= self._length(one)) for a, one, at in zip(active, episode, step, strict=True)]
            )
            self.played += [(one, tuple(shown[slot].flat)) for slot, one in enumerate(episode) if active[slot]]
            began = list(episode)
            for slot in range(SLOTS):
                step[slot] += 1
                if ended[slot]:
                    episode[slot], step[slot] = take(slot), 0
            seen = torch.as_tensor(shown.astype(np.float32))
            acting = None if self._acting is None else active & self._acting
            playing = np.asarray([-1 if one is None else one for one in began])
            yield TuningStep(active, shown, seen, self._does(seen), np.zeros(SLOTS), ended, ended, acting, playing)

    def _shown(self, episode, step):
        drawn = np.random.default_rng([0 if episode is None else episode, step])
        if self._space.dtype == np.uint8:
            return drawn.integers(0, 256, self._space.shape, dtype=np.uint8)
        return drawn.normal(size=self._space.shape).astype(np.float32)

    def close(self):
        """Is told when nothing more is asked for."""
        self.closed = True


def chosen(seen):
    return (seen @ WEIGHTS.T).argmax(dim=1)


def learned(seat, does, seed=0, victim=None, **parameters):
    imitation = Imitation(ImitateConfig(**{"episodes": 20, "epochs": 20} | parameters))
    victim = victim or Watched(seat.observation, does)
    fit = imitation.fit(victim, SLOTS, seat, SharedDraws(1, seed), lambda line: None)
    return imitation.policy(seat, fit), fit, victim


def test_who_chooses_by_a_line_is_imitated_and_its_slope_found():
    policy, fit, victim = learned(Seat("player", NUMBERS, Discrete(2)), chosen)
    assert victim.closed
    assert {name: fit.facts[name] for name in ("episodes", "states", "held_out")} == {
        "episodes": 20, "states": 320, "held_out": 80,
    }  # fmt: skip
    assert fit.facts["agreement"] > 0.9 > 0.7 > fit.facts["agreement_alone"]
    point = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    slope, _ = policy.gradient(point, lambda out: (out.actions.scores[:, 0] - out.actions.scores[:, 1]).sum())
    assert torch.cosine_similarity(slope.mean(dim=0), WEIGHTS[0], dim=0) > 0.95
    assert agreement_words(fit).startswith("agrees with the victim in 9")


def test_actions_that_are_numbers_are_imitated_by_least_squares_within_their_range():
    box = Box(np.float32([-1, -50]), np.float32([1, 50]))
    policy, fit, _ = learned(
        Seat("player", NUMBERS, box),
        lambda seen: seen @ torch.tensor([[0.3, 90.0], [0.1, 0.0], [0.0, 9.0]]),
        epochs=60,
    )
    assert fit.facts["agreement"] > 0.9
    assert fit.facts["agreement_alone"] == 0
    assert agreement_words(fit).endswith(
        " % of the variance of the victim's actions in 80 states that it was not shown"
    )
    done = policy(torch.tensor([[2.0, 0.0, 0.0], [-0.3, 0.0, 0.0]])).actions
    assert isinstance(done, Point)
    assert done.greedy[0].tolist() == pytest.approx([0.6, 50], rel=0.3)
    assert done.greedy[1].tolist() == pytest.approx([-0.09, -27], rel=0.3)


def test_several_choices_at_once_are_each_imitated():
    policy, fit, _ = learned(
        Seat("player", NUMBERS, MultiDiscrete([2, 3])),
        lambda seen: torch.stack([chosen(seen), seen.argmax(dim=1)], dim=1),
    )
    out = policy(torch.eye(3) * 3).actions
    assert isinstance(out, Choices)
    assert out.greedy[:, 1].tolist() == [0, 1, 2]
    assert fit.facts["agreement"] > 0.85


@pytest.mark.parametrize("shape", [(2, 36, 36), (36, 40, 3), (6, 6, 3)], ids=["frames", "colours", "small"])
def test_pictures_are_seen_by_convolutions_where_they_are_large_enough(shape):
    space = Box(0, 255, shape, np.uint8)
    policy, fit, _ = learned(
        Seat("player", space, Discrete(2)), lambda seen: (seen.flatten(1).mean(dim=1) > 127).long(),
        episodes=6, states=200, epochs=1, victim=None,
    )  # fmt: skip
    assert policy.observation == shape
    assert policy(torch.full((5, *shape), 20.0)).actions.scores.shape == (5, 2)
    assert any("layers.trunk.0.weight" in name for name in fit.tensors) == (min(shape[:2]) >= 36 or shape[1] >= 36)


def test_the_same_seed_learns_the_same_and_touches_no_other_numbers():
    seat = Seat("player", NUMBERS, Discrete(2))
    before = torch.get_rng_state()
    one, again, other = (learned(seat, chosen, seed, epochs=1)[1].tensors for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_kept_is_spread_evenly_over_steps_and_no_more_than_asked_for():
    _, fit, victim = learned(Seat("player", NUMBERS, Discrete(2)), chosen, states=200, epochs=1)
    assert len(victim.played) == 400
    assert 100 < fit.facts["states"] + fit.facts["held_out"] <= 200


def test_every_fifth_episode_is_kept_apart_whatever_their_lengths():
    """Held-out episodes alone show something new, so who agrees there has not learned them by heart."""
    space = Box(-9, 9, (1,), np.float32)
    lengths = {episode: 13 + episode % 7 for episode in range(10)}
    victim = Watched(space, lambda seen: (seen[:, 0] > 0).long(), lengths.__getitem__)
    _, fit, _ = learned(Seat("player", space, Discrete(2)), None, victim=victim, episodes=10, epochs=1)
    assert fit.facts["held_out"] == lengths[4] + lengths[9]
    assert fit.facts["states"] == sum(lengths.values()) - fit.facts["held_out"]


def test_where_it_is_not_the_victim_s_turn_nothing_is_learned():
    seat = Seat("player", NUMBERS, Discrete(2))
    victim = Watched(NUMBERS, chosen, acting=np.asarray([True, True, False, False]))
    _, fit, _ = learned(seat, None, victim=victim, epochs=1)
    assert fit.facts["states"] + fit.facts["held_out"] == 200


@pytest.mark.parametrize(
    ("parameters", "length", "message"),
    [
        ({"episodes": 2}, 10, "at least 50 states to learn from and 5 to be tried on, 2 tuning episodes had 10 and 10"),
        ({"episodes": 10}, 2, "10 tuning episodes had 16 and 4; episodes=N watches more"),
    ],
)
def test_too_few_states_are_refused(parameters, length, message):
    victim = Watched(NUMBERS, chosen, lambda episode: length)
    with pytest.raises(InvalidInput, match=message):
        learned(Seat("player", NUMBERS, Discrete(2)), None, victim=victim, **parameters)
    assert victim.closed


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("imitate:episode=3", UnknownName, "surrogate imitate has no parameter 'episode'; did you mean 'episodes'"),
        ("imitate:episodes=many", InvalidInput, "surrogate imitate: episodes"),
    ],
)
def test_parameters_that_are_none_are_refused(text, error, message):
    with pytest.raises(error, match=message):
        make_imitation(text)


def test_a_surrogate_that_learns_has_one_spelling_and_agents_their_own():
    assert (
        surrogate_name("imitate:epochs=10,episodes=4") == surrogate_name("imitate:episodes=4") == "imitate:episodes=4"
    )
    assert surrogate_name("imitate:episodes=20") == "imitate"
    assert surrogate_name("atari/pong/ppo") == "atari/pong/ppo"
    assert [learns_by_watching(text) for text in ("imitate", "imitate:epochs=3", "imitated", "my:imitate")] == [
        True, True, False, False,
    ]  # fmt: skip
