"""``callbridge demo``."""

import click


@click.command()
def demo() -> None:
    """Show the whole bridge at work."""
