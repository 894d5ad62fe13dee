"""What code played: digests of the source of modules, and versions of packages. Nothing is run to find out."""

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType

from rlattack.errors import RefusedFile

_PLAYING = ("rlattack", "torch", "numpy", "gymnasium")
_OWN = (
    "attacks", "budget", "defences", "draws.py", "evaluation/judge.py", "evaluation/play.py", "evaluation/player.py",
    "evaluation/prepare.py", "evaluation/slots.py", "games", "policies",
)  # fmt: skip
"""What of the project's own code decides play."""
_CONSTANTS = (bool, int, float, str, tuple, frozenset)
_imported: dict[str, tuple[object, str]] = {}
"""What was imported in this process, by module: its import, by its `__spec__`, and the digest of its source then."""


def versions(*packages: str) -> dict[str, str]:
    """Returns the versions of the packages that decide play; those that are not installed are left out.

    Args:
        packages: Distributions beside rlattack, torch, numpy and gymnasium, such as `ale-py` or `mujoco`.
    """
    found = {}
    for name in dict.fromkeys((*_PLAYING, *packages)):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@functools.cache
def own_digest() -> str:
    """Returns the SHA-256 of the project's own source, as far as it decides play, where it can be edited in place.

    Returns:
        64 hexadecimal digits of a checkout or an editable installation, as it is when first asked for in a process;
        empty for an installed package, which is told by its version.
    """
    root = Path(__file__).parent
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a checkout that is not installed
        if _holds(importlib.metadata.distribution("rlattack"), Path(__file__)):
            return ""
    files = [file for part in _OWN for file in ([root / part] if part.endswith(".py") else (root / part).rglob("*.py"))]
    return _digest({file.relative_to(root).as_posix(): _sha256(file.read_bytes()) for file in files})


def environment_digest(entry_point: str | Callable[..., object]) -> dict[str, str]:
    """Returns what tells the code of an environment from other code.

    Args:
        entry_point: As Gymnasium registers it: `package.module:Class`, or what makes the environment.

    Returns:
        The version of the distribution that holds it, by the distribution's name, and under `source` the
        `code_digest` of its module where that is no file of an installed distribution: an editable installation, or
        a module of the user's.
    """
    module = entry_point.partition(":")[0] if isinstance(entry_point, str) else _module_of(entry_point)
    top, file = module.partition(".")[0], _origin(module)
    found, installed = {}, False
    for name in sorted({top, *_distributions().get(top, ())}):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[distribution.name] = distribution.version
        installed = installed or _holds(distribution, file)
    if installed:
        return found
    return found | {"source": code_digest(module) or ("" if isinstance(entry_point, str) else live_digest(entry_point))}


def code_digest(module: str) -> str:
    """Returns the SHA-256 of a module's source and of all that it imports, in turn, from its own package or folder.

    A module of an installed package takes in that package; one elsewhere all that lies in its folder. The rest is
    told by `versions`. Imports are read from the source, so that nothing is run but what finding the module runs: the
    packages around it.

    Args:
        module: A name that is imported already or can be, such as `my_agents.pong`.

    Returns:
        64 hexadecimal digits, which do not depend on where the code lies; empty for a module without a source file.

    Raises:
        RefusedFile: A file is not what this process imported and still runs, as far as a digest of it was asked for
            since then.
    """
    module = "__main__" if module == "__mp_main__" else module  # a script, as a worker imports it
    file = _origin(module)
    if file is None or file.suffix != ".py":
        return ""
    depth = module.count(".") + (file.stem == "__init__")
    return _digest(_reached(module, file, file.parents[depth]))


def live_digest(kind: type | Callable[..., object]) -> str:
    """Returns the SHA-256 of what a class or a function does, of one that has no source file, as in a notebook.

    Told are the byte code of its own functions, and its constants; not what it calls elsewhere.
    """
    while isinstance(kind, functools.partial):
        kind = kind.func
    parts = {getattr(kind, "__qualname__", ""): kind, **(vars(kind) if isinstance(kind, type) else {})}
    codes = {name: getattr(getattr(part, "__func__", part), "__code__", None) for name, part in parts.items()}
    values = {name: repr(part) for name, part in parts.items() if isinstance(part, _CONSTANTS)}
    return _sha256(json.dumps([{name: code and _told(code) for name, code in codes.items()}, values]).encode())


