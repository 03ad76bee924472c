"""Writes the table of kinds into the README, from what the adapters say of themselves: ``make docs``. A test holds that it was done."""

from pathlib import Path

from bridge.sources import kinds

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- kinds: written by `make docs` -->", "<!-- /kinds -->"
HEAD = ("kind", "CRM", "where to enter the URL", "what proves a delivery", "`secret`", "`api_token`, for what webhooks leave out")


def table() -> str:
    """One row a kind, in alphabetical order."""
    rows = [HEAD, *[("---",) * len(HEAD)]]
    for kind, adapter in kinds().items():
        manual = adapter.manual
        rows.append((f"`{kind}`", f"[{adapter.title}](docs/sources/{kind}.md)", manual.where, manual.proof, manual.secret, manual.api_token or "–"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def written(readme: str) -> str:
    """The README with its table as it should be."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
