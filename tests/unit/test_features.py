"""docs/features.md and the tests' marks say the same."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?P<id>[A-Z]\d*) \|.*\| (?P<state>[^|]+) \|$", re.MULTILINE)


def _states() -> dict[str, str]:
    text = (ROOT / "docs" / "features.md").read_text()
    return {row["id"]: row["state"].strip() for row in ROW.finditer(text)}


def _marks() -> dict[str, set[str]]:
    """The test files by the feature they carry a mark of."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests" / "e2e").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "feature"
            ):
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        found.setdefault(str(argument.value), set()).add(path.name)
    return found


def test_marks_are_on_tests() -> None:
    """On a helper a mark shows nothing, and nobody is told."""
    misplaced = [
        f"{path.name}: {node.name}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("test_")
        and any("mark.feature" in ast.unparse(each) for each in node.decorator_list)
    ]
    assert misplaced == []


def test_the_table_has_every_row_once() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    ids = [row["id"] for row in ROW.finditer(text)]
    assert len(ids) == len(set(ids))
    assert len(ids) == 23 + 17 + 12 + 1 + 13


def test_every_state_is_one_of_three() -> None:
    for row, state in _states().items():
        assert re.fullmatch(r"works|partly: .+|planned(: .+)?", state), f"{row}: {state}"


def test_what_works_is_shown_by_a_test_and_what_is_planned_is_not() -> None:
    states, marks = _states(), _marks()
    assert set(marks) <= set(states), "a mark names no row"
    works = {row for row, state in states.items() if state == "works" or "partly" in state}
    planned = {row for row, state in states.items() if state.startswith("planned")}
    assert sorted(works - set(marks)) == []
    assert sorted(planned & set(marks)) == []
