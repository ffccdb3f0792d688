// Asks the questions of a quiz, one after the other; quiz.py writes them as JSON inside each element that waits.

const STYLE = STYLE_SHEET;
const letter = (i) => String.fromCharCode(65 + i);

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
