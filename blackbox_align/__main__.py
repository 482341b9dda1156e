"""``python -m blackbox_align`` is ``bbalign``."""

from .cli.main import main

if __name__ == "__main__":
    main()
