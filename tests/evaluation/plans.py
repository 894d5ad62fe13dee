"""Plans of CartPole and of the rope, and what they hold."""

from rlattack.evaluation.plan import plan
from rlattack.evaluation.study import Study
from tests.kit import cells  # noqa: F401  # registers the film

CARTPOLE = {
    "game": "gymnasium/CartPole-v1", "players": ("tests.kit.players:balance",), "attack": ("fgsm",), "eps": (0.2,),
    "space": "raw",
}  # fmt: skip


ROPE = {"game": "pull/any", "players": ("zero", "random"), "space": "raw"}


def cartpole(**changes):
    return plan(Study(**CARTPOLE | changes))


def rope(**changes):
    return plan(Study(**ROPE | changes))


def labels(planned):
    return [(" + ".join(ref.label for ref in cell.attacks) or "clean") for cell in planned.cells]
