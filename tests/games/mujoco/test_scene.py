import mujoco
import numpy as np
import pytest

from rlattack.errors import ContentError
from rlattack.games.mujoco.scene import build

# Body masses (kg) and traces of inertia (kg m2) that the observation statistics of the agents of 2018 tell
_HUMANOID = {
    "torso": (8.3221, 0.3399),
    "lwaist": (2.0358, 0.01832),
    "pelvis": (5.8528, 0.09901),
    "right_thigh": (4.5256, 0.13706),
    "left_thigh": (4.5256, 0.13706),
    "right_shin": (2.6325, 0.05976),
    "left_shin": (2.6325, 0.05976),
    "right_foot": (1.7671, 0.01193),
    "left_foot": (1.7671, 0.01193),
    "right_upper_arm": (1.5941, 0.02927),
    "left_upper_arm": (1.5941, 0.02927),
    "right_lower_arm": (1.1983, 0.02624),
    "left_lower_arm": (1.1983, 0.02624),
}
_ALL = ["you-shall-not-pass", "run-to-goal-humans", "run-to-goal-ants", "sumo-humans", "sumo-ants", "kick-and-defend"]


def model_of(card):
    return build(card.scene, card.rules)


@pytest.mark.parametrize("seat", [0, 1])
def test_a_humanoid_weighs_what_it_did_in_the_engine_of_2018(card, seat):
    model = model_of(card("you-shall-not-pass"))
    for name, (mass, trace) in _HUMANOID.items():
        body = model.body(f"agent{seat}/{name}")
        assert body.mass[0] == pytest.approx(mass, rel=1e-4), name
        assert body.inertia.sum() == pytest.approx(trace, rel=1e-3), name
    assert model.body(f"agent{seat}/torso").subtreemass[0] == pytest.approx(39.65, abs=0.005)


def test_an_ant_weighs_what_it_did_in_the_engine_of_2018(card):
    model = model_of(card("sumo-ants"))
    assert model.body("agent0/torso").subtreemass[0] == pytest.approx(0.88, abs=0.005)


def test_the_humanoid_s_left_hip_turns_as_far_as_in_the_original(card):
    model = model_of(card("run-to-goal-humans"))
    assert np.rad2deg(model.joint("agent1/left_hip_y").range) == pytest.approx([-120, 20])
    assert np.rad2deg(model.joint("agent1/right_hip_y").range) == pytest.approx([-110, 20])


@pytest.mark.parametrize("name", _ALL)
def test_a_scene_is_solved_as_in_the_original(card, name):
    game = card(name)
    model = model_of(game)
    assert model.opt.timestep == game.scene.timestep
    assert (model.opt.integrator, model.opt.solver) == (mujoco.mjtIntegrator.mjINT_RK4, mujoco.mjtSolver.mjSOL_PGS)
    assert (model.opt.iterations, model.opt.cone, model.opt.gravity[2]) == (
        1000,
        mujoco.mjtCone.mjCONE_PYRAMIDAL,
        -9.81,
    )
    shown = model.geom("goalpost").id if name == "kick-and-defend" else -1
    assert {margin for geom, margin in enumerate(model.geom_margin) if geom != shown} == {game.scene.margin / 2}
    assert (model.geom_solref == [0.02, 1]).all()
    assert (model.geom_solimp == [0.9, 0.95, 0.001, 0.5, 2]).all()


@pytest.mark.parametrize(
    ("name", "yaw"), [("sumo-ants", [180, 180]), ("sumo-humans", [0, 180]), ("run-to-goal-ants", [0, 180])]
)
def test_players_start_where_and_how_the_card_says(card, name, yaw):
    game = card(name)
    model = model_of(game)
    start = np.split(model.qpos0, 2)
    assert np.concatenate([half[:3] for half in start]) == pytest.approx(game.scene.start)
    for half, angle in zip(start, yaw, strict=True):
        assert np.abs(half[3:7]) == pytest.approx(
            np.abs([np.cos(np.deg2rad(angle / 2)), 0, 0, np.sin(np.deg2rad(angle / 2))])
        )
    assert not np.concatenate([half[7:] for half in start]).any()


