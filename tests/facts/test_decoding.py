"""Decoders made in several threads at once: what goes wrong there takes the interpreter down, so another one tries."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading, types
from typing import Any

import msgspec

from calitui.facts.decoding import decoder

sys.setswitchinterval(1e-6)
TYPES = "".join(
    f"class T{k}(msgspec.Struct):\\n    a: str = ''\\n    inner: {f'T{k - 1} | None' if k else 'str | None'} = None\\n"
    for k in range(12)
)
DATA = b'{"inner":' * 8 + b'{"a":"x"}' + b"}" * 8
for number in range(300):
    module = types.ModuleType(f"fresh{number}")
    module.msgspec = msgspec
    sys.modules[module.__name__] = module
    exec(TYPES, vars(module))
    together = threading.Barrier(6)

    def decode() -> None:
        together.wait()
        decoder(module.T11).decode(DATA)

    threads = [threading.Thread(target=decode) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("survived")
"""


def test_a_type_may_be_met_by_several_threads_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr
