from rlattack.evaluation.seeds import attack_seed, game_seed, seat_seed


def test_game_seeds_are_those_that_the_emulator_takes_and_differ():
    seeds = [game_seed(0, episode) for episode in range(2000)]
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert len(set(seeds)) == 2000
    assert game_seed(1, 0) != game_seed(0, 0)


def test_game_and_attack_draw_from_different_branches():
    assert attack_seed(3, 5).generate_state(1)[0] >> 1 != game_seed(3, 5)


def test_the_seats_of_an_episode_draw_from_branches_of_their_own():
    branches = [attack_seed(3, 5), *(seat_seed(3, episode, seat) for episode in (5, 6) for seat in (0, 1))]
    assert len({int(branch.generate_state(1)[0]) for branch in branches}) == 5
