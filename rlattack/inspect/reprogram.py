"""Reprogramming: a frozen agent does a task that it was never trained for, by what surrounds the task's pictures.

Elsayed et al. 2019, eq. 1 to 3: the input is the picture in the middle of a program, tanh of weights that alone are
trained, and each class is the action of its number. A frozen network of fresh weights learns the same: what is shown
beside the agent is what the program and any network do together.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlattack.attacks.fooling import Inputs
from rlattack.attacks.make import check_gradient
from rlattack.errors import InvalidInput
from rlattack.evaluation.estimates import Rate
from rlattack.evaluation.statistics import wilson
from rlattack.inspect.finding import Finding, Sheet, Shown
from rlattack.inspect.gallery import Row, gallery
from rlattack.inspect.kinds import Reprogram
from rlattack.inspect.subject import ROWS, Reading, Subject, as_said
from rlattack.inspect.tasks import DIGITS, Pictures, digits, squares
from rlattack.inspect.twins import reborn
from rlattack.policies.policy import Output, Policy
from rlattack.report.values import Value, percent

AGENT, RANDOM, RESCALED = "the agent", "fresh weights", "fresh weights, rescaled"
_SPREAD = 0.1
"""Standard deviation of a program's weights at first."""
_DRAWN = 20_000
"""Boards to learn from."""
_SHOWN = 6


@dataclass(frozen=True)
class Program:
    """A frame around pictures.

    Attributes:
        subject: Whose observations it fills.
        inputs: Their range.
        weights: Of the program, shape (channels, height, width); what lies below the picture does nothing.
        side: Of a picture.
    """

    subject: Subject
    inputs: Inputs
    weights: Tensor
    side: int

    @property
    def corner(self) -> tuple[int, int]:
        """Top and left of the picture."""
        height, width = self.weights.shape[1:]
        return (height - self.side) // 2, (width - self.side) // 2

    def around(self, pictures: Tensor) -> Tensor:
        """Observations, shape (n, *observation): every frame or colour is the program with the picture in it."""
        frames = (0.5 * (1 + self.weights.tanh())).expand(len(pictures), *self.weights.shape).clone()
        top, left = self.corner
        frames[:, :, top : top + self.side, left : left + self.side] = pictures[:, None]
        return self.inputs.at(self.subject.laid(frames))

    def slope(self, grad: Tensor) -> Tensor:
        """Gradient by the weights, from that by observations: rounding to whole bytes is gone past."""
        by_frame = self.subject.frames(grad * (self.inputs.high - self.inputs.low)).sum(dim=0)
        top, left = self.corner
        by_frame[:, top : top + self.side, left : left + self.side] = 0
        return by_frame * 0.5 * (1 - self.weights.tanh().square())


def reprogram(subject: Subject, options: Reprogram) -> Finding:
    """Trains programs for the agent and for a network of fresh weights, and measures them on fresh pictures.

    Raises:
        InvalidInput: Observations that are no pictures, a picture that leaves no room for a program, an agent without
            a gradient or with fewer outputs than classes.
        MissingExtra: Digits, and scikit-learn is not installed.
    """
    classes = _classes(subject, options)
    check_gradient(subject.policy, subject.name, "reprogram", list)
    rng = np.random.default_rng(options.seed)
    known, fresh = _task(options, classes, rng)
    blank = _blank(subject, options)
    twin = reborn(subject.policy, options.seed)
    scaled = subject.rescaling(blank.around(known.pictures[:ROWS]), twin)
    networks: dict[str, tuple[Policy, Reading]] = {
        AGENT: (subject.policy, as_said), RANDOM: (twin, as_said), RESCALED: (twin, scaled),
    }  # fmt: skip
    before = {name: _right(blank, fresh, classes, *network) for name, network in networks.items()}
    trained = {}
    for name, (policy, reading) in networks.items():
        subject.tell(f"training a program for {name}", 0, 0)
        trained[name] = _train(blank, known, classes, policy, reading, options)
    after = {name: _right(trained[name], fresh, classes, *network) for name, network in networks.items()}
    most = int(np.bincount(fresh.labels).max())
    chance = Rate(most / len(fresh), wilson(most, len(fresh)))
    rows = [(name, [percent(after[name], 1), percent(before[name], 1)]) for name in networks]
    rows.append(("always the commonest class", [percent(chance, 1), Value()]))
    task = f"{'counting 1 to' if options.task == 'squares' else 'reading'} {classes} {options.task}"
    title = f"{subject.name} in {subject.cell.game.card.id}: {task}, right of {len(fresh)} fresh pictures"
    numbers = {
        "task": options.task, "classes": classes, "fresh": len(fresh), "known": len(known), "factor": scaled.factor,
        "chance": chance, "right": after, "untrained": before,
    }  # fmt: skip
    return Finding(
        _sentence(task, options, after, chance), [Sheet(title, ("frozen network", "program", "before training"), rows)],
        numbers, _notes(options, len(known), scaled.factor, after, chance),
        [_picture(trained, fresh, classes, networks)],
    )  # fmt: skip


