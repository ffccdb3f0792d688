"""Sphinx extension: the house in one picture, drawn from the imports each time the book is built.

    ```{house}
    ```

A room is a folder of the package, or a module beside them. Each stands above all that it imports; an arc is an import,
unless it follows from others that are drawn. `python book/_ext/house.py` prints the same in words.
"""

import ast
import sys
from collections import defaultdict
from html import escape
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "genda_lite"
HIDDEN = {"__main__", "moved", "products", "version"}  # faces and old paths, no rooms to work in
ROW, WIDTH = 32, 200  # height of a room, and room for arcs (pixels)


def room_of(module: str) -> str:
    """`verify.osse.cases` -> `verify/osse`: the folder that a module stands in, or the module itself."""
    *folders, name = module.split(".")
    inside = PACKAGE.joinpath(*folders, name)
    return "/".join([*folders, name] if inside.is_dir() or not folders else folders)


def module_of(path: Path) -> str:
    """Dotted name of a file within the package; of a folder's `__init__`, that of the folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, wherever in the file."""
    here = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = [*here[: len(here) - node.level + 1], *(node.module.split(".") if node.module else ())]
        for alias in node.names:
            place = PACKAGE.joinpath(*base, alias.name)
            whole = [*base, alias.name] if place.is_dir() or place.with_suffix(".py").is_file() else base
            found.add(".".join(whole))
    return found - {""}


def arrows() -> dict[str, set[str]]:
    """Each module with the modules that it imports; the package's own face imports for others, and is left out."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
    return {module_of(path): imported(path) for path in files}


def rooms(of_modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """Each room with the other rooms that it imports."""
    found = defaultdict(set)
    for module, targets in of_modules.items():
        found[room_of(module)] |= {room_of(target) for target in targets} - {room_of(module)}
    return dict(found)


def floors(graph: dict[str, set[str]]) -> dict[str, int]:
    """The floor of each node: one above the highest that it imports.

    Raises:
        ValueError: nodes import each other in a circle.
    """
    found: dict[str, int] = {}

    def floor(node: str, above: tuple[str, ...] = ()) -> int:
        if node in above:
            raise ValueError(f"a circle of imports: {' -> '.join((*above[above.index(node) :], node))}")
        if node not in found:
            found[node] = 1 + max((floor(target, (*above, node)) for target in graph.get(node, ())), default=0)
        return found[node]

    for node in graph:
        floor(node)
    return found


def drawn(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The imports from which all others follow."""
    reach: dict[str, set[str]] = {}
    for node in sorted(graph, key=floors(graph).__getitem__):
        reach[node] = set().union(*({target} | reach[target] for target in graph[node]))
    return {
        node: {t for t in targets if not any(t in reach[other] for other in targets - {t})}
        for node, targets in graph.items()
    }


def purpose(room: str) -> str:
    """The first line of a room's docstring."""
    place = PACKAGE / room
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def picture() -> str:
    """The house as HTML: a row for each room, the highest floor first, and an arc for each import."""
    graph = {
        room: targets - HIDDEN for room, targets in rooms(arrows()).items() if room not in HIDDEN
    }
    level = floors(graph)
    order = sorted(graph, key=lambda room: (-level[room], room))
    middle = {room: ROW * (place + 0.5) for place, room in enumerate(order)}
    arcs = [
        f'<path d="M{WIDTH} {middle[room] + 3:g} A{(middle[target] - middle[room]) / 2:g} '
        f'{(middle[target] - middle[room]) / 2:g} 0 0 0 {WIDTH} {middle[target] - 3:g}"/>'
        for room, targets in drawn(graph).items()
        for target in sorted(targets, key=order.index)
    ]
    reach = max(middle[t] - middle[r] for r, targets in drawn(graph).items() for t in targets) / 2
    entries = [f"<li><b>{escape(room)}</b> {escape(purpose(room))}</li>" for room in order]
    return (
        f'<div class="house"><svg viewBox="{WIDTH - reach - 4:g} 0 {reach + 8:g} {ROW * len(order)}" '
        f'preserveAspectRatio="none" role="img" aria-label="Arcs from each room to those that it imports, all of them '
        f'below it">{"".join(arcs)}</svg><ol style="--row: {ROW}px">{"".join(entries)}</ol></div>'
    )


def setup(app) -> dict:
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    class House(SphinxDirective):
        """The picture, with what each room is for."""

        def run(self) -> list[nodes.Node]:
            return [nodes.raw("", picture(), format="html")]

    app.add_directive("house", House)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    house = rooms(arrows())
    for room, floor in sorted(floors(house).items(), key=lambda pair: (-pair[1], pair[0])):
        sys.stdout.write(f"{floor:2d}  {room:14s} imports {', '.join(sorted(house[room])) or 'nothing'}\n")
