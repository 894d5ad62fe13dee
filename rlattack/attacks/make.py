"""Attacks by name: `fgsm`, `pgd:steps=50,restarts=2`; which of them fits what."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from rlattack.attacks.attack import Attack, Setting, Unfit
from rlattack.attacks.natural import ALL, NATURAL
from rlattack.budget import NORMS, Budget
from rlattack.errors import InvalidInput, RlattackError, UnknownName, one_line, told_by
from rlattack.policies.distributions import kinds
from rlattack.policies.policy import Policy
from rlattack.registry import Registry
from rlattack.specs import Spec, check_name, configured, parse_spec

_MOST, _SMALL = 4, 0.01
"""Attacks that are named in place of one, and the size at which they are tried where it has none."""
ATTACKS: Registry[type[Attack[Any]]] = Registry(
    "attack",
    {
        "noise": "rlattack.attacks.noise:Noise",
        "action-noise": "rlattack.attacks.noise:ActionNoise",
        "fgsm": "rlattack.attacks.fgsm:FGSM",
        "pgd": "rlattack.attacks.pgd:PGD",
        "mim": "rlattack.attacks.mim:MIM",
        "ni-fgsm": "rlattack.attacks.ni_fgsm:NIFGSM",
        "apgd": "rlattack.attacks.apgd:APGD",
        "pixel": "rlattack.attacks.pixel:Pixel",
        "pixel-de": "rlattack.attacks.pixel_de:PixelDE",
        "rotate": "rlattack.attacks.viewpoint:Rotate",
        "shift-x": "rlattack.attacks.viewpoint:ShiftX",
        "shift-y": "rlattack.attacks.viewpoint:ShiftY",
        "zoom": "rlattack.attacks.viewpoint:Zoom",
        "brightness": "rlattack.attacks.light:Brightness",
        "contrast": "rlattack.attacks.light:Contrast",
        "tint": "rlattack.attacks.light:Tint",
        "blur": "rlattack.attacks.camera:Blur",
        "jpeg": "rlattack.attacks.camera:JpegLoss",
        "salt-and-pepper": "rlattack.attacks.camera:SaltAndPepper",
        "occlusion": "rlattack.attacks.camera:Occlusion",
        "delay": "rlattack.attacks.timing:Delay",
        "frozen": "rlattack.attacks.timing:Frozen",
        "dropped": "rlattack.attacks.timing:Dropped",
        "blank": "rlattack.attacks.timing:Blank",
        "missing": "rlattack.attacks.sensors:Missing",
        "stale": "rlattack.attacks.sensors:Stale",
        "bias": "rlattack.attacks.sensors:Bias",
        "gain": "rlattack.attacks.sensors:Gain",
        "action-slip": "rlattack.attacks.natural_action:ActionSlip",
        "action-delay": "rlattack.attacks.natural_action:ActionDelay",
        "world": "rlattack.attacks.world:OneWorld",
        "worst-world": "rlattack.attacks.world:WorstWorld",
        "random-world": "rlattack.attacks.world:RandomWorld",
        "gwc": "rlattack.attacks.worst:GreedyWorst",
        "gwc-noise": "rlattack.attacks.worst:RandomOpen",
        "awc": "rlattack.attacks.worst:AbsoluteWorst",
        "nr-mdp": "rlattack.attacks.robust_mdp:NRMDP",
        "pr-mdp": "rlattack.attacks.robust_mdp:PRMDP",
        "las": "rlattack.attacks.las:LAS",
        "mas": "rlattack.attacks.mas:MAS",
        "deepfool": "rlattack.attacks.deepfool:DeepFool",
        "fab": "rlattack.attacks.fab:FAB",
        "cw": "rlattack.attacks.cw:CW",
        "ead": "rlattack.attacks.ead:EAD",
        "lbfgs": "rlattack.attacks.lbfgs:LBFGS",
        "jsma": "rlattack.attacks.jsma:JSMA",
        "direction": "rlattack.attacks.direction:Direction",
        "universal": "rlattack.attacks.universal:Universal",
        "redraws": "rlattack.attacks.query:Redraws",
        "nes": "rlattack.attacks.estimated:NES",
        "spsa": "rlattack.attacks.estimated:SPSA",
        "finite-differences": "rlattack.attacks.estimated:FiniteDifferences",
        "simba": "rlattack.attacks.simba:SimBA",
        "square": "rlattack.attacks.square:Square",
        "boundary": "rlattack.attacks.decision:Boundary",
        "hop-skip-jump": "rlattack.attacks.decision:HopSkipJump",
        "patch": "rlattack.attacks.patch:PatchAttack",
        "sticker": "rlattack.attacks.sticker:Sticker",
        "trigger": "rlattack.attacks.trigger:Trigger",
        "random-patch": "rlattack.attacks.patch:RandomPatch",
        "autoattack": "rlattack.attacks.autoattack:AutoAttack",
        "search": "rlattack.attacks.search:Search",
        "sarsa": "rlattack.attacks.sarsa:Sarsa",
        "perturber": "rlattack.attacks.perturber:Perturber",
        "recorded": "rlattack.attacks.recorded:Recorded",
        "sa-rl": "rlattack.attacks.sa_rl:SARL",
        "pa-ad": "rlattack.attacks.pa_ad:PAAD",
    },
    "rlattack.attacks",
)


def parse_attack(text: str) -> Spec:
    """Reads `NAME` or `NAME:key=value,...`; `none` and `natural:all` stand for no attack and for many.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    name, _, rest = text.partition(":")
    if name == "natural":
        if text != ALL:
            raise InvalidInput(f"attack {text}: expected {ALL}, or one of them: {', '.join(NATURAL)}")
        return Spec(ALL)
    if name != "none":
        spec = parse_spec("attack", ATTACKS, text)
        if not issubclass(ATTACKS.get(spec.name), Attack):
            raise InvalidInput(
                f"attack {spec.name}: expected a subclass of ObservationAttack, ActionAttack or DynamicsAttack"
            )
        return spec
    if rest:
        raise InvalidInput(f"attack none takes no parameters, got {rest!r}")
    return Spec("none")


