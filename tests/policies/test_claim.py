"""What an agent's card claims that it was trained to stand."""

import dataclasses

import pytest

from rlattack.policies.claim import Claim, claim_of
from rlattack.policies.folder import AgentCard
from rlattack.policies.network import NetworkSpec

CARD = AgentCard(
    game="coins/any",
    role="victim",
    algorithm="ppo",
    network=NetworkSpec(observation=(2,), actions=2, head="q", scale=1.0, actor=(8,)),
)
SA = {"defence": "sa:kappa=0.3", "norm": "linf", "space": "sigma", "eps": 0.1}


def claimed(**provenance):
    return claim_of(dataclasses.replace(CARD, provenance=provenance))


def test_a_claim_is_the_recipe_its_kinds_and_its_size():
    found = claimed(defends=SA | {"kinds": ["linf"]})
    assert found == Claim("sa:kappa=0.3", ("linf",), 0.1, "sigma") == claimed(defends=SA)  # as before cards had kinds
    assert found.words == "sa:kappa=0.3, linf 0.1 sigma"
    natural = claimed(defends={"defence": "natural", "norm": "linf", "kinds": ["rotate", "delay"]})
    assert (natural.kinds, natural.eps, natural.words) == (("rotate", "delay"), None, "natural")


def test_who_learned_against_opponents_claims_them():
    found = claimed(opponents=[{"id": "zoo/blocker", "sha256": "ab"}, {"id": "my/adversary-1"}])
    assert found.kinds == ("zoo/blocker", "my/adversary-1")
    assert found.words == "learned against zoo/blocker, my/adversary-1"
    assert claim_of(dataclasses.replace(CARD, role="adversary", provenance={"opponents": [{"id": "a"}]})) is None


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {"defends": "sa"},
        {"defends": {"defence": 3}},
        {"defends": {"defence": "a\x1b[2J"}},
        {"opponents": "a"},
        {"opponents": [3, {"name": "a"}]},
    ],
)
def test_what_cannot_be_read_claims_nothing(provenance):
    assert claimed(**provenance) is None
    assert claim_of(None) is None


@pytest.mark.parametrize("eps", [float("nan"), float("inf"), 10**400, -1.0])
def test_a_size_that_no_file_could_hold_is_left_out(eps):
    assert claimed(defends=SA | {"eps": eps, "kinds": ["linf"]}).eps is None


def test_a_size_that_is_none_is_left_out():
    assert claimed(defends=SA | {"eps": True, "kinds": ["linf"]}).eps is None
