"""Numbers that parameters take: what is outside is refused in one line, of everything that is named with parameters."""

import math
import re

import pytest

from rlattack.attacks import ATTACKS, SCHEDULES
from rlattack.attacks.imitation import SURROGATES
from rlattack.attacks.tuning import FEWEST
from rlattack.defences import FRONTS
from rlattack.defences.detectors import DETECTORS
from rlattack.errors import InvalidInput
from rlattack.evaluation.observers import OBSERVERS
from rlattack.specs import REQUIRED, Range, configured, parameters_of, ranges_of
from rlattack.training.hardening import REGIMES

REGISTRIES = {
    "attack": ATTACKS,
    "schedule": SCHEDULES,
    "defence": FRONTS,
    "detector": DETECTORS,
    "surrogate": SURROGATES,
    "regime": REGIMES,
    "observer": OBSERVERS,
}
RANGED = [
    (what, name, parameter)
    for what, registry in REGISTRIES.items()
    for name in registry
    if name not in registry.added
    for parameter in ranges_of(registry.get(name))
]


def outside(numbers):
    """Numbers just beyond each end, and what is no number at all."""
    found = [math.nan, math.inf]
    found += [numbers.least - 1, numbers.above] if min(numbers.least, numbers.above) > -math.inf else []
    found += [end for end in (numbers.least - 1, numbers.above, numbers.most + 1, numbers.below) if math.isfinite(end)]
    return found


@pytest.mark.parametrize(("what", "name", "parameter"), RANGED)
def test_a_number_outside_its_range_is_refused(what, name, parameter):
    kind = REGISTRIES[what].get(name)
    numbers = ranges_of(kind)[parameter]
    others = {key: 1 for key, default in parameters_of(kind).items() if default is REQUIRED}
    for value in outside(numbers):
        said = f"{what} {name}: {parameter}: expected a number {numbers.words}, got "
        with pytest.raises(InvalidInput, match=re.escape(said)):
            configured(what, name, kind, {**others, parameter: value})


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)
def test_defaults_are_within_their_ranges(registry):
    for name in registry:
        kind = registry.get(name)
        defaults = parameters_of(kind)
        for parameter, numbers in ranges_of(kind).items():
            assert defaults[parameter] in (None, REQUIRED) or defaults[parameter] in numbers


@pytest.mark.parametrize("name", [name for name in ATTACKS if ATTACKS.get(name).fitted and name not in ATTACKS.added])
def test_a_fit_is_of_no_fewer_states_than_anything_is_learned_from_and_of_no_more_than_are_held(name):
    ranges = ranges_of(ATTACKS.get(name))
    sizes = [ranges[size] for size in ("states", "rollout", "effort", "population", "evaluations") if size in ranges]
    assert sizes
    assert all(math.isfinite(size.most) for size in sizes)
    assert all(ranges[size].least >= FEWEST for size in ("states", "rollout") if size in ranges)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (Range(least=1), "at least 1"),
        (Range(above=0, most=1), "above 0 and at most 1"),
        (Range(least=0, below=1), "at least 0 and below 1"),
    ],
)
def test_a_range_says_what_is_in_it(numbers, words):
    assert numbers.words == words
