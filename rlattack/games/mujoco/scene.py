"""Scenes of the two-player games (Bansal et al. 2018): the bodies that Gymnasium packages, as MuJoCo 1.31 had them.

The agents of 2018 play in these scenes as they did in theirs; every difference to Gymnasium's bodies says why.
"""

import math
from pathlib import Path

import gymnasium
import numpy as np

from rlattack.arrays import FloatArray
from rlattack.errors import ContentError, one_line
from rlattack.games.mujoco.card import Scene
from rlattack.games.mujoco.engine import mujoco
from rlattack.games.mujoco.ruleset import Kick, Rules, Sumo

ASSETS = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
_COLOURS = ((0.5, 0.25, 0.25, 1.0), (0.25, 0.5, 0.5, 1.0))
_FOUND = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)
_DISTANCE = 1 << int(mujoco.mjtConDataField.mjCONDATA_DIST)
_NEAREST = 1
"""Of several contacts a sensor tells the one of least distance."""


def seat(number: int) -> str:
    """Prefix of the names of a player's bodies, joints and actuators."""
    return f"agent{number}/"


def build(scene: Scene, rules: Rules) -> mujoco.MjModel:
    """Composes and compiles a scene: floor and goal lines, what the rules need, two players.

    Actions of seat 0 come first in `ctrl`, its joints first in `qpos` after the ball's.

    Raises:
        ContentError: Numbers that the engine does not take.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = scene.timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_RK4
    spec.option.solver = mujoco.mjtSolver.mjSOL_PGS
    spec.option.iterations = 1000
    # 1.31 took the larger margin of a pair of geoms, MuJoCo now takes the sum
    margin = scene.margin / 2
    _furnish(spec, rules, margin)
    for number in (0, 1):
        player = _player(scene, margin, _COLOURS[number])
        torso, half = player.body("torso"), math.radians(scene.yaw[number]) / 2
        torso.pos = scene.start[3 * number : 3 * number + 3]
        torso.quat = (math.cos(half), 0.0, 0.0, math.sin(half))
        spec.attach(player, prefix=seat(number), frame=spec.worldbody.add_frame())
    _sense(spec, rules)
    try:
        return spec.compile()
    except ValueError as error:
        raise ContentError(f"[scene]: MuJoCo cannot build it: {one_line(error)}") from error


def _sense(spec: mujoco.MjSpec, rules: Rules) -> None:
    """Adds the sensors; of a touch, found and distance are the last two numbers of all."""
    body, ball = mujoco.mjtObj.mjOBJ_XBODY, isinstance(rules, Kick)
    # an acceleration sensor makes the engine compute contact forces at the start of the last substep, as 1.31 did
    spec.worldbody.add_site(name="origin")
    spec.add_sensor(
        name="acceleration", type=mujoco.mjtSensor.mjSENS_ACCELEROMETER, objtype=mujoco.mjtObj.mjOBJ_SITE,
        objname="origin",
    )  # fmt: skip
    if isinstance(rules, Sumo | Kick):
        spec.add_sensor(
            name="touch", type=mujoco.mjtSensor.mjSENS_CONTACT, objtype=body,
            objname="ball" if ball else seat(0) + "torso", reftype=body, refname=seat(1) + "torso",
            intprm=(_FOUND | _DISTANCE, _NEAREST, 1),
        )  # fmt: skip


def _furnish(spec: mujoco.MjSpec, rules: Rules, margin: float) -> None:
    """Adds floor, goal lines, arena, ball and goal."""
    world, kinds = spec.worldbody, mujoco.mjtGeom
    _light(spec)
    world.add_geom(
        name="floor", type=kinds.mjGEOM_PLANE, size=(20, 20, 0.125), friction=(1, 0.1, 0.1), margin=margin,
        material="ground",
    )  # fmt: skip
    # sumo has no goal lines: its scenes kept them, unseen
    line, shown = (4.0, 0.0) if isinstance(rules, Sumo) else (rules.line, 1.0)
    for name, x in (("rightgoal", line), ("leftgoal", -line)):
        world.add_geom(
            name=name, type=kinds.mjGEOM_CYLINDER, fromto=(x, -5, 0, x, 5, 0), size=(0.03, 0, 0), margin=margin,
            rgba=(0.75, 0.55, 0.1, shown),
        )  # fmt: skip
    if isinstance(rules, Sumo):
        half = rules.height / 2
        _, largest = rules.radius  # so that the engine's bounding sphere, never computed again, holds smaller ones
        world.add_geom(
            name="arena", type=kinds.mjGEOM_CYLINDER, size=(largest, half, 0), pos=(0, 0, half), friction=(1, 0.1, 0.1),
            conaffinity=-1, margin=margin, rgba=(0.75, 0.7, 0.55, 1),
        )  # fmt: skip
    if isinstance(rules, Kick):
        radius, mass = rules.ball
        ball = world.add_body(name="ball", pos=(0, 0, rules.ball_height))
        ball.add_freejoint(name="ball").damping[:] = 0.001
        ball.add_geom(name="ball", type=kinds.mjGEOM_SPHERE, size=(radius, 0, 0), mass=mass, margin=margin)
        world.add_geom(
            name="goalpost", type=kinds.mjGEOM_BOX, size=(0.1, rules.post, rules.post), pos=(rules.line + 0.05, 0, 0),
            contype=0, conaffinity=0, rgba=(0.9, 0.9, 0.9, 0.3),
        )  # fmt: skip


def _light(spec: mujoco.MjSpec) -> None:
    """Adds what only pictures show: light, sky, and squares of a metre to see the speed by."""
    sky, squares = mujoco.mjtTexture.mjTEXTURE_SKYBOX, mujoco.mjtTexture.mjTEXTURE_2D
    gradient, checker = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    spec.add_texture(
        name="sky", type=sky, builtin=gradient, rgb1=(0.65, 0.75, 0.85), rgb2=(0.35, 0.45, 0.6), width=64, height=384
    )
    spec.add_texture(
        name="squares", type=squares, builtin=checker, rgb1=(0.62, 0.68, 0.62), rgb2=(0.7, 0.76, 0.7), width=128,
        height=128,
    )  # fmt: skip
    ground = spec.add_material(name="ground", texrepeat=(0.5, 0.5), texuniform=True)
    ground.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "squares"
    spec.worldbody.add_light(
        pos=(0, 0, 8), dir=(0.2, 0.3, -1), type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, diffuse=(0.6, 0.6, 0.6)
    )


def _player(scene: Scene, margin: float, colour: tuple[float, ...]) -> mujoco.MjSpec:
    """Gymnasium's body alone, with what 1.31 and the original files had otherwise."""
    spec = mujoco.MjSpec.from_file(str(ASSETS / f"{scene.body}.xml"))
    for thing in (spec.geom("floor"), *spec.lights, *spec.cameras, *spec.keys, *spec.numerics):
        spec.delete(thing)
    spec.nkey, spec.nuser_geom = 0, -1
    spec.option.timestep, spec.option.iterations = scene.timestep, 1000  # the whole scene's
    model = spec.compile()
    for geom in spec.geoms:
        geom.margin, geom.rgba, geom.material = margin, colour, ""
        if scene.body == "ant":
            geom.conaffinity = 1  # the ants touch each other, and themselves
    if scene.body == "humanoid":
        hip = spec.joint("left_hip_y")
        hip.range = (-120.0, hip.range[1])  # Gymnasium mended the left hip to be like the right one
    for body in spec.bodies[1:]:
        _weigh(model, body)
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_AUTO
    return spec


