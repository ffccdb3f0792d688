"""A quiz that works on a page without a kernel: pictures, a button for each, a verdict and a score.

The answers travel sealed (base64), so that neither the page nor a glance at its source gives them away. The script
draws into a shadow root, as the explorer's does, so that the page's styles and the quiz's leave each other alone.
"""

import base64
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from PIL import Image

from ..errors import InputError
from . import maps

PNG = b"\x89PNG\r\n\x1a\n"
HEAVIEST = 1_000_000  # bytes of a quiz's HTML
COLOURS = 96  # of a picture


class Question(NamedTuple):
    """A question.

    Args:
        text: what is asked.
        pictures: PNG files to choose from, two or more.
        answer: which picture is right, from 0.
        reveal: what is said once it is answered.
    """

    text: str
    pictures: Sequence[bytes]
    answer: int
    reveal: str


class Quiz:
    """A finished quiz: shows itself in a notebook and on a book page."""

    def __init__(self, payload: dict):
        self.payload = payload

    def _repr_html_(self) -> str:
        data = json.dumps(self.payload, separators=(",", ":")).replace("<", r"\u003c")
        # The class is the explorer's: the book's style sheet takes the light sheet away from under it in the dark.
        return (
            '<div data-genda-quiz="waiting" class="genda-explorer">'
            f'<script type="application/json">{data}</script>'
            "<noscript>This quiz has buttons, which need JavaScript.</noscript></div>"
            f"<script>{_SCRIPT.replace('STYLE_SHEET', json.dumps(_STYLE))}</script>"
        )


def quiz(questions: Sequence[Question], title: str = "Quiz", picture: str = "map") -> Quiz:
    """Questions one after the other, each answered by choosing a picture.

    Args:
        title: names the quiz to screen readers and stands above it.
        picture: what a picture is, in words that fit all of them and favour none ("map of surface temperature").

    Raises:
        InputError: no question, fewer than two pictures, a picture that is not a PNG, an answer that is none of them,
            or more than a megabyte altogether.
    """
    if not questions:
        raise InputError("a quiz needs at least one question")
    made = []
    for number, question in enumerate(questions, 1):
        count = len(question.pictures)
        if count < 2:
            raise InputError(f"question {number} has {count} picture(s), expected two or more")
        if not all(bytes(data[:8]) == PNG for data in question.pictures):
            raise InputError(f"question {number} has a picture that is not a PNG file, expected the bytes of one")
        if isinstance(question.answer, bool) or question.answer not in range(count):
            raise InputError(f"question {number} has the answer {question.answer!r}, expected 0 to {count - 1}")
        sealed = json.dumps({"answer": int(question.answer), "reveal": question.reveal})
        made.append(
            {
                "text": question.text,
                "pictures": [base64.b64encode(data).decode() for data in question.pictures],
                "sealed": base64.b64encode(sealed.encode()).decode(),
            }
        )
    finished = Quiz({"title": title, "picture": picture, "questions": made})
    if (size := len(finished._repr_html_())) > HEAVIEST:
        raise InputError(f"the quiz takes {size} bytes, expected at most {HEAVIEST}; take smaller pictures or fewer")
    return finished