def _classes(subject: Subject, options: Reprogram) -> int:
    """How many classes there are, as far as all fits."""
    if not subject.pictures:
        raise InvalidInput(
            f"inspect reprogram: expected observations that are pictures of bytes, {subject.cell.game.card.id} shows "
            f"{subject.seat.observation}, in which no picture stands; `rlattack inspect fooling` takes numbers too"
        )
    side = min(subject.sides)
    if options.picture >= side:
        raise InvalidInput(
            f"--picture: expected at most {side - 1}, which leaves a frame of {side} pixels a program, got "
            f"{options.picture}"
        )
    certainty = subject.certainty
    outputs = sum(certainty.counts) if certainty.discrete else len(certainty.names) // 2
    classes = options.classes or min(outputs, DIGITS)
    if not 2 <= classes <= outputs:
        raise InvalidInput(f"--classes: expected 2 to {outputs}, an output of {subject.name} each, got {classes}")
    return classes


def _task(options: Reprogram, classes: int, rng: np.random.Generator) -> tuple[Pictures, Pictures]:
    """Pictures to learn from, and fresh ones."""
    if options.task == "digits":
        return digits(classes, options.picture, options.fresh, rng)
    drawn = min(_DRAWN, options.updates * options.batch)
    return tuple(squares(count, classes, options.picture, rng) for count in (drawn, options.fresh))  # type: ignore[return-value]


def _blank(subject: Subject, options: Reprogram) -> Program:
    """A program that was not trained."""
    inputs = subject.inputs
    channels = subject.frames(inputs.low[None]).shape[1]
    generator = torch.Generator().manual_seed(options.seed)
    weights = _SPREAD * torch.randn(channels, *subject.sides, generator=generator, device="cpu")
    return Program(subject, inputs, torch.as_tensor(weights, device=inputs.low.device), options.picture)


def _train(
    blank: Program, known: Pictures, classes: int, policy: Policy, reading: Reading, options: Reprogram
) -> Program:
    """Lowers the cross-entropy of the classes by Adam on the program's weights; the network stays as it is."""
    certainty = blank.subject.certainty
    weights = blank.weights.clone()
    program = Program(blank.subject, blank.inputs, weights, blank.side)
    adam = torch.optim.Adam([weights], lr=options.rate)
    rng = np.random.default_rng(options.seed)
    for update in range(options.updates):
        rows = rng.integers(len(known), size=options.batch)
        labels = torch.as_tensor(known.labels[rows])

        def loss(out: Output, labels: Tensor = labels) -> Tensor:
            said = reading(certainty.numbers(out.actions))[:, :classes]
            return functional.cross_entropy(said, labels, reduction="sum")

        grad, _ = policy.gradient(program.around(known.pictures[torch.as_tensor(rows)]), loss)
        weights.grad = program.slope(grad) / options.batch
        adam.param_groups[0]["lr"] = options.rate * 0.5 * (1 + math.cos(math.pi * update / options.updates))
        adam.step()
        if update % 20 == 0:
            blank.subject.tell("training programs", update, options.updates)
    return program


def _says(program: Program, pictures: Tensor, classes: int, policy: Policy, reading: Reading) -> Tensor:
    """The class that a network says of each picture, shape (n,)."""
    parts = [
        reading(program.subject.numbers(program.around(some), None, policy))[:, :classes].argmax(dim=1)
        for some in pictures.split(ROWS)  # type: ignore[no-untyped-call]
    ]
    return torch.cat(parts)


def _right(program: Program, fresh: Pictures, classes: int, policy: Policy, reading: Reading) -> Rate:
    said = _says(program, fresh.pictures, classes, policy, reading).numpy(force=True)
    right = int((said == fresh.labels).sum())
    return Rate(right / len(fresh), wilson(right, len(fresh)))


def _sentence(task: str, options: Reprogram, after: dict[str, Rate], chance: Rate) -> str:
    own, control = after[AGENT], after[RESCALED]
    return (
        f"A program around pictures of {options.picture} x {options.picture} has the frozen agent {task}: "
        f"{own.rate:.0%} of fresh pictures are right, where chance makes {chance.rate:.0%}; a frozen network of fresh "
        f"weights with rescaled outputs makes {control.rate:.0%}."
    )


def _notes(options: Reprogram, known: int, factor: float, after: dict[str, Rate], chance: Rate) -> list[str]:
    notes = [
        f"Programs of {options.updates} updates on {known:,} pictures, none of them among the fresh ones; one program "
        f"each, intervals over pictures. Rescaled: the outputs of fresh weights times {factor:.3g} about their mean, "
        "so that they differ between pictures as much as the agent's."
    ]
    if after[AGENT].ci[0] <= chance.ci[1]:
        notes.append("The agent is not surely better than chance: no program was found for it.")
    elif after[RESCALED].ci[1] >= after[AGENT].ci[0]:
        notes.append(
            "The network of fresh weights does no worse once its outputs are rescaled: what was learned in the game "
            "is no part of it, the program uses the network as any random features."
        )
    return notes


def _picture(
    trained: dict[str, Program], fresh: Pictures, classes: int, networks: dict[str, tuple[Policy, Reading]]
) -> Shown:
    """Fresh pictures in the programs, with what is right and what each network says."""
    some, rows = fresh.pictures[:_SHOWN], []
    for name, program in trained.items():
        said = _says(program, some, classes, *networks[name]).tolist()
        words = [f"class {right}: says {answer}" for right, answer in zip(fresh.labels.tolist(), said, strict=False)]
        rows.append(Row(name, program.around(some).numpy(force=True).astype(np.uint8), words))
    return gallery("reprogram", "Fresh pictures in their programs: the class, and what is said of each.", rows)
