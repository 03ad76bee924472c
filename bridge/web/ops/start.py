"""``/ops/``: where an operator arrives."""

from flask import Blueprint, render_template

from bridge.wiring import Services

EXAMPLES = (
    ("a phone number", "+1 281 332 2575", "in any spelling"),
    ("a name", "Alex Doe", "as the CRM has it"),
    ("a record of a CRM", "deal:555", "or only its id"),
    ("an event", "hubspot:1234567", "source and event id"),
    ("a call job", "98765", "its id at the platform"),
    ("a status", "failed", "or any other"),
)
"""What can be typed into the search box: what it is, one such, and how."""


def add(blueprint: Blueprint, services: Services) -> None:
    """``/ops/``."""
    sources, campaigns, rules = (len(part) for part in (services.config.sources, services.config.campaigns, services.config.rules))

    @blueprint.get("/")
    def start() -> str:
        return render_template("start.html", examples=EXAMPLES, sources=sources, campaigns=campaigns, rules=rules)
