"""The quiz: it holds its pictures, keeps its answers to itself, and can be answered with the keyboard."""

import base64
import io
import re

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from genda_lite.errors import InputError
from genda_lite.show.quiz import PNG, TRAITS, Question, giveaway, picture, quiz, traits


def field(seed: int) -> xr.DataArray:
    grid = {"latitude": 36 + np.arange(24) / 12, "longitude": -60 + np.arange(24) / 12}
    values = np.random.default_rng(seed).normal(15, 3, (24, 24))
    return xr.DataArray(values, grid, ("latitude", "longitude"), name="thetao")


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [picture(field(seed), height=80) for seed in range(4)]


@pytest.fixture
def questions(pictures) -> list[Question]:
    return [
        Question("Which is real?", pictures[:2], 1, "The secret of the first."),
        Question("And <here>?", pictures[2:], 0, "The secret of the second."),
    ]


def test_a_picture_is_a_small_png_as_wide_as_its_degrees_are():
    data = picture(field(0), contours=field(1) / 20, height=120)
    assert data.startswith(PNG) and len(data) < 30_000
    width, height = Image.open(io.BytesIO(data)).size
    assert height == 120 and width == pytest.approx(120 * np.cos(np.radians(37)), abs=2)


def test_north_is_up():
    slope = field(0) * 0 + field(0).latitude
    for one in (slope, slope.isel(latitude=slice(None, None, -1)).T):
        data = picture(one, colormap="gray", height=60)
        grey = np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)
        assert grey[0].mean() > grey[-1].mean()


def test_the_page_holds_the_pictures_and_not_the_answers(questions):
    html = quiz(questions)._repr_html_()
    for question in questions:
        for data in question.pictures:
            assert base64.b64encode(data).decode() in html
    assert "secret" not in html and '"answer"' not in html
    visible = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert re.sub("<[^>]*>", "", visible) == "This quiz has buttons, which need JavaScript."
    assert not re.search(r"(src|href)\s*=\s*[\"']?http", html)


def test_text_cannot_leave_its_script(pictures):
    html = quiz([Question("</script><b>bold", pictures[:2], 0, "")])._repr_html_()
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pictures": 1}, "expected two or more"),
        ({"pictures": "text"}, "not a PNG"),
        ({"answer": 2}, "expected 0 to 1"),
        ({"answer": -1}, "expected 0 to 1"),
        ({"answer": True}, "expected 0 to 1"),
    ],
)
def test_bad_questions_are_refused(questions, refuses, change, words):
    good = questions[0]
    if change.get("pictures") == 1:
        change = {"pictures": good.pictures[:1]}
    elif change.get("pictures") == "text":
        change = {"pictures": [good.pictures[0], b"<svg/>"]}
    with refuses("question 1", words):
        quiz([good._replace(**change)])


def test_an_empty_and_a_heavy_quiz_are_refused(pictures, refuses):
    with refuses("at least one question"):
        quiz([])
    with refuses("expected at most"):
        quiz([Question("?", [pictures[0], PNG + bytes(900_000)], 0, "")])


def test_a_picture_needs_a_map():
    with pytest.raises(InputError, match="dimensions"):
        picture(field(0).rename(latitude="y"))


# --- in a browser -----------------------------------------------------------------------------------------


@pytest.fixture
def shown(page, questions, tmp_path):
    path = tmp_path / "quiz.html"
    html = 2 * quiz(questions, "Which is real?", "map of temperature")._repr_html_()
    path.write_text(f'<!doctype html><meta charset="utf-8"><html lang="en"><body>{html}')
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelectorAll('[data-genda-quiz=ready]').length == 2")
    yield page.locator("[data-genda-quiz]").first
    assert page.faults == []


def test_it_is_answered_with_the_keyboard(shown):
    section = shown.locator("section")
    assert "secret" not in section.inner_text()
    shown.get_by_role("button", name="Picture B: map of temperature").press("Enter")
    assert "Right. It is B. The secret of the first." in shown.get_by_role("status").inner_text()
    assert "score 1 of 1" in section.inner_text()
    shown.get_by_role("button", name="Picture A").press("Enter")  # no second try
    assert "score 1 of 1" in section.inner_text()

    shown.get_by_role("button", name="Next question").press("Space")
    assert shown.evaluate("host => host.shadowRoot.activeElement.className") == "choice"
    assert "And <here>?" in section.inner_text()
    shown.get_by_role("button", name="Picture B").press("Space")
    told = shown.get_by_role("status").inner_text()
    assert "Wrong. It is A." in told and "Your score: 1 of 2." in told

    shown.get_by_role("button", name="Start again").click()
    assert "Question 1 of 2; score 0 of 0" in section.inner_text()


def test_it_fits_a_narrow_screen_and_follows_the_theme(shown):
    page = shown.page
    width, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room
    boxes = [image.bounding_box() for image in shown.locator("img").all()]
    assert all(box["width"] > 100 for box in boxes) and abs(boxes[0]["y"] - boxes[1]["y"]) < 1
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector("[data-genda-quiz][data-mode=dark]")


def test_traits_are_those_of_a_map_that_is_known():
    """A plane of temperature, 1 degC in a tenth of a degree northward, and sea level that follows it."""
    grid = {"latitude": 36 + np.arange(24) / 10, "longitude": -60 + np.arange(30) / 10}
    plane = xr.DataArray(np.arange(24.0)[:, None] * np.ones(30), grid, ("latitude", "longitude"))
    found = traits(plane, -0.1 * plane)
    assert found["front"] == pytest.approx(10 / 11.12, rel=1e-3)
    assert found["detail"] == pytest.approx(0, abs=1e-9) and found["level"] == pytest.approx(-1)
    assert found["range"] == pytest.approx(23, abs=0.2)
    speckled = plane + 0.5 * (-1.0) ** np.add.outer(np.arange(24), np.arange(30))
    assert 0.45 < traits(speckled, plane)["detail"] < 0.5
    assert traits(plane.T, plane) == pytest.approx(traits(plane, plane))


def test_the_rarest_trait_gives_a_draw_away_and_an_ordinary_one_does_not():
    dice = np.random.default_rng(0)
    real = [{name: float(v) for name, v in zip(TRAITS, dice.normal(10, 1, 4), strict=True)} for _ in range(100)]
    usual = dict.fromkeys(TRAITS, 10.0)
    assert giveaway(usual, real).startswith("Nothing")
    assert giveaway(usual | {"detail": 14.0}, real) == (
        "What gives it away: its detail below 50 km has a standard deviation of 14 °C. "
        "None of 100 maps of the model goes as far."
    )
    second = sorted(one["range"] for one in real)[1]
    said = giveaway(usual | {"range": second}, real)
    assert "coldest" in said and "Only 2 of 100 maps of the model go as far" in said
    assert giveaway(usual | {"range": sorted(one["range"] for one in real)[2]}, real).startswith("Nothing")
