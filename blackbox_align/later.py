"""Names of packages that transformers imports and this process may never use, bound when they are used.

Transformers imports the compiler, distributed tensors, an optimizer of scipy's, accelerate and all ways to
quantize with its first model, whatever that is then used for: half of the time to a first table.
:func:`bind_later` makes the names that it takes from them stand-ins, each of which becomes the real thing
when it is called, subclassed or looked into. No object can be an instance of a class that was never
imported, so ``isinstance`` imports nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, wraps
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

BY = "transformers"
LATER = (
    "torch._dynamo",
    "torch.distributed.tensor",
    "torch.distributed.checkpoint",
    "torch.distributed.fsdp",
    "scipy.optimize",
    "accelerate",
    "transformers.quantizers",
)


def bind_later(by: str = BY, later: Sequence[str] = LATER) -> None:
    """While modules of the package ``by`` are imported, the packages ``later`` are stand-ins.

    What was imported before is left as it is, and what anybody else imports is the real one.
    """
    if by not in sys.modules:
        sys.meta_path.insert(0, _Finder(by, tuple(later)))


class _Finder:
    """Finds stand-ins for as long as a module of ``by`` is being imported."""

    def __init__(self, by: str, later: tuple[str, ...]) -> None:
        self.by, self.later = by, later
        self.running: list[str] = []  # the modules of ``by`` whose bodies run, the outermost first

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if any(self._stood_in(name, package) for package in self.later):
            return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        if _within(name, (self.by,)):
            spec = PathFinder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _During(spec.loader, self)  # type: ignore[assignment]
            return spec
        return None

    def _stood_in(self, name: str, package: str) -> bool:
        """Whether ``name`` is of a ``package`` of which no module runs itself, so that names do."""
        inside = any(_within(one, (package,)) for one in self.running)
        return bool(self.running) and _within(name, (package,)) and not inside

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass

    def real(self, name: str) -> ModuleType:
        """The module ``name`` itself and its package, while the others are stood in for."""
        _forget(next(one for one in self.later if _within(name, (one,))))
        self.running.append(name)
        try:
            return import_module(name)
        finally:
            self.running.pop()

    @contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """While the module ``name`` runs stand-ins are found; they are forgotten after the outermost one."""
        import torch.compiler  # which is no business of a stand-in's

        self.running.append(name)
        try:
            with _compiler_later(torch.compiler) if len(self.running) == 1 else nullcontext():
                yield
        finally:
            self.running.pop()
            if not self.running:
                _forget()


class _During:
    """The loader of a module while whose body stand-ins are found."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        with self._finder.taken(module.__name__):
            self._loader.exec_module(module)
        if module.__name__ == f"{BY}.utils.import_utils":
            _remember_all_folders(module)


def _remember_all_folders(module: Any) -> None:
    """Transformers looks twice through all files of its models for names, since it remembers what it read of
    128 folders and has 500: its own function, with room for all of them, takes a quarter of a second less.
    """
    reading = getattr(module, "create_import_structure_from_path", None)
    if hasattr(reading, "cache_info"):
        module.create_import_structure_from_path = cache(reading.__wrapped__)  # type: ignore[union-attr]


def _within(name: str, packages: Sequence[str]) -> bool:
    return any(f"{name}.".startswith(f"{one}.") for one in packages)


class _StandIn(ModuleType):
    """A module whose every name stands for that of the real one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {"__module__": self.__name__})


class _Name(type):
    """A class that stands for what ``module`` calls ``name``, be it a class, a function or a value."""

    def __new__(cls, name: str, bases: tuple[type, ...], inside: dict[str, Any]) -> Any:
        if bases:  # a class of somebody's, which is one of the real one's
            real = tuple(_real(base) if isinstance(base, _Name) else base for base in bases)
            return type(real[0])(name, real, inside)
        return super().__new__(cls, name, bases, inside)

    def __call__(cls, *given: Any, **named: Any) -> Any:
        if isinstance(sys.modules.get(cls.__module__), _StandIn):  # while the names are taken
            return _Made(cls, given, named)
        return _real(cls)(*given, **named)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(cls), name)

    def __instancecheck__(cls, one: Any) -> bool:
        known = _known(cls)
        return isinstance(known, type) and isinstance(one, known)

    def __subclasscheck__(cls, one: type) -> bool:
        known = _known(cls)
        return one is cls or (isinstance(known, type) and issubclass(one, known))


class _Made:
    """What a call of a name gives, made when it is looked into."""

    def __init__(self, name: _Name, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        vars(self)["_call"] = (name, given, named)

    def _one(self) -> Any:
        if "_made" not in vars(self):
            name, given, named = vars(self)["_call"]
            vars(self)["_made"] = _real(name)(*given, **named)
        return vars(self)["_made"]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._one())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one(), name)

    def __eq__(self, other: object) -> bool:
        return bool(self._one() == other)

    def __hash__(self) -> int:
        return hash(self._one())


def _known(name: _Name) -> Any:
    """What is stood for, where its module was imported; else None."""
    module = sys.modules.get(name.__module__)
    return (
        None if module is None or isinstance(module, _StandIn) else getattr(module, name.__name__)
    )


def _real(name: _Name) -> Any:
    module = sys.modules.get(name.__module__)
    if isinstance(module, _StandIn):  # while names are taken, and somebody makes a class of one
        module = module.__spec__.loader.real(name.__module__)  # type: ignore[union-attr]
    return getattr(module or import_module(name.__module__), name.__name__)


def _forget(package: str = "") -> None:
    """Take stand-ins, those of one ``package`` or all, out of the way of the real ones."""
    stood_in = [name for name, module in sys.modules.items() if isinstance(module, _StandIn)]
    for name in [name for name in stood_in if not package or _within(name, (package,))]:
        module = sys.modules.pop(name)
        parent, _, own = name.rpartition(".")
        above = vars(sys.modules[parent]) if parent in sys.modules else {}
        if above.get(own) is module:
            del above[own]


@contextmanager
def _compiler_later(compiler: Any) -> Iterator[None]:
    """``torch.compiler.disable`` imports the compiler when what it was put on is called under it."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    usual = compiler.disable
    compiler.disable = _disabled_later(usual)
    try:
        yield
    finally:
        compiler.disable = usual


def _disabled_later(disable: Callable[..., Any]) -> Callable[..., Any]:
    def decorate(function: Any = None, *given: Any, **named: Any) -> Any:
        if function is None:
            return lambda one: decorate(one, *given, **named)
        made: list[Any] = []

        @wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            if "torch._dynamo" not in sys.modules:  # nothing is being compiled
                return function(*arguments, **keywords)
            if not made:
                made.append(disable(function, *given, **named))
            return made[0](*arguments, **keywords)

        return call

    return decorate
