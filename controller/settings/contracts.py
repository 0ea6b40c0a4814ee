"""What a class lacks of what its abstract base class asks for, as it would have to be written.

Nothing here knows a particular base class: the base's own methods are the contract, with the parameters that they
have there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

_OF_A_CLASS = (classmethod, staticmethod)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def lacks(cls: type, base: type) -> list[str]:
    """Return what a class lacks of its base, such as `def release(self, port, now)`.

    It has to have each abstract method, also of a base in between. A method that it has in place of one of the
    base's must be callable in the same way. A flag of the base, true or false, must be true or false in the class
    as well.
    """
    asked_for = dict(_members(base))
    between = sorted(getattr(cls, "__abstractmethods__", frozenset()) - asked_for.keys())
    members = [*asked_for.items(), *((name, inspect.getattr_static(cls, name)) for name in between)]
    return [written for name, member in members if (written := _lack(cls, name, member)) is not None]


def _members(base: type) -> Iterator[tuple[str, Any]]:
    """Yield what a base class asks for: abstract methods, in their order, then its other methods and its flags."""
    abstract = {
        name: member
        for each in reversed(base.__mro__)
        for name, member in vars(each).items()
        if name in getattr(base, "__abstractmethods__", ()) and getattr(member, "__isabstractmethod__", False)
    }
    yield from abstract.items()
    for name, member in vars(base).items():
        is_method = inspect.isfunction(member) or isinstance(member, classmethod | staticmethod)
        if name not in abstract and not name.startswith("_") and (is_method or isinstance(member, bool)):
            yield name, member


def _lack(cls: type, name: str, member: Any) -> str | None:
    """Return how a member of the base would have to be written, or None if the class has it."""
    own = inspect.getattr_static(cls, name, member)
    if isinstance(member, bool):
        return None if isinstance(own, bool) else f"{name} = {member} (or {not member})"
    if getattr(own, "__isabstractmethod__", False) or not (own is member or _fits(own, cls, member)):
        return _written(name, member)
    return None


def _fits(own: Any, cls: type, member: Any) -> bool:
    """Whether what a class has in the place of a method can be called as that is called."""
    if isinstance(member, property):
        return True
    needs_no_object = isinstance(own, _OF_A_CLASS)
    if isinstance(member, _OF_A_CLASS) and not needs_no_object:
        return False
    method = own.__get__(None, cls) if needs_no_object else own
    if not callable(method):
        return False
    positional, named = _arguments(member)
    try:
        inspect.signature(method).bind(*positional if needs_no_object else (None, *positional), **named)
    except TypeError:
        return False
    except ValueError:  # it is not written in Python, and has no signature
        return True
    return True


def _arguments(member: Any) -> tuple[list[str], dict[str, str]]:
    """Return what a method of the base is called with, besides its object or class: positions, and keywords."""
    parameters = list(inspect.signature(_function(member)).parameters.values())
    if not isinstance(member, staticmethod):
        del parameters[0]
    positional = [each.name for each in parameters if each.kind in _POSITIONAL]
    return positional, {each.name: each.name for each in parameters if each.kind not in (*_POSITIONAL, *_VARIABLE)}


def _written(name: str, member: Any) -> str:
    """Return a method of the base as it would have to be written, without types."""
    decorator = f"@{type(member).__name__} " if isinstance(member, (*_OF_A_CLASS, property)) else ""
    signature = inspect.signature(_function(member))
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return f"{decorator}def {name}{inspect.Signature(bare)}"


def _function(member: Any) -> Callable[..., Any]:
    """Return the function behind a method or a property, as it is written in the class."""
    function: Callable[..., Any] = member
    if isinstance(member, property):
        assert member.fget is not None
        function = member.fget
    elif isinstance(member, _OF_A_CLASS):
        function = member.__func__
    return function
