"""What a user chooses about an app: files, a command, or a controller that runs already.

Files are read here, and never imported: an app runs in its own process, in the sandbox.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from controller.settings import ConfigurationError
from topologies.gateways.app.surroundings import SYSTEM, around, interpreter
from topologies.gateways.promises import Options, listed

FRAMEWORKS = ("ryu", "os-ken")
"""The frameworks of applications. The package of each has an underscore in place of a hyphen."""
MOST_BYTES = 4 << 20
PYTHON_2 = re.compile(
    r"Missing parentheses|multiple exception types|leading zeros in|exec'|`|<>|invalid (hexa)?decimal"
)
"""What Python 3's complaints about Python 2 have in common."""
ENDPOINT = re.compile(r"tcp:([^:\s]+):(\d+)")
WAYS = "--set app=FILE.py, --set app='COMMAND ...' or --set controller=tcp:127.0.0.1:6653"


class AppOptions(Options):
    """What can be chosen about somebody's controller only."""

    app: Annotated[
        tuple[str, ...],
        BeforeValidator(listed),
        WithJsonSchema({"type": "string"}),
        Field(description="a Ryu or os-ken application: FILE.py or [A.py,B.py]; or a controller's command"),
    ] = ()
    app_config: str | None = Field(
        None, description="a file for the app, which is a Jinja2 template: it is filled in with the wiring"
    )
    controller: str | None = Field(None, description="a controller that runs already: tcp:HOST:PORT")


def applications(app: Iterable[str]) -> list[Path]:
    """Return the files of the applications; nothing, if it is a command."""
    texts = [*app]
    return [Path(each).resolve() for each in texts] if texts and all(map(_is_application, texts)) else []


def command(app: Iterable[str]) -> list[str]:
    """Return the words of a command. Raises ConfigurationError if it cannot be read."""
    try:
        words = shlex.split(" ".join(app))
    except ValueError as error:
        raise ConfigurationError(f"setting app={' '.join(app)!r}: {error}; write it as for a shell") from None
    words = [os.path.abspath(word) if _is_place(word) else word for word in words]
    return [shutil.which(word, path=SYSTEM) or word for word in words[:1]] + words[1:]


def programs(app: Any) -> list[str]:
    """Return the paths that a value of `app` needs: applications, or a command's files and what is around them."""
    texts = [each for each in listed(app) if isinstance(each, str)] if isinstance(app, str | list | tuple) else []
    if files := applications(texts):
        return [str(file) for file in files]
    words = command(texts)
    return around(word for word in words if _is_file(word))


def framework(files: Iterable[Path]) -> str:
    """Return the framework that applications are written for. Raises ConfigurationError if they are for none."""
    named = {package: file for file in files for each in _with_modules(file) for package in _imports(each)}
    imported = {name: named[package] for name in FRAMEWORKS if (package := name.replace("-", "_")) in named}
    if not imported:
        shown = ", ".join(map(str, files))
        raise ConfigurationError(
            f"setting app={shown}: that is no application, as it imports neither ryu nor os_ken; give another "
            "program as a command: --set app='python3 FILE.py'"
        )
    if len(imported) > 1:
        raise ConfigurationError(
            "setting app: "
            + ", ".join(f"{file.name} imports {package}" for package, file in imported.items())
            + "; one process has one framework, so take files for one of them"
        )
    name = next(iter(imported))
    if importlib.util.find_spec(name.replace("-", "_")) is None:
        raise ConfigurationError(
            f"setting app={imported[name]}: it is for {name}, which is not installed in lastport's environment; "
            "import from the framework that is, which `lastport doctor` names"
        )
    return name


def endpoint(controller: str) -> tuple[str, int]:
    """Return the address and port of a controller that runs already. Raises ConfigurationError."""
    found = ENDPOINT.fullmatch(controller)
    if found is None or not 0 < int(found[2]) < 1 << 16:
        raise ConfigurationError(
            f"setting controller={controller} is not possible: write tcp:HOST:PORT, as in tcp:127.0.0.1:6653"
        )
    return found[1], int(found[2])