def with_members(spec: Spec) -> dict[str, Spec]:
    """An attack, as "", and those that its parameters name, by parameter.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    named = {name: spec.parameters.get(name) for name in ATTACKS.get(spec.name).members}
    return {"": spec} | {name: parse_attack(str(text)) for name, text in named.items() if text}


def lend_attack(attack: Attack[Any] | type[Attack[Any]]) -> str:
    """Names an attack that is no name: a class that is registered nowhere, or an attack of it with its parameters.

    Returns:
        What `parse_attack` reads in this process.

    Raises:
        InvalidInput: It is no attack, or has no name of its own.
    """
    kind = attack if isinstance(attack, type) else type(attack)
    if not issubclass(kind, Attack):
        raise InvalidInput(f"--attack: expected names, or attacks of a class of your own, got {attack!r}")
    if kind.__abstractmethods__:
        left = ", ".join(sorted(kind.__abstractmethods__))
        raise InvalidInput(f"attack {kind.__name__}: expected a class that defines {left}")
    name = getattr(kind, "name", kind.__name__)
    if not kind.__module__.startswith("rlattack."):
        ATTACKS.lend(name, kind)
    return str(Spec(name, {} if isinstance(attack, type) else attack.parameters))


def make_attack(name: str, budget: Budget, **parameters: Any) -> Attack[Any]:
    """Builds an attack.

    Args:
        name: As `rlattack list attacks` shows.
        budget: Norm, size and space.
        **parameters: The attack's own, such as `steps=50` for `pgd`.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A parameter or norm that does not fit.

    >>> from rlattack import Budget, make_attack
    >>> make_attack("pgd", Budget(eps=0.1, space="raw"), steps=50).parameters
    {'steps': 50}
    """
    kind = ATTACKS.get(name)
    for key in parameters:
        check_name("attack", name, kind, key)
    with told_by(f"attack {name}"):
        return kind(budget, configured("attack", name, kind, parameters))


def title_of(name: str) -> str:
    """What an attack is called at the beginning of a sentence; attacks that are not installed by their name."""
    title = ""
    if name in ATTACKS:  # a name in somebody's results must import nothing else
        with contextlib.suppress(RlattackError):
            title = ATTACKS.get(name).title
    name = name.rpartition(":")[2]  # of an attack that has no other name than its place
    return title or name[:1].upper() + name[1:]


def control_of(name: str, parameters: Mapping[str, Any]) -> Spec | None:
    """What runs beside an attack of these parameters; None of one that is not installed."""
    if name not in ATTACKS:
        return None
    try:
        return ATTACKS.get(name).control_of(parameters)
    except RlattackError:
        return None


def check_attack(attack: Attack[Any], setting: Setting) -> None:
    """Checks an attack against where it is to work.

    Raises:
        InvalidInput: It does not fit; where another one does, the message names it.
    """
    try:
        _check(attack, setting)
    except Unfit as error:
        raise InvalidInput(f"{error}{_instead(replacements(attack, setting))}") from None


def replacements(attack: Attack[Any], setting: Setting, *, blind: bool = False) -> list[str]:
    """Names a few attacks that would do in place of another one; those of its norm that ask for as much come first.

    Args:
        attack: The one that does not fit.
        setting: Where it is to work.
        blind: Only those that need no gradients.
    """
    kinds = {name: kind for name, kind in ATTACKS.working() if name != attack.name}
    wanted = [name for name, kind in kinds.items() if not (blind and kind.knowledge == "white")]
    norm = attack.budget.norm
    first = {name: kinds[name].reaches[0] for name in wanted if norm in {*NORMS} - {*kinds[name].reaches}}
    other = {name: f" --norm {kind}" for name, kind in first.items() if kind in NORMS}
    wanted.sort(key=lambda name: (name in other, kinds[name].knowledge != attack.knowledge))
    return [f"{name}{other.get(name, '')}" for name in wanted if _replaces(name, attack, setting)][:_MOST]


def check_together(specs: Sequence[Spec], seat: str) -> None:
    """Refuses attacks at once that change the same thing, of which only one would come through.

    Raises:
        InvalidInput: Two do.
    """
    changed = [ATTACKS.get(spec.name).access for spec in specs]
    twice = [access for access in changed if changed.count(access) > 1]
    if twice:
        raise InvalidInput(
            f"--attack {'+'.join(spec.name for spec in specs)}: both change the {twice[0]} of {seat}; name them one "
            "after the other, and each is played for itself"
        )


def check_gradient(policy: Policy, agent: str, attack: str, ways: Callable[[], Sequence[str]]) -> None:
    """Asks for one gradient, so that a module without any is told before hours of play.

    Args:
        policy: Who is asked.
        agent: Its name.
        attack: The name of who needs it.
        ways: Gives the names of others that do not.

    Raises:
        InvalidInput: It gives none.
    """
    shown = torch.zeros(1, *policy.observation)
    try:
        policy.gradient(shown, lambda out: out.actions.divergence(out.actions.detach()).sum(), policy.initial_state(1))
    except Exception as error:  # the user's code: anything
        raise InvalidInput(
            f"{agent} gives no gradient ({one_line(error)}), and {attack} needs one{_instead(ways())}"
        ) from error


def _instead(names: Sequence[str]) -> str:
    return f"; use {' or '.join(names)}" if names else ""


def _check(attack: Attack[Any], setting: Setting) -> None:
    if not attack.works_on(setting.actions):
        raise Unfit(f"attack {attack.name}: expected {kinds(attack.needs)} actions")
    with told_by(f"attack {attack.name}"):
        attack.check(setting)


def _replaces(name: str, attack: Attack[Any], setting: Setting) -> bool:
    """Whether another attack would do, with the parameters and the size that were at fault; no control would."""
    kind, budget = ATTACKS.get(name), attack.budget
    if kind.access != attack.access or kind.knowledge == "none" or kind.is_control:
        return False
    norm = budget.norm if budget.norm in kind.reaches else kind.reaches[0]
    given = budget.eps if norm == budget.norm else None
    eps = (given or (1 if norm == "l0" else _SMALL)) if kind.sized else None
    parameters = attack.parameters if attack.works_on(setting.actions) else {}
    try:
        budget = dataclasses.replace(budget, norm=norm, eps=eps)
        budget.reach(setting.space, deviation=torch.ones(setting.observation))
        _check(make_attack(name, budget, **parameters), setting)
    except (InvalidInput, UnknownName):
        return False
    return True
