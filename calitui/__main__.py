"""`python -m calitui`, for those whose PATH does not have the command."""

from calitui.cli import main

if __name__ == "__main__":
    main()