def _weigh(model: mujoco.MjModel, body: mujoco.MjsBody) -> None:
    """Gives a body the mass and inertia that 1.31 gave its capsules: those of a cylinder of length 2 h + r.

    Without it the humanoids are 6 % too heavy and the runners of 2018 fall in every game.
    """
    if all(geom.type != mujoco.mjtGeom.mjGEOM_CAPSULE for geom in body.geoms):
        return
    parts = [_part(model, geom) for geom in body.geoms]
    mass = sum(part[0] for part in parts)
    centre = np.asarray(sum(weight * place for weight, place, _ in parts)) / mass
    inertia = np.zeros((3, 3))
    for weight, place, own in parts:
        arm = place - centre
        inertia += own + weight * (arm @ arm * np.eye(3) - np.outer(arm, arm))
    body.explicitinertial, body.mass, body.ipos = True, mass, centre
    body.fullinertia = (*inertia.diagonal(), inertia[0, 1], inertia[0, 2], inertia[1, 2])


def _part(model: mujoco.MjModel, geom: mujoco.MjsGeom) -> tuple[float, FloatArray, FloatArray]:
    """Mass, place and inertia of a geom in its body's frame."""
    number = geom.id
    radius, half = model.geom_size[number][:2]
    if geom.type == mujoco.mjtGeom.mjGEOM_CAPSULE:
        length = 2 * half + radius
        mass = geom.density * math.pi * radius**2 * length
        across = mass * (3 * radius**2 + length**2) / 12
        moments = (across, across, mass * radius**2 / 2)
    else:  # a sphere
        mass = geom.density * 4 / 3 * math.pi * radius**3
        moments = (0.4 * mass * radius**2,) * 3
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.geom_quat[number])
    turned = turn.reshape(3, 3)
    return mass, model.geom_pos[number].copy(), turned @ np.diag(moments) @ turned.T
