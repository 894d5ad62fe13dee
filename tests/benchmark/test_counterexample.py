"""Counterexamples: what lowered an agent, in a folder that is read as anybody's."""

import pickle
import shutil

import numpy as np
import pytest

from rlattack.attacks.recording import Page, Recording, recording_bytes
from rlattack.benchmark.counterexample import read_counterexample, write_counterexample
from rlattack.errors import BudgetError, ContentError, InvalidInput, RefusedFile, RlattackError, RunConflict
from rlattack.evaluation import Study, evaluate
from tests.kit import games  # noqa: F401  # registers the games that are named here
from tests.kit.agents import linear_gaussian_network, perturber_agent

COINS = {
    "game": "coins/any", "players": "tests.kit.players:coin", "attack": "fgsm:loss=margin", "eps": 1.5, "space": "raw",
    "episodes": 10, "envs": 4, "seed": 3,
}  # fmt: skip


def made_of(folder, name="counterexample", **changes):
    """A counterexample of the last cell of a study that is played, and its folder."""
    run = evaluate(Study(**COINS | changes), run=folder / f"run of {name}", workers=1)
    place = folder / name
    made = write_counterexample(
        run.plan.cells[-1], run.cells[-1], place, run.fits, licence="MIT", authors="us", source="a paper"
    )
    return place, made, run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A counterexample, what it states, and the run that it was made of."""
    return made_of(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole[0], tmp_path / "counterexample")


def test_it_states_what_was_played_and_what_it_left(whole):
    folder, made, run = whole
    left = run.cells[-1].victim_seat.returns
    assert read_counterexample(folder) == made
    assert (made.game, made.victim, made.attack) == ("coins/any", "tests.kit.players:coin", "fgsm:loss=margin")
    assert (made.seed, made.episodes, made.envs, made.actions) == (3, 10, 4, run.cells[-1].actions)
    assert (made.claim.norm, made.claim.space, made.claim.eps) == ("linf", "raw", 1.5)
    assert (made.claim.mean, (made.claim.low, made.claim.high)) == (left.mean, left.ci)
    assert made.identity == run.plan.cells[-1].players[0].identity
    assert sorted(path.name for path in folder.iterdir()) == ["counterexample.toml", "perturbations.npz"]
    assert Recording.read(folder / "perturbations.npz").episodes == tuple(range(10))


def test_made_twice_it_is_the_same_to_the_byte(whole, tmp_path):
    folder, _, run = whole
    again = tmp_path / "again"
    write_counterexample(
        run.plan.cells[-1], run.cells[-1], again, run.fits, licence="MIT", authors="us", source="a paper"
    )
    for file in ("counterexample.toml", "perturbations.npz"):
        assert (again / file).read_bytes() == (folder / file).read_bytes()


def test_an_attack_of_a_users_own_makes_one_that_needs_no_code_of_it(tmp_path):
    folder, made, run = made_of(tmp_path, attack="tests.kit.own_attack:Flip", eps=2.0)
    assert made.attack == "tests.kit.own_attack:Flip"
    assert made.claim.mean == run.cells[-1].victim_seat.returns.mean < 1
    assert made.spec(folder).name == "recorded"
    again = evaluate(Study(**COINS | {"attack": str(made.spec(folder)), "eps": 2.0}), run=tmp_path / "again", workers=1)
    assert again.cells[-1].victim_seat.returns == run.cells[-1].victim_seat.returns


def test_an_attack_that_learned_plays_what_it_learned_in_the_run(tmp_path):
    folder, made, run = made_of(tmp_path, attack="universal:loss=margin")
    assert made.claim.mean == run.cells[-1].victim_seat.returns.mean
    assert read_counterexample(folder).sha256 == made.sha256


def test_an_adversary_is_copied_and_nothing_is_played(tmp_path):
    victim = Study(**COINS)
    identity = evaluate(victim, run=tmp_path / "first", workers=1).plan.cells[0].players[0].identity
    weights = np.asarray([[0.0, 0.0], [0.0, -5.0]])
    adversary = perturber_agent(
        tmp_path / "adversary", "coins/any", linear_gaussian_network(weights), "sa-rl", victim_identity=identity
    )
    folder, made, _ = made_of(tmp_path, attack=f"sa-rl:agent={adversary}")
    assert (made.attack, made.claim.mean) == ("sa-rl", 0.0)
    assert made.spec(folder).parameters == {"agent": str(folder / "adversary")}
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "adversary/agent.toml", "adversary/policy.safetensors", "counterexample.toml",
    ]  # fmt: skip
    card = folder / "counterexample.toml"
    for other in ("fgsm", "sa-rl:agent=zero"):
        card.write_text(card.read_text().replace('attack = "sa-rl"', f'attack = "{other}"'))
        with pytest.raises(ContentError, match=f"attack: expected one that plays the adversary, got '{other}"):
            read_counterexample(folder)
        card.write_text(card.read_text().replace(f'attack = "{other}"', 'attack = "sa-rl"'))
    (folder / "adversary" / "policy.safetensors").write_bytes(b"none")
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        read_counterexample(folder)


def test_one_that_earns_something_else_when_it_is_played_again_is_refused(whole, tmp_path):
    _, _, run = whole
    clean = run.cells[0].victim_seat
    spoilt = type(run.cells[-1])(**{**vars(run.cells[-1]), "seats": (clean,)})
    with pytest.raises(RunConflict, match=r"played again, fgsm:loss=margin 1\.5 leaves 0, and the run says"):
        write_counterexample(run.plan.cells[-1], spoilt, tmp_path / "made", run.fits, licence="MIT")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attack": "deepfool", "eps": ()}, "expected an attack on what is seen with an --eps in a norm"),
        ({"attack": "action-slip", "eps": 0.5}, "expected an attack on what is seen with an --eps in a norm"),
        ({"attack": "bias", "eps": 0.5}, "expected an attack on what is seen with an --eps in a norm"),
    ],
)
def test_an_attack_that_no_claim_is_about_makes_none(tmp_path, changes, message):
    with pytest.raises(InvalidInput, match=message):
        made_of(tmp_path, **changes)


def test_a_counterexample_of_a_counterexample_makes_none(whole, tmp_path):
    folder, made, _ = whole
    with pytest.raises(InvalidInput, match="expected one attack of its own, in a game of one seat"):
        made_of(tmp_path, attack=str(made.spec(folder)))


def test_a_place_that_is_taken_and_a_missing_licence_are_told_before_anything_is_played(whole):
    folder, _, run = whole
    with pytest.raises(ContentError, match="expected an empty place for the counterexample; choose another --out"):
        write_counterexample(run.plan.cells[-1], run.cells[-1], folder, run.fits, licence="MIT")
    with pytest.raises(InvalidInput, match="licence: expected that of what it holds, as --licence MIT; got none"):
        write_counterexample(run.plan.cells[-1], run.cells[-1], folder / "more", run.fits, licence="")


def edited(old, new):
    def edit(folder):
        path = folder / "counterexample.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return edit


def linked(folder):
    (folder / "perturbations.npz").rename(folder.parent / "elsewhere.npz")
    (folder / "perturbations.npz").symlink_to(folder.parent / "elsewhere.npz")


def cut(folder):
    raw = (folder / "perturbations.npz").read_bytes()
    (folder / "perturbations.npz").write_bytes(raw[:-40])


def fewer(folder):
    page = Page(np.zeros((1, 2), dtype=np.float32), np.zeros((1, 2), dtype=np.float32))
    (folder / "perturbations.npz").write_bytes(recording_bytes(3, {0: page}))


def another(folder):
    found = Recording.read(folder / "perturbations.npz")
    pages = {episode: found.page(episode) for episode in found.episodes}
    pages[0] = Page(pages[0].shown, pages[0].shown.astype(np.float32))
    (folder / "perturbations.npz").write_bytes(recording_bytes(3, pages))


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (linked, RefusedFile, "perturbations.npz: a link; a counterexample holds its files itself"),
        (
            lambda folder: (folder / "extra.pkl").write_bytes(pickle.dumps([1])), RefusedFile,
            "extra.pkl: a counterexample holds .*, and nothing that could be code",
        ),
        (
            lambda folder: (folder / "more").mkdir(), RefusedFile, "more: a counterexample holds no folder but adv",
        ),
        (cut, RefusedFile, "not a zip, or a truncated one"),
        (fewer, RefusedFile, "expected 10 episodes of seed 3 from 0, got 1 of seed 3"),
        (another, RefusedFile, "what it holds has the sha256 .*, it states"),
        (lambda folder: (folder / "perturbations.npz").unlink(), ContentError, "expected perturbations.npz or the"),
        (lambda folder: (folder / "adversary").mkdir(), ContentError, "expected perturbations.npz or .*, and not both"),
        (edited('licence = "MIT"\n', ""), ContentError, "licence is missing"),
        (edited('licence = "MIT"', 'licence = ""'), InvalidInput, "licence: expected that of what it holds"),
        (edited("eps = 1.5\n", ""), ContentError, r"\[claim\]: eps is missing"),
        (edited("eps = 1.5", "eps = -1.5"), BudgetError, "expected a finite number above 0, got -1.5"),
        (edited('norm = "linf"', 'norm = "l7"'), InvalidInput, "claim: expected a norm of linf, .*, got l7 and raw"),
        (edited("mean = ", 'mean = "low" #'), ContentError, "mean expects a finite number"),
        (edited("seed = 3", "seed = -3"), ContentError, "expected a seed of 0 or more"),
        (edited("counterexample/1", "counterexample/7"), ContentError, "written for 'rlattack/counterexample/7'"),
        (edited('authors = "us"', 'autors = "us"'), ContentError, "unknown key 'autors'; did you mean 'authors'"),
        (edited('authors = "us"', 'authors = "a\\nb"'), ContentError, "expected texts of one line"),
        (lambda folder: (folder / "counterexample.toml").unlink(), ContentError, "with counterexample.toml; `rla"),
    ],
)  # fmt: skip
def test_a_spoilt_counterexample_is_refused_in_one_line(folder, spoil, kind, message):
    spoil(folder)
    with pytest.raises(kind, match=message) as caught:
        read_counterexample(folder)
    assert isinstance(caught.value, RlattackError)
    assert "\n" not in str(caught.value)
