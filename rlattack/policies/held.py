"""What a file holds that may be somebody's agent, as far as that is told without running anything in it."""

from functools import cached_property
from pathlib import Path
from typing import Any

from rlattack.errors import RefusedFile
from rlattack.policies.archive import Archive, read_file
from rlattack.policies.pickled import Record, read_array
from rlattack.policies.tensors import Tensors, load_safetensors
from rlattack.policies.torch_file import TorchFile

_ZIP = b"PK\x03\x04"
_TORCH = (".pt", ".pth", ".model", ".cleanrl_model", ".ckpt", ".bin", ".tar")
_WITHIN = ("model_weights", "model_state_dict", "state_dict", "actor_critic", "policy", "model", "agent", "net")
"""Where checkpoints keep the tensors of an agent, beside what only training needs."""
_SHOWN = 6


class Held:
    """What a file holds.

    Args:
        source: Its path, or a name of something that is no file.
    """

    def __init__(self, source: str) -> None:
        self.source, self.path = source, Path(source)
        self._why: list[str] = []

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Names of what is in a zip; none of another file."""
        raw = self._raw
        if self.path.suffix != ".zip" and not raw.startswith(_ZIP):
            return ()
        return tuple(self._tried(lambda: Archive(raw, self.source).names) or ())

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Names at the top of a torch file that holds a table; none of another file."""
        return () if self._torch is None else tuple(table(self._torch.content))

    @cached_property
    def tensors(self) -> Tensors:
        """Tensors by their names, of a state dict, a module or a safetensors file; empty of another file."""
        if self._raw and self.path.suffix == ".safetensors":
            return self._tried(lambda: load_safetensors(self._raw, self.source)[0]) or {}
        torch_file = self._torch
        return {} if torch_file is None else self._tried(lambda: of_torch(torch_file)) or {}

    @cached_property
    def array(self) -> bool:
        """Whether it is the pickle of one array of numbers."""
        if self.path.suffix != ".pkl" or not self._raw:
            return False
        try:
            read_array(self._raw, self.source)
        except RefusedFile:
            return False
        return True

    @property
    def refusal(self) -> str:
        """Why it is no agent that anything here reads, and what would do."""
        if self._why:
            return self._why[0]
        if not self._raw:
            return f"{self.source}: an empty file"
        if tensors := self.tensors:
            names = ", ".join(list(tensors)[:_SHOWN]) + (", ..." if len(tensors) > _SHOWN else "")
            whole = self._torch is not None and _is_module(self._torch.content)
            more = ", or --trust, which runs the code of the module that was saved" if whole else ""
            return (
                f"{self.source}: tensors of no network that is known: {names}; name a module:function that builds "
                f"their network and loads them{more}"
            )
        if self._torch is not None:
            held = ", ".join(self.keys[:_SHOWN]) or type(self._torch.content).__name__
            return f"{self.source}: a file of torch without the tensors of an agent: it holds {held}"
        if self.members:
            return f"{self.source}: no zip of Stable-Baselines3: it holds {', '.join(self.members[:_SHOWN])}"
        return (
            f"{self.source}: expected an agent folder, a Stable-Baselines3 .zip, a .model or the tensors of an agent; "
            "a pickle runs code when it is read, which --trust allows"
        )

    @cached_property
    def _raw(self) -> bytes:
        return self._tried(lambda: read_file(self.path)) or b""

    @cached_property
    def _torch(self) -> TorchFile | None:
        if not self._raw or not (
            self.path.suffix in _TORCH or any(name.endswith("/data.pkl") for name in self.members)
        ):
            return None
        found: TorchFile | None = self._tried(lambda: TorchFile(self._raw, self.source))
        return found

    def _tried(self, read: Any) -> Any:
        try:
            return read()
        except RefusedFile as error:
            self._why.append(str(error))
            return None


def read_tensors(source: str) -> tuple[Tensors, dict[str, str]]:
    """Reads tensors, and the metadata of safetensors.

    Raises:
        RefusedFile: Damaged, made to do harm, or without tensors.
    """
    path = Path(source)
    raw = read_file(path)
    if path.suffix == ".safetensors":
        return load_safetensors(raw, source)
    return of_torch(TorchFile(raw, source)), {}


def of_torch(file: TorchFile) -> Tensors:
    """The tensors of what `torch.save` wrote: a state dict, a module, or a checkpoint around either.

    Of several side by side, as CleanRL writes an actor and its critics, names begin with their number: `0.fc1.weight`.

    Raises:
        RefusedFile: Something else.
    """
    content = file.content
    if isinstance(content, tuple | list) and content:
        # a2c-ppo-acktr writes [module, statistics]: what has no tensors is no network
        networks = [(number, one) for number, one in enumerate(content) if table(one) or _is_module(one)]
        return {f"{number}.{name}": tensor for number, one in networks for name, tensor in _tensors(file, one).items()}
    around = table(content)
    within = next((name for name in _WITHIN if table(around.get(name)) or _is_module(around.get(name))), "")
    return _tensors(file, around[within] if within else content)


def table(thing: Any) -> dict[str, Any]:
    """The pairs of a dict or of an ordered one; none of anything else."""
    pairs = thing.items if isinstance(thing, Record) else thing.items() if isinstance(thing, dict) else ()
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, tuple)}


def _is_module(thing: Any) -> bool:
    return isinstance(thing, Record) and {"_parameters", "_modules"} <= thing.fields.keys()


def _tensors(file: TorchFile, thing: Any, depth: int = 0) -> Tensors:
    """Those of a state dict, or of a pickled module with its parts."""
    if not _is_module(thing) or depth > 20:
        return file.tensors(thing)
    own = {name: one for part in ("_parameters", "_buffers") for name, one in table(thing.fields.get(part)).items()}
    found = file.tensors({name: one for name, one in own.items() if one is not None})
    for name, part in table(thing.fields["_modules"]).items():
        if _is_module(part):
            found |= {f"{name}.{inner}": tensor for inner, tensor in _tensors(file, part, depth + 1).items()}
    return found
