"""From a file and an environment to a ``Config``, or to everything that is wrong with them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge.config.checks import cross_check
from bridge.config.environment import Filled, interpolate
from bridge.config.schema import Config
from bridge.config.shape import secrets_in
from bridge.config.validation import validate
from bridge.config.yaml_lines import Flaw, Place, parse
from bridge.errors import ConfigError, Problem

VARIABLE = "CALLBRIDGE_CONFIG"
"""Names the configuration file where ``--config`` does not."""

DEFAULT = Path("config.yaml")


def find(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """``--config``, else ``$CALLBRIDGE_CONFIG``, else ``./config.yaml``. Whether it is there is for :func:`load` to say."""
    return Path(explicit or environ.get(VARIABLE) or DEFAULT)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The checked configuration; ``ConfigError`` has all problems at once, in the order of their lines.

    ``data_dir`` comes out absolute (relative to the file's folder) and ``server.bind`` with ``$PORT`` where that is set.
    """
    document = parse(_text(path))
    if document.data is None:
        raise _error(path, document.flaws)
    filled = interpolate(document, environ)
    config, flaws = _judge(filled)
    port, port_flaws = _port(environ)
    flaws = [*document.flaws, *filled.flaws, *flaws, *port_flaws]
    if config is None or flaws:
        raise _error(path, flaws)
    return _placed(config, path.parent, port)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        why = f"there is no such file: copy config.example.yaml there, or name yours with --config or ${VARIABLE}"
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8: save the file as UTF-8"
    except OSError as error:
        why = f"the file cannot be read: {error.strerror}"
    except ValueError:
        why = "this is no path of a file"
    raise ConfigError([Problem(str(path), why)])


def _judge(filled: Filled) -> tuple[Config | None, list[Flaw]]:
    try:
        config, objections = validate(filled)
    except (OverflowError, RecursionError):
        return None, [Flaw(1, "somewhere in the file a number is too large, or an expression is nested too deeply")]
    secrets = set(secrets_in(filled.data))
    new = [each for each in (*objections, *cross_check(filled)) if not _said_already(each.place, filled)]
    return config, [Flaw(filled.line(each.place), _masked(each.message, secrets)) for each in new]


def _said_already(place: Place, filled: Filled) -> bool:
    """Where a value could not be read or a variable is missing there is nothing more to say."""
    return any(place[: len(unknown)] == unknown for unknown in filled.unknown)


def _masked(message: str, secrets: Iterable[str]) -> str:
    """The last line of defence: a secret may stand anywhere, for instance where the name of a campaign belongs."""
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, "…")
    return message


def _port(environ: Mapping[str, str]) -> tuple[str, list[Flaw]]:
    port = environ.get("PORT", "").strip()
    good = not port or (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535)
    return port, [] if good else [Flaw(0, "the variable PORT is no port number between 0 and 65535: mend or unset it")]


def _placed(config: Config, folder: Path, port: str) -> Config:
    server = config.server
    if port:
        host = server.bind.rpartition(":")[0]
        server = server.model_copy(update={"bind": f"{host}:{port}"})
    return config.model_copy(update={"server": server, "data_dir": (folder / config.data_dir).resolve()})


def _error(path: Path, flaws: Iterable[Flaw]) -> ConfigError:
    ordered = sorted(dict.fromkeys(flaws), key=lambda flaw: flaw.line)
    return ConfigError([Problem(f"{path.name}:{flaw.line}" if flaw.line else "environment", flaw.message) for flaw in ordered])
