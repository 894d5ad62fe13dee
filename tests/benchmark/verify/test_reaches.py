"""What the verifier knows of attacks: which ones are controls, and what each changes."""

from rlattack.attacks import ATTACKS
from rlattack.benchmark.verify import verify
from rlattack.benchmark.verify.reaches import CONTROLS


def test_the_verifier_knows_all_controls_by_name():
    ours = [name for name, kind in ATTACKS.working() if kind.is_control and name not in ATTACKS.added]
    assert sorted(CONTROLS) == sorted(ours)


def test_something_is_said_of_every_attack(run):
    run.said(lambda said: said["about"].update(attacks=[]))
    assert "ledger" in {check.name for check in verify(run.folder).failed}


def test_an_attack_on_the_screen_is_one_that_was_played_in_that_model(run):
    run.said(lambda said: [one.update(access="screen") for one in said["about"]["attacks"]])
    run.results(lambda result: [one.update(access="screen") for one in result["attacks"]])
    run.received(lambda values: values + 0.5)  # which is measured of frames, and not of a screen
    failed = {check.name: check.why for check in verify(run.folder).failed}
    assert "attack 0 changes the screen and was played in the model stack" in failed["ledger"]
