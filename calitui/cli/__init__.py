"""The command line: `calitui` for a person, `kubectl calitui` as a plugin, exit codes and JSON for scripts.

This package decides what is printed where: data on stdout, talk on stderr. It computes nothing itself and imports the
screens, the Kubernetes client and SSH only when a command needs them, so that `--help` and recorded clusters are quick.
"""

from calitui.cli.commands import calitui
from calitui.cli.entry import main

__all__ = ["calitui", "main"]
