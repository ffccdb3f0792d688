"""Run the chapters on a machine that has other work to do: `make try-busy`.

Every notebook runs twice, as in the build of the book: alone, then beside processes that do nothing but keep a
processor busy, one for each processor that there is. Tells both times, and fails where all chapters together take more
than three times as long. "Alone" is as quiet as the machine is: close other work before.

    python launch/busy.py [CHAPTER ...] [--beside N]    # 01_observing, …; without names: every notebook of the book
"""

import argparse
import subprocess
import sys
import time

from project import ROOT, chapters, patience, table

LIMIT = 3.0  # times as long as alone
COUNT = [sys.executable, "-I", ROOT / "genda_lite" / "processors.py"]


def seconds(notebook: str) -> float:
    """How long a notebook runs, from top to bottom; where a cell fails, this ends with what it says."""
    begin = time.monotonic()
    command = [sys.executable, "-m", "jupyter", "execute", f"--timeout={patience()}", notebook]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{notebook}:\n{done.stderr}")
    return time.monotonic() - begin


def beside(processes: int, notebook: str) -> float:
    """How long it runs beside so many processes that never rest."""
    busy = [subprocess.Popen([sys.executable, "-I", "-c", "while True: pass"]) for _ in range(processes)]
    try:
        return seconds(notebook)
    finally:
        for process in busy:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    parser.add_argument("--beside", type=int, metavar="N", help="busy processes; by default one for each processor")
    told = parser.parse_args()
    count = told.beside or int(subprocess.run(COUNT, capture_output=True, check=True, text=True).stdout)
    rows = []
    for name in chapters(told.chapters):
        rows.append((name, seconds(name), beside(count, name)))
        print("{}: {:.0f} s alone, {:.0f} s beside".format(*rows[-1]), flush=True)
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    shown = [[name, f"{alone:.0f}", f"{busy:.0f}", f"{busy / alone:.1f}"] for name, alone, busy in rows]
    print("\n" + table(["chapter", "alone (s)", f"beside {count} busy processes (s)", "times"], shown))
    _, alone, busy = rows[-1]
    if busy > LIMIT * alone:
        sys.exit(f"on a busy machine the chapters take {busy / alone:.1f} times as long, expected at most {LIMIT:g}")


if __name__ == "__main__":
    main()
