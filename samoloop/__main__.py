"""`python -m samoloop`, and the `samoloop` command."""

from samoloop.ui.cli import main

if __name__ == "__main__":
    main()