def check(options: AppOptions) -> None:
    """Raise ConfigurationError for what cannot be started."""
    if bool(options.app) == (options.controller is not None):
        what = "needs one of the two" if options.app else "runs somebody's controller, and needs to know which"
        raise ConfigurationError(f"the gateway app {what}: {WAYS}")
    if options.controller is not None:
        endpoint(options.controller)
    if options.app_config is not None:
        _text("app_config", Path(options.app_config))
        if options.controller is not None:
            raise ConfigurationError(
                "setting app_config: a controller that runs already reads no file; leave it out"
            )
    if not options.app:
        return
    if files := applications(options.app):
        framework(files)
        return
    if len(options.app) > 1:
        odd = next(each for each in options.app if not _is_application(each))
        raise ConfigurationError(
            f"setting app=[{', '.join(options.app)}]: {odd!r} is no FILE.py; list applications, or give one "
            "command"
        )
    words = command(options.app)
    if not words or not is_executable(words[0]):
        raise ConfigurationError(
            f"setting app={options.app[0]!r}: there is no program {(words or [''])[0]!r} that could be executed; "
            "give the path of one (chmod +x), or a FILE.py"
        )
    require_interpreter("app", words[0])


def require_interpreter(key: str, program: str) -> None:
    """Raise ConfigurationError if a script's first line names a program that is not there."""
    wanted = interpreter(program)
    if wanted and not is_executable(wanted):
        raise ConfigurationError(
            f"setting {key}: the first line of {program} names {wanted!r}, which is no program here; correct it, "
            "or make the environment anew that it was in"
        )


def _is_application(text: str) -> bool:
    return text.endswith(".py") and (_is_file(text) or len(text.split()) == 1)


def _is_file(text: str) -> bool:
    return os.path.isfile(text)  # False where it cannot be looked up, too


def _is_place(word: str) -> bool:
    return _is_file(word) or ("/" in word and os.path.exists(word))


def is_executable(word: str) -> bool:
    """Whether a word of a command is the path of a program."""
    return _is_file(word) and os.access(word, os.X_OK)


def _text(key: str, file: Path) -> str:
    try:
        if file.is_dir():
            raise ConfigurationError(f"setting {key}={file} is a folder; give the path of a file")
        if file.stat().st_size > MOST_BYTES or not file.is_file():
            raise ConfigurationError(f"setting {key}={file} is no file of {MOST_BYTES >> 20} MiB or less")
        text = file.read_text()
    except OSError as error:
        raise ConfigurationError(f"setting {key}={file}: {error.strerror}; give the path of a file") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigurationError(f"setting {key}={file} is no text in UTF-8; a program is given as a command")
    return text


def _with_modules(file: Path) -> list[Path]:
    """Return a file, and the modules beside it that it imports, or that they do. Raises ConfigurationError."""
    found = [file]
    for each in found:
        beside = (each.with_name(f"{name}.py") for name in _imports(each))
        found += [module for module in dict.fromkeys(beside) if module not in found and _is_file(str(module))]
    return found


def _imports(file: Path) -> list[str]:
    """Return the packages that a file imports. Raises ConfigurationError if it is not Python of today."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(_text("app", file), str(file))
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(_wrong(file, error)) from None
    nodes = [*ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return [name.partition(".")[0] for name in names]


def _wrong(file: Path, error: SyntaxError | ValueError) -> str:
    if not isinstance(error, SyntaxError):
        return f"setting app={file}: {error}"
    line = (error.text or "").strip()
    place = f"{file}, line {error.lineno}: {line}"
    if PYTHON_2.search(f"{error.msg} {line}"):
        return (
            f"setting app: {place} -- this is Python 2, and here runs Python 3; convert it, as with 2to3 -w FILE"
        )
    return f"setting app: {place} -- {error.msg}; correct it first"