def _told(code: CodeType) -> list[object]:
    inner = [_told(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return [code.co_name, code.co_code.hex(), inner, code.co_names]


def _digest(files: Mapping[str, str]) -> str:
    """Of files by their names and digests."""
    return _sha256(json.dumps(sorted(files.items())).encode())


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _reached(module: str, file: Path, root: Path) -> dict[str, str]:
    """Digests of source files, by their names, of a module and of all below `root` that it leads to."""
    package, installed = module.partition(".")[0], _holds_packages(root)
    found: dict[str, str] = {}
    waiting = [module, *_around(module)]
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        # our own package is told by its version, and an installed one ends where others begin
        foreign = top != package and (installed or top == "rlattack")
        here = file if name == module else _beside(root, name)
        if name in found or foreign or here is None:
            continue
        source = here.read_bytes()
        found[name] = _sha256(source)
        _check_imported(name, here, found[name])
        names = _imports(source, name if here.stem == "__init__" else name.rpartition(".")[0])
        waiting += [one for imported in names for one in (imported, *_around(imported))]
    return found


def _check_imported(name: str, file: Path, digest: str) -> None:
    """Refuses a file edited since this process imported it: what was imported is what a first digest finds."""
    module = sys.modules.get(name)
    if module is None or Path(getattr(module, "__file__", None) or "").absolute() != file:
        return
    run = module.__spec__ or module  # another one after a reload
    known, before = _imported.get(name, (None, ""))
    if known is run and before != digest:
        raise RefusedFile(f"{name} changed since it was imported: start anew")
    _imported[name] = run, digest


def _origin(module: str) -> Path | None:
    """The file that a module is loaded from, None for one without."""
    if module in sys.modules:
        place = getattr(sys.modules[module], "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(module)
        except Exception:  # code of the packages around it: anything
            return None
        place = spec.origin if spec is not None and spec.has_location else None
    return Path(place).absolute() if place and Path(place).is_file() else None


def _beside(root: Path, name: str) -> Path | None:
    """The source file of a module below a folder, None where there is none."""
    place = root.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _around(module: str) -> list[str]:
    """The packages around a module, which are imported before it."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


@functools.cache
def _holds_packages(root: Path) -> bool:
    """Whether a folder holds Python's library or installed packages, so that neighbours there are strangers."""
    library = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    return root.resolve() in library or any(root.glob("*.dist-info"))


@functools.lru_cache(maxsize=4096)
def _imports(source: bytes, package: str) -> tuple[str, ...]:
    """Names that a module of a package may import anywhere in it, of modules and of what is in them, made absolute."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # then nobody can import it either
        return ()
    names: list[str] = []
    around = package.split(".") if package else []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = around[: len(around) - node.level + 1] if node.level else []
            base = ".".join([*above, *(node.module.split(".") if node.module else [])])
            names += filter(None, (base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)))
    return tuple(names)


def _module_of(entry_point: Callable[..., object]) -> str:
    """The module in which a class or a function stands."""
    while isinstance(entry_point, functools.partial):
        entry_point = entry_point.func
    return getattr(entry_point, "__module__", None) or type(entry_point).__module__


_distributions = functools.cache(importlib.metadata.packages_distributions)
"""Names of distributions by the packages that they install."""


def _holds(distribution: importlib.metadata.Distribution, file: Path | None) -> bool:
    """Whether a distribution installed that very file, as an editable one did not."""
    record = distribution.read_text("RECORD")
    if record is None or file is None:
        return False
    root, file = Path(str(distribution.locate_file(""))).resolve(), file.resolve()
    return file.is_relative_to(root) and f"\n{file.relative_to(root).as_posix()}," in f"\n{record}"
