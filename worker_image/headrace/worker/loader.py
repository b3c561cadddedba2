"""Find the App named by `module:attribute`, and say in one sentence why it cannot be found."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from headrace.app import App
from headrace.handler import HandlerError


def load_app(handler: str, code_dir: str | None) -> App:
    """Import the module with `code_dir` first on sys.path. Raises HandlerError with what to do."""
    module_name, separator, attribute = handler.partition(":")
    if not (module_name and separator and attribute):
        raise HandlerError(f"handler {handler!r} is not module:attribute, for example handlers:app")
    if code_dir is not None:
        if not Path(code_dir).is_dir():
            raise HandlerError(f"handler {handler!r}: the code directory {code_dir} does not exist")
        sys.dont_write_bytecode = True  # the directory is a read-only mount
        if code_dir not in sys.path:
            sys.path.insert(0, code_dir)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and module_name.split(".")[0] == error.name.split(".")[0]:
            raise HandlerError(
                f"handler {handler!r}: there is no module {error.name!r} in {_places(code_dir)}"
            ) from None
        raise HandlerError(
            f"handler {handler!r}: {module_name} imports {error.name!r}, which this image lacks; "
            "use an image that has it (worker.image)"
        ) from None
    except Exception as error:
        raise HandlerError(
            f"handler {handler!r}: importing {module_name} failed: "
            f"{type(error).__name__}: {error}{_place(error, module_name)}"
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        apps = sorted(name for name, value in vars(module).items() if isinstance(value, App))
        known = f"its apps: {', '.join(apps)}" if apps else "it holds no headrace.App"
        raise HandlerError(f"handler {handler!r}: {module_name} has no {attribute!r} ({known})")
    if not isinstance(found, App):
        raise HandlerError(f"handler {handler!r} is a {type(found).__name__}, not a headrace.App")
    if not found.handlers:
        raise HandlerError(f"handler {handler!r} has no handlers; decorate a function with @app.on")
    return found


def _places(code_dir: str | None) -> str:
    if code_dir is None:
        return "this image"
    files = sorted(path.name for path in Path(code_dir).glob("*.py"))
    return f"{code_dir} (it holds {', '.join(files) or 'no .py file'}) or in this image"


def _place(error: Exception, module_name: str) -> str:
    if isinstance(error, SyntaxError):
        return ""  # its text names file and line
    frames = traceback.extract_tb(error.__traceback__)
    last = module_name.rpartition(".")[2]
    inside = [frame for frame in frames if last in frame.filename]
    return f" ({Path(inside[-1].filename).name}, line {inside[-1].lineno})" if inside else ""