def picture(
    field: xr.DataArray,
    contours: xr.DataArray | None = None,
    colormap: str | Colormap | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    height: int = 280,
) -> bytes:
    """A bare map as a small PNG: no axes, no land, a degree of longitude as long as it is at the map's middle.

    Args:
        field: dims (latitude, longitude). contours: sea level (m), drawn as lines every 20 cm.
        colormap: by default that of the field's name. vmin, vmax: of the colours, by default those of a map.
        height: pixels.

    Raises:
        InputError: the field has other dimensions or no value.
    """
    if set(field.dims) != {"latitude", "longitude"}:
        raise InputError(f"a picture needs dimensions (latitude, longitude), the field has {field.dims}")
    field = field.transpose("latitude", "longitude").sortby("latitude").sortby("longitude")
    style = maps.STYLES.get(field.name, maps.Style("cmo.dense"))
    low, high = maps.color_limits(field, style)
    low, high = low if vmin is None else vmin, high if vmax is None else vmax
    latitude, longitude = field.latitude.values, field.longitude.values
    aspect = np.ptp(longitude) * np.cos(np.radians(latitude.mean())) / np.ptp(latitude)
    figure = Figure(figsize=(height * aspect / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.pcolormesh(longitude, latitude, field, cmap=colormap or style.colormap, vmin=low, vmax=high, shading="nearest")
    if contours is not None:
        contours = contours.transpose("latitude", "longitude").sortby("latitude").sortby("longitude")
        levels = np.arange(np.floor(contours.min() / 0.2), np.ceil(contours.max() / 0.2) + 1) * 0.2
        ax.contour(longitude, latitude, contours.values, levels, colors="w", linewidths=0.7, linestyles="solid")
    ax.set_xlim(longitude[[0, -1]])
    ax.set_ylim(latitude[[0, -1]])
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with io.BytesIO() as file:
        image.save(file, "PNG", optimize=True)
        return file.getvalue()


_STYLE = """
:host {
  --ink: #1f2328; --paper: #ffffff; --line: #d3d9df; --quiet: #59636e; --mark: #0b63b8; --wrong: #c2410c;
  display: block; box-sizing: border-box; margin: 0.5rem 0; padding: 0.9rem; text-align: start; color-scheme: light;
  font: 0.875rem/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 0.5rem;
}
:host([data-mode="dark"]) {
  --ink: #e6e9ed; --paper: #161b22; --line: #3b444e; --quiet: #a3adb8; --mark: #6cb6ff; --wrong: #ffa057;
  color-scheme: dark;
}
*, ::before, ::after { box-sizing: border-box; }
p { margin: 0.3rem 0; }
.top { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0.2rem 1rem; }
.title { font-weight: 600; }
.score { color: var(--quiet); font-variant-numeric: tabular-nums; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: 0.8rem; }
.pictures { margin: 0.6rem 0; max-width: 30rem; }
.choice {
  display: block; width: 100%; padding: 0.3rem; font: inherit; color: inherit; background: none; cursor: pointer;
  border: 2px solid var(--line); border-radius: 0.4rem;
}
.choice:hover { border-color: var(--mark); }
.choice:focus-visible, .next:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.choice img { display: block; width: 100%; height: auto; }
.choice span { display: block; margin-top: 0.3rem; font-weight: 600; }
.choice[aria-disabled="true"] { cursor: default; }
.choice.right { border: 4px solid var(--mark); }
.choice.wrong { border: 4px dashed var(--wrong); }
.verdict { min-height: 2.8em; }
.next { font: inherit; padding: 0.3rem 0.9rem; cursor: pointer; }
[hidden] { display: none; }
"""

_SCRIPT = r"""
// Asks the questions of a quiz, one after the other; quiz.py writes them as JSON inside each element that waits.
(() => {
  "use strict";
  const STYLE = STYLE_SHEET;
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const letter = (i) => String.fromCharCode(65 + i);

  /** The page's light or dark: a Jupyter Book's, JupyterLab's, or else the reader's system's. */
  function followTheme(host) {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const update = () => {
      const lab = { true: "light", false: "dark" }[document.body.dataset.jpThemeLight];
      host.dataset.mode = document.documentElement.dataset.theme ?? lab ?? (system.matches ? "dark" : "light");
    };
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    system.addEventListener("change", update);
    update();
  }

  function ask(host) {
    const data = JSON.parse(host.querySelector("script").textContent);
    const total = data.questions.length;
    let number = 0, right = 0, answered = 0;

    const score = make("span", { class: "score" });
    const title = make("span", { class: "title" }, data.title);
    const text = make("p", { id: "text" });
    const pictures = make("div", { class: "pictures", role: "group", "aria-labelledby": "text" });
    const verdict = make("p", { class: "verdict", role: "status", "aria-live": "polite" });
    const next = make("button", { class: "next", type: "button" });

    function show(focus) {
      const question = data.questions[number];
      score.textContent = `Question ${number + 1} of ${total}; score ${right} of ${answered}`;
      text.textContent = question.text;
      verdict.textContent = "";
      next.hidden = true;
      pictures.replaceChildren(...question.pictures.map((picture, i) => {
        const alt = `Picture ${letter(i)}: ${data.picture}`;
        const image = make("img", { src: `data:image/png;base64,${picture}`, alt });
        const choice = make("button", { class: "choice", type: "button", "aria-pressed": "false" }, image,
          make("span", {}, `Choose ${letter(i)}`));
        choice.addEventListener("click", () => judge(i));
        return choice;
      }));
      if (focus) pictures.firstChild.focus();
    }

    function judge(chosen) {
      if (!next.hidden) return; // answered already
      const { answer, reveal } = JSON.parse(atob(data.questions[number].sealed));
      answered += 1;
      right += chosen === answer;
      [...pictures.children].forEach((choice, i) => {
        choice.setAttribute("aria-disabled", "true");
        choice.setAttribute("aria-pressed", `${i === chosen}`);
        if (i === answer) choice.classList.add("right");
        else if (i === chosen) choice.classList.add("wrong");
        choice.querySelector("span").textContent =
          `${letter(i)}${i === answer ? ": right" : ""}${i === chosen ? " (your choice)" : ""}`;
      });
      score.textContent = `Question ${number + 1} of ${total}; score ${right} of ${answered}`;
      const last = number + 1 === total;
      verdict.textContent = `${chosen === answer ? "Right." : "Wrong."} It is ${letter(answer)}. ${reveal}` +
        (last ? ` Your score: ${right} of ${total}.` : "");
      next.textContent = last ? "Start again" : "Next question";
      next.hidden = false;
    }

    next.addEventListener("click", () => {
      number = (number + 1) % total;
      if (number === 0) right = answered = 0;
      show(true);
    });

    followTheme(host);
    show(false);
    const all = make("section", { "aria-label": data.title }, make("p", { class: "top" }, title, score), text, pictures,
      verdict, next);
    host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), all);
    host.dataset.gendaQuiz = "ready";
  }

  for (const host of document.querySelectorAll("[data-genda-quiz=waiting]")) {
    try {
      ask(host);
    } catch (error) {
      host.dataset.gendaQuiz = "failed";
      host.append(`This quiz could not be shown (${error.message}); a current browser is needed.`);
    }
  }
})();
"""
