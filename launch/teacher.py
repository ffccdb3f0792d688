"""Try the book as a teacher would: `make try-teacher`.

From nothing: install the package, write the student notebooks, put one into an assignment of nbgrader with a hidden
test, as the page "Teach with this book" says, hand it out, and mark two submissions, of which one is right.
"""

import csv
import json
import tempfile
import time
from pathlib import Path

from project import Environment, copy_project, patience

CHAPTER, EXERCISE = "01_observing", "ex-observing-second"
HIDDEN = f"""\
### BEGIN HIDDEN TESTS
verdict = check("{EXERCISE}", answer)
assert verdict, verdict.told
### END HIDDEN TESTS"""
ANSWERS = {"ada": "b", "bob": "a"}  # the second is wrong


def answer_cell(notebook: dict) -> int:
    """Where in a notebook the code of the answer belongs."""
    named = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in notebook["cells"]]
    return named.index(EXERCISE)


def with_test(notebook: dict) -> dict:
    """An assignment: the answer in a variable that is agreed on, and a cell that marks it with two points."""
    mark = {"grade": True, "grade_id": f"test-{EXERCISE}", "locked": True, "points": 2, "schema_version": 3}
    mark |= {"solution": False, "task": False}
    cell = {"cell_type": "code", "execution_count": None, "id": "hidden-test", "metadata": {"nbgrader": mark}}
    notebook["cells"].insert(answer_cell(notebook) + 1, cell | {"outputs": [], "source": HIDDEN.splitlines(True)})
    return notebook


def edit(source: Path, target: Path, change) -> None:
    """Write a changed copy of a notebook."""
    notebook = change(json.loads(source.read_text(encoding="utf-8")))
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="teacher-") as folder:
        project, course = Path(folder) / "project", Path(folder) / "course"
        copy_project(project)
        environment = Environment(Path(folder) / "environment")
        begin = time.monotonic()
        environment.pip("install", "-r", "binder/requirements.txt", "nbgrader>=0.9.5,<1", "ipykernel", cwd=project)
        print(f"installed in {time.monotonic() - begin:.0f} s", flush=True)
        environment.run("-m", "genda_lite", "student", "book", course / "handout", cwd=project)
        edit(course / "handout" / f"{CHAPTER}.ipynb", course / "source" / "lab" / f"{CHAPTER}.ipynb", with_test)

        def nbgrader(*arguments: str) -> None:
            environment.run("-m", "nbgrader", *arguments, "--log-level=ERROR", cwd=course)

        nbgrader("generate_assignment", "lab", "--create")
        released = course / "release" / "lab" / f"{CHAPTER}.ipynb"
        assert "HIDDEN" not in released.read_text(encoding="utf-8"), "the students can read the hidden test"
        for student, answer in ANSWERS.items():

            def answered(notebook: dict, answer=answer) -> dict:
                notebook["cells"][answer_cell(notebook)]["source"] = [f'answer = "{answer}"']
                return notebook

            edit(released, course / "submitted" / student / "lab" / released.name, answered)
        begin = time.monotonic()
        nbgrader("autograde", "lab", "--create", f"--ExecutePreprocessor.timeout={patience()}")
        print(f"{len(ANSWERS)} submissions marked in {time.monotonic() - begin:.0f} s", flush=True)
        nbgrader("export")
        with open(course / "grades.csv", newline="") as file:
            points = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
        print("points:", points)
        assert points == {"ada": 2.0, "bob": 0.0}, "expected two points for the right answer and none for the wrong one"


if __name__ == "__main__":
    main()
