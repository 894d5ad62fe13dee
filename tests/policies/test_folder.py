import re

import pytest
import safetensors.torch
import torch

from rlattack.errors import ContentError, RefusedFile, Unwritable
from rlattack.policies.folder import AgentCard, agent_cards, find_agent, read_agent, save_agent
from rlattack.policies.network import Network


def change_card(folder, old: str, new: str) -> None:
    path = folder / "agent.toml"
    text = path.read_text()
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text, count=1))


@pytest.mark.parametrize("size", ["pixels", "vector"])
def test_saved_agent_comes_back(make_agent, request, size):
    spec = request.getfixturevalue(size)
    folder = make_agent(spec=spec, provenance={"seed": 3}, options={"crop": [0, 0, 84, 84]})
    card, network = read_agent(folder)
    torch.manual_seed(0)
    expected = Network(spec).state_dict()
    assert card.network == spec
    assert card.provenance == {"seed": 3}
    assert card.options == {"crop": [0, 0, 84, 84]}
    assert all(tensor.equal(expected[name]) for name, tensor in network.state_dict().items())


def test_half_precision_takes_half_the_space(tmp_path, pixels):
    card = AgentCard(game="atari/pong", role="victim", algorithm="ppo", network=pixels)
    for name, half in (("half", True), ("full", False)):
        save_agent(tmp_path / name, card, Network(pixels), half=half)
    half, full = ((tmp_path / name / "policy.safetensors").stat().st_size for name in ("half", "full"))
    assert half < 0.55 * full
    assert read_agent(tmp_path / "half")[1].actor[0].weight.dtype == torch.float32


def test_agents_in_the_working_folder_are_found(make_agent):
    folder = make_agent("atari/pong/mine")
    assert find_agent("atari/pong/mine") == folder
    assert "atari/pong/mine" in dict(agent_cards())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('game = "atari/pong"', "game = 3", "game expects"),
        ('game = "atari/pong"', "", "game is missing"),
        ("temperature = 1.0", "temperature = 0", "temperature expects a number above 0"),
        ("temperature = 1.0", "temperature = true", "temperature expects"),
        ("temperature = 1.0", "temperature = nan", "temperature expects a finite number"),
        ("temperature = 1.0", "options = 3", "options expects a table"),
        ('role = "victim"', 'rule = "victim"', "unknown key 'rule'; did you mean 'role'"),
        (
            "temperature = 1.0",
            "temperature = 1.0\nscore = {win = 0.5}",
            r"\[score\]: win expects a table, got 0.5",
        ),
        (
            "temperature = 1.0",
            "temperature = 1.0\nscore = {win = {rate = true}}",
            r"\[score\]: win.rate expects a number",
        ),
        (
            "temperature = 1.0",
            'temperature = 1.0\nscore = {mean = "high"}',
            r"\[score\]: mean expects a number, got 'high'",
        ),
        (
            "temperature = 1.0",
            f"temperature = 1.0\nscore = {{mean = 1{'0' * 400}}}",
            r"\[score\]: mean expects a number",
        ),
        ("actions = 6", 'actions = "6"', "actions expects a whole number"),
        ("actions = 6", "", "actions is missing"),
        ("actions = 6", "actions = -6", "sizes from 1"),
        ('head = "actor-critic"', 'head = "__import__"', "head expects"),
        ("scale = 255.0", "scale = nan", "scale expects"),
        (r"convolutions = \[", "convolutions = [3,", "convolutions expects"),
        (r"convolutions = \[", "convolutions = [[1, 2],", "convolutions expects"),
        (r"\[network\]", "[other]", "unknown key|expected a table"),
        ("rlattack/agent/1", "rlattack/agent/9", "written for 'rlattack/agent/9'"),
        ("rlattack/agent/1", "another/1", "expected schema"),
        ("temperature = 1.0", "temperature = ", "not a readable card"),
    ],
)
def test_card_that_does_not_hold_what_it_must_is_refused(make_agent, old, new, message):
    folder = make_agent()
    change_card(folder, old, new)
    with pytest.raises(ContentError, match=message):
        read_agent(folder)


def test_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ContentError, match="expected an agent folder"):
        read_agent(tmp_path)


def test_other_weights_than_the_card_names_are_refused(make_agent):
    folder = make_agent()
    path = folder / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(RefusedFile, match="damaged or replaced"):
        read_agent(folder)


def test_missing_weights_are_refused(make_agent):
    folder = make_agent()
    (folder / "policy.safetensors").unlink()
    with pytest.raises(RefusedFile, match="expected a file"):
        read_agent(folder)


def rewrite(folder, change) -> None:
    """Changes the tensors and drops the digest from the card."""
    path = folder / "policy.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    change(tensors)
    path.write_bytes(safetensors.torch.save(tensors))
    change_card(folder, 'sha256 = "[0-9a-f]*"', "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["actor.0.bias"].fill_(float("nan")), "actor.0.bias holds values that are not finite"),
        (lambda t: t["actor.0.bias"].fill_(float("inf")), "actor.0.bias holds values that are not finite"),
        (lambda t: t.pop("actor.0.bias"), r"actor.0.bias: expected shape \(8,\), got none"),
        (lambda t: t.update(more=torch.ones(2)), r"more: expected shape none, got \(2,\)"),
        (lambda t: t.update({"actor.0.bias": torch.ones(3)}), r"actor.0.bias: expected shape \(8,\), got \(3,\)"),
    ],
)
def test_tensors_of_another_network_are_refused(make_agent, change, message):
    folder = make_agent()
    rewrite(folder, change)
    with pytest.raises(RefusedFile, match=message):
        read_agent(folder)


def test_truncated_weights_are_refused(make_agent):
    folder = make_agent()
    path = folder / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    change_card(folder, 'sha256 = "[0-9a-f]*"', "")
    with pytest.raises(RefusedFile, match="not a readable safetensors file"):
        read_agent(folder)


@pytest.mark.parametrize("sizes", ["[1000000, 1000000, 1000000]", "[1000000]"])
def test_absurd_network_takes_no_memory(make_agent, sizes):
    folder = make_agent()  # 10^12 floats would not fit: it must be refused before they are asked for
    change_card(folder, r"hidden = \[\s*32,\s*\]", f"hidden = {sizes}")
    with pytest.raises(RefusedFile, match="expected shape"):
        read_agent(folder)


def test_network_beyond_counting_is_refused(make_agent, vector):
    folder = make_agent(spec=vector)
    change_card(folder, "quantiles = 1", "quantiles = 1000000")
    change_card(folder, "actions = 2", "actions = 1000000")
    change_card(folder, r"actor = \[\s*8,\s*\]", "actor = [1000000, 1000000, 1000000]")
    change_card(folder, 'head = "q"', 'head = "quantile"')
    with pytest.raises((ContentError, RefusedFile), match=r"absurd size|expected shape"):
        read_agent(folder)


def test_folder_that_cannot_be_written_is_named(tmp_path, vector):
    (tmp_path / "file").write_text("")
    card = AgentCard(game="atari/pong", role="victim", algorithm="ppo", network=vector)
    with pytest.raises(Unwritable, match="cannot be written"):
        save_agent(tmp_path / "file" / "agent", card, Network(vector))
