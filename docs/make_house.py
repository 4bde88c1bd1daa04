"""Draws docs/house.svg from the imports of the package: `python docs/make_house.py`.

A row is a room; each may import those above it. A curve on the right means that some file of the lower room imports the
upper one. A curve that ran the other way would be red, and on the left.
"""

import ast
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "samoloop"
ORDER = (
    "base", "core", "git", "config", "providers", "children", "worker", "checks", "api", "queue", "fleet", "demo", "ui",
)  # fmt: skip
LEFT, WIDTH, ROW, TOP = 40, 640, 58, 24


def rooms() -> list[str]:
    return [name for name in ORDER if (PACKAGE / name).is_dir()]


def files(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def about(room: str) -> str:
    """The first sentence of what the room says of itself."""
    said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    return " ".join(said.split()).partition(". ")[0].rstrip(".")


def imports() -> set[tuple[str, str]]:
    """Which room imports which: (importer, imported)."""
    found = set()
    for room in rooms():
        for path in files(room):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                found |= {(room, name.split(".")[1]) for name in names if name.startswith("samoloop.")}
    return {(room, other) for room, other in found if other in rooms() and other != room}


def picture() -> str:
    """The drawing as SVG text."""
    names = rooms()
    height = TOP * 2 + ROW * len(names)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="980" height="{height}" viewBox="0 0 980 {height}" '
        'font-family="sans-serif" font-size="13" role="img" aria-label="The rooms of samoloop and their imports">',
        f'<rect width="980" height="{height}" fill="#ffffff"/>',
    ]
    middle = {name: TOP + ROW * number + ROW // 2 for number, name in enumerate(names)}
    for room, other in sorted(imports()):
        start, end = middle[room], middle[other]
        far = 24 + 26 * abs(start - end) // ROW
        right = names.index(other) < names.index(room)
        edge, bend = (LEFT + WIDTH, LEFT + WIDTH + far) if right else (LEFT, LEFT - far)
        color = "#8aa4c8" if right else "#cc2222"
        parts.append(
            f'<path d="M{edge} {start} C{bend} {start} {bend} {end} {edge} {end}" fill="none" stroke="{color}" '
            f'stroke-width="2" stroke-opacity="0.6"><title>{room} imports {other}</title></path>'
        )
    for name in names:
        y = middle[name] - ROW // 2 + 5
        parts += [
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{ROW - 10}" rx="6" fill="#f3f6fb" stroke="#5b7299"/>',
            f'<text x="{LEFT + 12}" y="{y + 20}" font-weight="bold" fill="#1c2b45">{name}/</text>',
            f'<text x="{LEFT + 12}" y="{y + 38}" fill="#1c2b45" font-size="11.5">{escape(about(name))}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    (HERE / "house.svg").write_text(picture(), encoding="utf-8")
