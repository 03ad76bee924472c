"""``python -m bridge`` is ``callbridge``."""

from bridge.cli import main

if __name__ == "__main__":
    main()
