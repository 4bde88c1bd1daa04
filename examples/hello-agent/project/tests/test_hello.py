import subprocess
import sys
import unittest
from pathlib import Path

HELLO = Path(__file__).parent.parent / "hello.py"


def greeting(*names: str) -> str:
    done = subprocess.run([sys.executable, str(HELLO), *names], capture_output=True, text=True, check=True)
    return done.stdout


class HelloTest(unittest.TestCase):
    def test_it_greets_by_name(self) -> None:
        self.assertEqual(greeting("Ada"), "Hello, Ada!\n")

    def test_it_greets_the_world_without_a_name(self) -> None:
        self.assertEqual(greeting(), "Hello, world!\n")
