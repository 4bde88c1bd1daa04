"""One file, one iteration."""

from samoloop.demo.scenario import Item, Scenario, Write

HELLO = '''"""Greets whoever is named, else the world."""

import sys

name = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"Hello, {name}!")
'''

SCENARIO = Scenario(
    slug="hello",
    look_for=("hello", "greeting"),
    tests=("python", "-m", "unittest"),
    requirements=lambda answers: ("hello.py greets by name, and the world without one",),
    items=lambda answers: (Item("hello.py greets", (Write("hello.py", HELLO),), proof="both greetings"),),
)
