"""What must fit together: names that rules use, secrets that sources need, the mode and its list.

Looks at the data as it was written and filled in, not at the models, so that it speaks together with the schema however
much else is wrong. What has the wrong form is the schema's business and passed over here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.config.environment import Filled
from bridge.config.validation import Objection, suggest
from bridge.config.yaml_lines import Place
from bridge.model import OPERATOR

_YES = {1, "1", "true", "t", "yes", "y", "on"}  # what pydantic takes for true; True equals 1
_LISTS = (("source",), ("on",), ("cancel", "campaigns"), ("call", "hours", "days"))
_NEEDS_A_VALUE = ("source", "on", "where", "call")  # a bare `cancel:` is whole


def cross_check(filled: Filled) -> Iterator[Objection]:
    """Everything that does not fit together."""
    yield from _check_mode(filled)
    yield from _check_secrets(filled)
    yield from _check_operators(filled)
    yield from _check_alerts(filled)
    rules = filled.data.get("rules")
    places = [("rules", position) for position in range(len(rules))] if isinstance(rules, list) else []
    yield from _check_rule_names(places, filled)
    for place in places:
        yield from _check_references(place, filled)
        yield from _check_blanks(place, filled)


def _check_mode(filled: Filled) -> Iterator[Objection]:
    if filled.data.get("mode") == "allowlist" and not filled.data.get("allowlist"):
        yield Objection(("mode",), "mode allowlist needs `allowlist`: the phone numbers that may be called")


def _check_secrets(filled: Filled) -> Iterator[Objection]:
    for name, settings in _mapping(filled.data.get("sources")).items():
        place: Place = ("sources", name)
        if name == OPERATOR:
            yield Objection(place, f"'{OPERATOR}' is what the bridge calls orders made by hand; give the source another name")
        secret = _mapping(settings).get("secret", "")
        if isinstance(settings, dict) and secret in ("", []) and not _yes(settings.get("insecure")):
            where = (*place, "secret") if (*place, "secret") in filled.lines else place
            yield Objection(
                where, "this source has no secret, so anybody could have people called: set `secret` (or `insecure: true`, on a closed network)"
            )
        if any(isinstance(item, str) and not item.strip() for item in (secret if isinstance(secret, list) else ())):
            yield Objection((*place, "secret"), "one of the secrets is empty, and an empty secret is known to everybody")


def _check_operators(filled: Filled) -> Iterator[Objection]:
    """Who did something must be told by the token alone."""
    server = _mapping(filled.data.get("server"))
    holders = {str(server.get("ops_token") or ""): "ops_token"}
    for name, token in _mapping(server.get("operators")).items():
        place: Place = ("server", "operators", name)
        if name == OPERATOR:
            yield Objection(place, f"'{OPERATOR}' is whoever uses the ops_token without saying his name; give this one another")
        if token and str(token) in holders:
            yield Objection(place, f"this is also the token of {holders[str(token)]}, and nobody could tell the two apart: give each his own")
        holders.setdefault(str(token), name)


def _check_alerts(filled: Filled) -> Iterator[Objection]:
    """What was told to an address is remembered by that address."""
    alerts = filled.data.get("alerts")
    seen: dict[str, int] = {}
    for position, alert in enumerate(alerts if isinstance(alerts, list) else ()):
        place: Place = ("alerts", position, "url")
        url = str(_mapping(alert).get("url") or "")
        if url in seen:
            yield Objection(place, f"the receiver on line {seen[url]} has this address too: say everything that it is told in one")
        if url:
            seen.setdefault(url, filled.line(place))


def _check_rule_names(places: list[tuple[str, int]], filled: Filled) -> Iterator[Objection]:
    seen: dict[str, int] = {}
    for place in places:
        name = _at((*place, "name"), filled)
        if not isinstance(name, str):
            continue
        line = filled.line((*place, "name"))
        if name in seen:
            yield Objection(
                (*place, "name"), f"the rule on line {seen[name]} has this name too: give each its own, for it is shown as the reason of a call"
            )
        seen.setdefault(name, line)


def _check_references(rule: Place, filled: Filled) -> Iterator[Objection]:
    for what, path in (("source", ("source",)), ("campaign", ("call", "campaign")), ("campaign", ("cancel", "campaigns"))):
        section = filled.data.get(f"{what}s")
        known = list(_mapping(section))
        for place, name in _names((*rule, *path), filled):
            if name not in known and isinstance(section, dict | None):
                written = filled.as_written(place)
                listed = f"known: {', '.join(known)}" if known else f"there are none under `{what}s`"
                yield Objection(place, f"unknown {what} '{written}'{suggest(written, known) or ';'} {listed}")


def _check_blanks(rule: Place, filled: Filled) -> Iterator[Objection]:
    """A list without items matches nothing, or cancels nothing, and a key without a value would count as absent: neither is meant."""
    for path in _LISTS:
        if _at((*rule, *path), filled) == []:
            yield Objection((*rule, *path), f"'{path[-1]}' is an empty list: leave the key out to mean every one, or say which")
    for name in _NEEDS_A_VALUE:
        if name in _mapping(_at(rule, filled)) and _at((*rule, name), filled) is None:
            yield Objection((*rule, name), f"nothing stands after '{name}:'; give it a value, or leave the key out")


def _names(place: Place, filled: Filled) -> Iterator[tuple[Place, str]]:
    """A name, or each of a list of names, and where it stands."""
    found = _at(place, filled)
    if isinstance(found, str):
        yield place, found
    for position, name in enumerate(found if isinstance(found, list) else ()):
        if isinstance(name, str):
            yield (*place, position), name


def _at(place: Place, filled: Filled) -> Any:
    value: Any = filled.data
    for part in place:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _yes(value: Any) -> bool:
    return (value.lower() if isinstance(value, str) else value) in _YES if isinstance(value, str | int) else False
