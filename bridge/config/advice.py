"""What is allowed and still worth saying: ``callbridge check`` prints it, nothing stops for it."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from bridge.config.schema import Config, Durability, Mode
from bridge.config.validation import suggest
from bridge.rules import Rule
from bridge.sources import kinds
from bridge.sources.base import Source

EVENT_TYPES = (
    *(f"lead.{what}" for what in ("created", "updated", "stage_changed", "deleted")),
    *(f"contact.{what}" for what in ("created", "updated", "deleted")),
    *(f"deal.{what}" for what in ("created", "updated", "stage_changed", "deleted")),
    "unknown",
)
"""What a CRM's adapter may say."""

SHORTEST_TOKEN = 16
"""Characters of an operator's token that is not worth a remark; `openssl rand -hex 16` gives twice as many."""

_PLACEHOLDERS = ("change-me", "Y2hhbmdlLW1l", "6368616e67652d6d65")  # as in config.example.yaml, and the same in base64 and in hexadecimal

_MODES = {
    Mode.SHADOW: "mode: shadow decides everything and calls nobody",
    Mode.ALLOWLIST: "mode: allowlist calls only the numbers in `allowlist`",
}
_DURABILITY = {
    Durability.EVERYSEC: "redis.durability: everysec can lose the last second of answered deliveries in a power cut",
    Durability.UNSAFE: "redis.durability: unsafe can lose answered deliveries in a power cut",
}


def warnings(config: Config) -> list[str]:
    """One sentence each, beginning with the key it is about; in the order of the configuration's sections."""
    return [*_server(config), *_campaigns(config), *_sources(config), *_rules(config)]


def _server(config: Config) -> Iterator[str]:
    if config.mode in _MODES:
        yield _MODES[config.mode]
    signing = sorted(name for name, source in config.sources.items() if kinds()[source.kind].signs_url)
    if signing and config.server.public_url is None:
        who = f"{', '.join(signing)} sign{'s' if len(signing) == 1 else ''} the URL"
        yield f"server.public_url: not set, but {who} that a webhook is sent to: set it unless nothing stands before the bridge"
    if config.alerts and config.server.public_url is None:
        yield "server.public_url: not set, so alerts have no link to what they are about"
    yield from _operators(config)
    if config.redis.durability in _DURABILITY:
        yield _DURABILITY[config.redis.durability]


def _operators(config: Config) -> Iterator[str]:
    server = config.server
    tokens = {"ops_token": server.ops_token, **{f"operators.{name}": token for name, token in server.operators.items()}}
    for key, token in tokens.items():
        if token and len(token.get_secret_value()) < SHORTEST_TOKEN:
            yield f"server.{key}: shorter than {SHORTEST_TOKEN} characters, so that it could be guessed; `openssl rand -hex 16` makes a good one"


def _campaigns(config: Config) -> Iterator[str]:
    used = {name for rule in config.rules for name in _campaigns_of(rule)}
    for name, campaign in config.campaigns.items():
        if name not in used:
            yield f"campaigns.{name}: no rule uses it"
        if _placeholder(campaign.token.get_secret_value()):
            yield f"campaigns.{name}.token: still the example's"


def _campaigns_of(rule: Rule) -> tuple[str, ...]:
    cancelled = (rule.cancel.campaigns or ()) if rule.cancel else ()
    return (*cancelled, rule.call.campaign) if rule.call else cancelled


def _sources(config: Config) -> Iterator[str]:
    if not config.sources:
        yield "sources: there are none, so every webhook is answered 404"
    for name, source in config.sources.items():
        if source.insecure:
            yield f"sources.{name}.insecure: anybody who reaches the bridge can have people called"
        if any(_placeholder(secret.get_secret_value()) for secret in source.secret):
            yield f"sources.{name}.secret: still the example's, which everybody knows"
        adapter = kinds()[source.kind]
        if adapter.look_up is not Source.look_up and not adapter(name, source).api_token:
            yield f"sources.{name}.api_token: not set, so a phone number that a webhook does not carry cannot be looked up"
        if not any(rule.source is None or name in rule.source for rule in config.rules):
            yield f"sources.{name}: no rule is for it, so all its events will be ignored"


def _rules(config: Config) -> Iterator[str]:
    for rule in config.rules:
        if rule.call is None and rule.cancel is None:
            yield f"rules: '{rule.name}' neither calls nor cancels; what it matches ends there"
        if _only_crms(rule, config):
            yield from (_unheard_of(rule, pattern) for pattern in rule.on or () if not any(fnmatchcase(each, pattern) for each in EVENT_TYPES))


def _only_crms(rule: Rule, config: Config) -> bool:
    """Whether every event this rule sees has one of the types we know."""
    return not any(kinds()[source.kind].own_types for name, source in config.sources.items() if rule.source is None or name in rule.source)


def _unheard_of(rule: Rule, pattern: str) -> str:
    hint = suggest(pattern, list(EVENT_TYPES)) or f"; there are {', '.join(EVENT_TYPES)}"
    return f"rules: '{rule.name}' is on {pattern}, which none of its sources sends{hint}"


def _placeholder(secret: str) -> bool:
    return any(mark in secret for mark in _PLACEHOLDERS)
