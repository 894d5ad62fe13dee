"""`rlattack import` as a user meets it: a new agent, the same one again, another one of that id."""

import pytest
from command_line import call, refused


@pytest.fixture
def zips(working_folder):
    """Two agents of CartPole as Stable-Baselines3 saves them."""
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    paths = []
    for seed, width in enumerate((4, 8)):
        arch = {"net_arch": [width]}
        model = stable_baselines3.DQN("MlpPolicy", "CartPole-v1", buffer_size=10, seed=seed, policy_kwargs=arch)
        model.save(working_folder / f"{seed}.zip")
        paths.append(f"{seed}.zip")
    return paths


def test_an_import_says_what_it_wrote_what_was_there_already_and_what_it_never_replaces(capsys, working_folder, zips):
    asked = ("--agent", "mine", "--game", "gymnasium/CartPole-v1")
    folder = working_folder / "agents" / "mine"
    assert call("import", "sb3", zips[0], *asked) == 0
    assert capsys.readouterr().out == f"{folder} can now be named as mine\n"
    written = (folder / "policy.safetensors").stat().st_mtime_ns
    assert call("import", "sb3", zips[0], *asked) == 0
    said = capsys.readouterr().out
    assert said == f"{folder} was there already and is equal: nothing was written. It can be named as mine\n"
    line = refused(capsys, "import", "sb3", zips[1], *asked)
    assert line == (
        f"rlattack: --agent mine: {folder} holds another agent (network, provenance differ), which is not replaced; "
        "choose another id or remove it"
    )
    assert (folder / "policy.safetensors").stat().st_mtime_ns == written
