"""The one table of results: rows say what they are of, files say what made them, and nothing else is taken for them."""

import json

import numpy as np
import pandas as pd
import pytest

from genda_lite.verify.table import COLUMNS, number, pick, pivot, read_table, row, tidy, write_table

ROWS = [
    row("CRPS of zos, ours", 0.02, method="ours", channel="zos", metric="crps", beside={"low": 0.01, "high": 0.03}),
    row("CRPS of zos, OI", 0.04, method="OI", channel="zos", metric="crps", beside={"cases": 60}),
    row("CRPS of so, ours", 0.1, method="ours", channel="so", metric="crps"),
    row("a sentence that is no result", 1.0),
]


def test_rows_become_a_table_by_their_labels():
    frame = tidy(ROWS)
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 3
    assert number(frame, method="ours", channel="zos") == 0.02
    assert number(frame, "high", method="ours", channel="zos") == 0.03
    assert np.isnan(number(frame, "low", method="OI"))
    pd.testing.assert_frame_equal(tidy(json.loads(json.dumps(ROWS))), frame)


def test_a_figure_of_no_method_brings_what_stands_beside_it_and_its_target():
    rows = [row("std / truth, zos", 0.99, 0.95, None, {"training data": 1.05}, metric="std / truth", channel="zos")]
    frame = tidy(rows)
    assert number(frame, method="training data") == 1.05 and number(frame, method="") == 0.99
    assert number(frame, "low", method="target") == 0.95 and np.isnan(number(frame, "high", method="target"))
    assert rows[0]["met"] and rows[0]["target"] == "at least 0.95"


def test_a_table_to_read_keeps_the_order():
    wide = pivot(pick(tidy(ROWS), metric="crps"), columns="channel")
    assert list(wide.index) == ["ours", "OI"] and list(wide.columns) == ["zos", "so"]
    assert np.isnan(wide.loc["OI", "so"])


def test_what_is_not_there_is_refused_in_one_sentence(refuses):
    frame = tidy(ROWS)
    with refuses("method 'theirs'", "'ours', 'OI'"):
        pick(frame, method="theirs")
    with refuses("2 results", "expected one"):
        number(frame, method="ours")
    with pytest.raises(TypeError, match="colour: no label"):
        row("x", 1.0, colour="red")


def test_a_file_says_what_made_it(tmp_path):
    path = tmp_path / "osse.csv"
    write_table(tidy(ROWS), path, command="genda evaluate osse", seed=0, note="two\nlines")
    found = read_table(path)
    assert found.attrs["command"] == "genda evaluate osse" and found.attrs["seed"] == "0"
    assert found.attrs["note"] == "two lines" and "version" in found.attrs
    pd.testing.assert_frame_equal(found, tidy(ROWS), check_dtype=False)
    assert [p.name for p in tmp_path.iterdir()] == ["osse.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# version: 1\n",
        "a,b\n1,2\n",
        ",".join(COLUMNS) + "\n",
        ",".join(COLUMNS) + "\n,,,ours,,,crps,many,,\n",
        ",".join(COLUMNS) + "\n,,,ours\n",
        ",".join(COLUMNS) + "\n,,,ours,,,crps,1,2,3,4,5\n",
    ],
)
def test_what_is_no_table_is_refused(text, tmp_path, refuses):
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with refuses("odd.csv"):
        read_table(path)


def test_a_file_from_a_spreadsheet_and_odd_labels_are_read(tmp_path):
    path = tmp_path / "odd.csv"
    write_table(tidy([row("x", 1.0, metric="crps", case="a\u2028b, \"c\"")]), path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_table(path)["case"].tolist() == ["a\u2028b, \"c\""]


def test_no_file_no_text_no_table(tmp_path, refuses):
    with refuses("nothing.csv", "CSV"):
        read_table(tmp_path / "nothing.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with refuses("bytes.csv", "CSV"):
        read_table(tmp_path / "bytes.csv")
