"""What readers make of files that are spoilt: mutants by the thousand, drawn by number from `tests/mutants.py`.

    python benchmarks/mutants_table.py --keep runs/mutants --table data_samples/results/mutants.csv

They are judged in pieces, each kept when it is done: stopped and started again, the command goes on with the next, and
the table is of the pieces that are there. Mutants that were silently wrong, ended in a traceback or hung are printed.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from genda_lite.files import atomic_path
from genda_lite.verify.table import row, tidy, write_table

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import mutants
import small

PIECE = 100


def piece(judge: mutants.Judge, first: int) -> list[list[str]]:
    """Product, outcome and details of each of the next `PIECE` mutants."""
    found = []
    for number in range(first, first + PIECE):
        name, *how = mutants.drawn(number)
        outcome, told = judge(name, *how)
        found.append([name, outcome, "" if outcome in mutants.GOOD else f"{number} {how}: {told}"])
    return found


def labelled(counts: Counter) -> list[dict]:
    """Rows of a table: how many mutants of each product had each outcome."""
    return [
        row(f"{name}: {outcome}", counts[name, outcome], case=name, metric=outcome)
        for name in sorted(small.PRODUCTS)
        for outcome in mutants.OUTCOMES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="mutants, in all")
    parser.add_argument("--keep", type=Path, required=True, help="folder of the pieces that are done")
    parser.add_argument("--table", type=Path, help="write the outcomes to this file")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        judge = mutants.Judge(Path(folder))
        for first in range(0, args.count, PIECE):
            kept = args.keep / f"{first:06d}.json"
            if not kept.exists():
                found = json.dumps(piece(judge, first))
                with atomic_path(kept) as temporary:
                    temporary.write_text(found)
        judge.end()
    found = [one for path in sorted(args.keep.glob("[0-9]*.json")) for one in json.loads(path.read_text())]
    for *_, told in found:
        if told:
            print(told)
    rows = labelled(Counter((name, outcome) for name, outcome, _ in found))
    if args.table:
        settings = f"{len(found):,} mutants, one or two of {len(mutants.MUTATIONS)} ways, half of them damaged as well"
        about = {"command": "python benchmarks/mutants_table.py", "settings": settings, "seed": "0 on"}
        write_table(tidy(rows), args.table, **about)


if __name__ == "__main__":
    main()
