"""What a class of a user's own has to keep to, told before anything starts: keys, types and returned values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

from controller.settings import MARKS, ConfigurationError, Settings, unknown_key
from controller.settings.extensions import is_file, tried
from testbed.experiment.requirements import Requirement
from testbed.experiment.scenario import Scenario
from testbed.experiment.stories import readable

T = TypeVar("T")


def returned_by(name: str, method: str, returns: type[T], call: Callable[..., Any], *arguments: Any) -> T:
    """Return what a class's method returns. Raises ConfigurationError if one of a user's fails in any way."""
    if not is_file(name):
        return call(*arguments)  # type: ignore[no-any-return]
    returned = tried(f"{name}: {method}", call, *arguments)
    if not isinstance(returned, returns):
        raise ConfigurationError(f"{name}: {method} returned {returned!r}; it has to return a {returns.__name__}")
    return returned


def require_contract(name: str, scenario: type[Scenario[Any]]) -> None:
    """Raise ConfigurationError if what a scenario's class has is not of its type, or its story no template."""
    needs = scenario.requires
    if not isinstance(needs, tuple) or not all(isinstance(each, Requirement) for each in needs):
        raise ConfigurationError(f"{name}: requires={needs!r} is no tuple of requirements; write (one,)")
    for key in scenario.reckons_with:
        if key not in MARKS:
            raise ConfigurationError(f"{name}: {unknown_key(key, [*MARKS], kind='reckons_with: key')}")
    if not isinstance(scenario.settings, dict):
        raise ConfigurationError(f"{name}: settings={scenario.settings!r} is no dict; write {{key: value}}")
    if is_file(name):
        tried(f"{name}: story", readable, scenario.story)


def require_own_keys(name: str, kind: str, model: type[BaseModel]) -> None:
    """Raise ConfigurationError if a key of the model is a setting's too: `--set` could not tell them apart."""
    if taken := [key for key in model.model_fields if key in Settings.model_fields]:
        raise ConfigurationError(f"{name}: {kind} {taken[0]!r} is the name of a setting; give it another name")


def require_known(name: str, method: str, given: Iterable[str], known: list[str]) -> None:
    """Raise ConfigurationError if a method returned a key that does not exist."""
    for key in given:
        if key not in known:
            raise ConfigurationError(f"{name}: {unknown_key(key, known, kind=f'{method}: key')}")