@pytest.mark.parametrize(
    ("name", "size"),
    [("you-shall-not-pass", (48, 46, 34)), ("sumo-ants", (30, 28, 16)), ("kick-and-defend", (55, 52, 34))],
)
def test_both_players_and_the_ball_move_and_nothing_else(card, name, size):
    model = model_of(card(name))
    assert (model.nq, model.nv, model.nu) == size


def test_ants_touch_each_other_and_themselves(card):
    model = model_of(card("run-to-goal-ants"))
    own = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] > 0]
    assert (model.geom_conaffinity[own] == 1).all()
    assert (model.geom_contype[own] == 1).all()


def test_the_arena_and_the_ball_are_those_of_the_card(card):
    sumo = model_of(card("sumo-humans", rules={"height": 0.4}))
    arena = sumo.geom("arena")
    assert (arena.size[1], arena.pos[2]) == (0.2, 0.2)
    assert arena.size[0] == 3.5
    assert arena.friction == pytest.approx([1, 0.1, 0.1])
    kick = model_of(card("kick-and-defend", rules={"ball": (0.2, 0.3)}))
    assert (kick.geom("ball").size[0], kick.body("ball").mass[0]) == (0.2, pytest.approx(0.3))
    assert (kick.dof_damping[:6] == 0.001).all()
    assert kick.geom("goalpost").contype[0] == kick.geom("goalpost").conaffinity[0] == 0


def test_the_goal_lines_lie_where_the_rules_look_for_them(card):
    model = model_of(card("run-to-goal-ants", rules={"line": 6.0}))
    assert (model.geom("rightgoal").pos[0], model.geom("leftgoal").pos[0]) == (6.0, -6.0)
    assert model.geom("rightgoal").size[:2] == pytest.approx([0.03, 5.0])


def test_numbers_that_the_engine_does_not_take_are_told_in_one_line(card):
    game = card("kick-and-defend", rules={"ball": (0.15, 1e-30)})
    with pytest.raises(ContentError, match=r"^\[scene\]: MuJoCo cannot build it: .*mass") as caught:
        build(game.scene, game.rules)
    assert "\n" not in str(caught.value)


def test_from_each_recorded_state_and_action_the_next_recorded_state_follows(card, recording):
    """Median of the worst error of qvel: float32 precision in the air, 0.004 with the ground (facts/games.md)."""
    with np.load(recording, allow_pickle=False) as played:
        obs, actions, episode = played["obs"], played["actions"], played["episode"]
    model = model_of(card("sumo-ants"))
    data = mujoco.MjData(model)
    arena, player = model.geom("arena").id, model.geom_bodyid >= model.body("agent0/torso").id
    air, ground = [], []
    for now, action, then in zip(
        obs[:-1], actions[:-1], np.where(np.diff(episode)[:, None] == 0, obs[1:], np.nan), strict=True
    ):
        if np.isnan(then[0]):
            continue
        mujoco.mj_resetData(model, data)
        model.geom_size[arena, 0] = now[133]
        data.qpos[:15], data.qpos[15:], data.qvel[:14], data.ctrl[:8] = now[:15], now[107:122], now[15:29], action
        contacts = set()
        for _ in range(5):
            mujoco.mj_step(model, data)
            contacts |= {bool(player[geoms].all()) for geoms in data.contact.geom}  # whether of the two players
        error = np.abs(data.qvel[:14] - then[15:29]).max()
        if not contacts:
            air.append(error)
        elif contacts == {False}:
            ground.append(error)
    assert (len(air), len(ground)) > (150, 50)
    assert np.median(air) < 1e-4
    assert np.median(ground) < 0.005
