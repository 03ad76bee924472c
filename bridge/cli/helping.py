"""What the help of a command says beside its options."""


def examples(*lines: str) -> str:
    """What stands below the help of a command."""
    return "\n".join(["\b", "Examples:", *(f"  callbridge {line}" for line in lines)])
