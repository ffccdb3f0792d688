// Controls that the programs of this folder share: each a row, its inputs, and a function that shows a step of it.

/** Buttons of which one is pressed; the arrow keys move along them. */
function choice(name, title, options, moved, rested) {
  const inputs = options.map((_, i) => make("input", { type: "radio", name, id: `${name}-${i}`, value: i }));
  inputs.forEach((input, i) => input.addEventListener("change", () => {
    moved(i);
    rested();
  }));
  const buttons = inputs.map((input, i) => make("span", {}, input, make("label", { for: input.id }, options[i])));
  const row = make("fieldset", { class: "control choice" }, make("legend", {}, title),
    make("div", { class: "buttons" }, ...buttons));
  return { row, inputs, show: (step) => { inputs[step].checked = true; } };
}

function slider(id, dial, moved, rested) {
  const input = make("input", { type: "range", id, min: 0, max: dial.settings.length - 1, step: 1, value: dial.start });
  const output = make("output", { for: id, "aria-live": "off" }); // the control says it itself
  input.addEventListener("input", () => moved(input.valueAsNumber));
  input.addEventListener("change", rested);
  const show = (step) => {
    input.valueAsNumber = step;
    output.textContent = dial.words[step];
    input.setAttribute("aria-valuetext", dial.words[step]);
  };
  return { row: make("div", { class: "control" }, make("label", { for: id }, dial.title), output, input), inputs: [input], show };
}

function toggle(id, dial, moved, rested) {
  const input = make("input", { type: "checkbox", role: "switch", id });
  const output = make("output", { for: id, "aria-live": "off" });
  input.addEventListener("change", () => {
    moved(Number(input.checked));
    rested();
  });
  const show = (step) => {
    input.checked = step === 1;
    output.textContent = dial.words[step];
  };
  return { row: make("div", { class: "control toggle" }, make("label", { for: id }, dial.title), output, input), inputs: [input], show };
}

function dialControl(dial, i, moved, rested) {
  const id = `dial-${i}`;
  if (dial.kind === "choice") return choice(id, dial.title, dial.words, moved, rested);
  return (dial.kind === "switch" ? toggle : slider)(id, dial, moved, rested);
}

/** Buttons of a figure; each calls its function. */
function button(words, act, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", act);
  return made;
}

const SILENCE = 500; // ms that a hand must rest before what it did is read out

/** A line that is read out to those who do not see, once the hand rests: `say` takes the words. */
function speaker() {
  const line = make("p", { class: "spoken", role: "status" });
  let timer = 0;
  const say = (words) => {
    clearTimeout(timer);
    timer = setTimeout(() => { line.textContent = words; }, SILENCE);
  };
  return { line, say };
}
