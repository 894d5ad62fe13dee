"""Agents as they are sent to another machine: a card and a network, without a file or code."""

import dataclasses
from pathlib import Path

from rlattack.errors import RefusedFile
from rlattack.policies.folder import AgentCard, AnyNetwork, read_agent
from rlattack.policies.importer import guess, importer
from rlattack.policies.load import agent_folder


def read_portable(spec: str) -> tuple[AgentCard, AnyNetwork] | None:
    """An agent's card and network as they can be sent to another machine; None of no file, or one that its code plays.

    Its card names by `sha256` what the agent's identity is made of, as a file of others does not.
    """
    if (folder := agent_folder(spec)) is not None:
        return read_agent(folder)
    if not Path(spec).expanduser().is_file():
        return None
    try:
        card, network = importer(guess(spec)).read(spec, False, "")
    except RefusedFile:
        return None
    return dataclasses.replace(card, sha256=card.provenance["file_sha256"]), network
