// What live figures share: a picture of device pixels, handles to drag upon it, a player, and what starts a figure.

const STYLE = STYLE_SHEET;

/** Whether the reader asks for still pictures: then nothing moves unless it is told to. */
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const between = (value, [low, high]) => Math.min(high, Math.max(low, value));

/** A dial for a slider: evenly spaced values, or logarithmically so. words: value -> text. */
function dialOf(title, [low, high], count, start, words, logarithmic = false) {
  const share = (i) => i / (count - 1);
  const at = logarithmic ? (i) => low * (high / low) ** share(i) : (i) => low + (high - low) * share(i);
  const settings = Array.from({ length: count }, (_, i) => at(i));
  const apart = settings.map((value) => (logarithmic ? Math.abs(Math.log(value / start)) : Math.abs(value - start)));
  return { title, settings, words: settings.map(words), start: apart.indexOf(Math.min(...apart)) };
}

/** A slider that shows what it is moved to: {row, inputs}. moved(value, step). */
function lever(id, dial, moved) {
  const made = slider(id, dial, (step) => {
    made.show(step);
    moved(dial.settings[step], step);
  }, () => {});
  made.show(dial.start);
  return made;
}

/** Work that is done before the next picture of the screen, once, however often it is asked for. */
function beforeNextFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** Two digits of a number of any size, as people write it. */
const rounded = (value) => Number(value.toPrecision(2)).toLocaleString("en", { maximumSignificantDigits: 2 });

// --- Pictures ------------------------------------------------------------------------------------------------------------

/** What draws into a picture: coordinates are those of its axes, lengths are CSS pixels, colours are names of kit.css. */
class Pen {
  constructor(context, frame, { x, y }, style) {
    Object.assign(this, { context, frame, style });
    const { left, right, top, bottom } = frame;
    this.x = (value) => left + ((value - x[0]) / (x[1] - x[0])) * (right - left);
    this.y = (value) => bottom - ((value - y[0]) / (y[1] - y[0])) * (bottom - top);
    [this.xRange, this.yRange] = [x, y];
  }

  colour(name) {
    return this.style.getPropertyValue(`--${name}`) || name;
  }

  /** Ticks and titles along the left and lower edge. x, y: titles; none for no axis. grid: lines across. */
  axes({ x, y, xCount = 5, yCount = 4, xFormat = String, yFormat = String, grid = true }) {
    const { context, frame: { left, right, bottom } } = this;
    context.lineWidth = 1;
    context.strokeStyle = this.colour("line");
    context.fillStyle = this.colour("quiet");
    if (y !== undefined) {
      for (const value of ticks(...this.yRange, yCount)) {
        this.stroke([[grid ? left : left - 4, this.y(value)], [grid ? right : left, this.y(value)]]);
        this.write(minus(yFormat(value)), left - 6, this.y(value), "right", "middle");
      }
      this.write(y, 2, 1, "left", "top");
    }
    if (x !== undefined) {
      this.stroke([[left, bottom], [right, bottom]]);
      for (const value of ticks(...this.xRange, xCount)) {
        this.stroke([[this.x(value), bottom], [this.x(value), bottom + 4]]);
        this.write(minus(xFormat(value)), this.x(value), bottom + 7, "center", "top");
      }
      this.write(x, (left + right) / 2, bottom + 22, "center", "top");
    }
  }

  /** Axes of a map, in degrees. */
  degrees(count = 5) {
    const words = (value, [positive, negative]) => `${Math.abs(value)}°${value < 0 ? negative : positive}`;
    const format = { xFormat: (v) => words(v, "EW"), yFormat: (v) => words(v, "NS") };
    this.axes({ x: "", y: "", xCount: count, yCount: count, grid: false, ...format });
  }

  stroke(points) {
    this.context.beginPath();
    points.forEach(([x, y], i) => this.context[i ? "lineTo" : "moveTo"](x, y));
    this.context.stroke();
  }

  write(words, x, y, align = "left", baseline = "alphabetic") {
    Object.assign(this.context, { textAlign: align, textBaseline: baseline });
    this.context.fillText(words, x, y);
  }

  /** Draw inside the axes only, and leave no trace in the style of what follows. */
  inside(work, { colour = "ink", opacity = 1, width = 2, dash = [] } = {}) {
    const { context, frame: { left, right, top, bottom } } = this;
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    Object.assign(context, { globalAlpha: opacity, lineWidth: width, lineJoin: "round" });
    context.strokeStyle = context.fillStyle = this.colour(colour);
    context.setLineDash(dash);
    work(context);
    context.restore();
  }

  line(xs, ys, style) {
    this.inside(() => this.stroke(Array.from(xs, (x, i) => [this.x(x), this.y(ys[i])])), style);
  }

  /** Between two curves. */
  band(xs, low, high, style) {
    this.inside((context) => {
      context.beginPath();
      xs.forEach((x, i) => context.lineTo(this.x(x), this.y(high[i])));
      for (let i = xs.length - 1; i >= 0; i--) context.lineTo(this.x(xs[i]), this.y(low[i]));
      context.fill();
    }, { opacity: 0.2, ...style });
  }

  dots(xs, ys, { radius = 3, ...style } = {}) {
    this.inside((context) => Array.from(xs).forEach((x, i) => {
      context.beginPath();
      context.arc(this.x(x), this.y(ys[i]), radius, 0, 2 * Math.PI);
      context.fill();
    }), style);
  }

  text(words, x, y, { colour = "ink", align = "left", up = 0 } = {}) {
    this.context.fillStyle = this.colour(colour);
    this.write(words, this.x(x), this.y(y) - up, align, "middle");
  }

  /** A map that fills the axes: codes (rows, columns), north first. colours: of `palette`. */
  map(codes, columns, colours, smooth = true) {
    const sheet = make("canvas", { width: columns, height: codes.length / columns });
    paint(sheet, codes, colours);
    const { context, frame: { left, right, top, bottom } } = this;
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(sheet, left, top, right - left, bottom - top);
  }
}

/** Options of a picture that is a map: a degree of longitude is as long as it is in the middle. latitude, longitude: ends. */
function mapOf(latitude, longitude) {
  const [top, right, bottom, left] = [6, 8, 22, 38], middle = ((latitude[0] + latitude[1]) / 2) * (Math.PI / 180);
  const aspect = (latitude[1] - latitude[0]) / ((longitude[1] - longitude[0]) * Math.cos(middle));
  const tall = (width) => aspect * (width - left - right) + top + bottom;
  return { x: longitude, y: latitude, margins: [top, right, bottom, left], tall };
}

/** A canvas with axes, drawn anew whenever its size, its range or the page's colours change.
 *
 *  label: what it shows, for those who do not see it. x, y: ranges, west to east and south to north; may be set later, then
 *  call `refresh`. tall: height over width, or a function of the width (px). margins: top, right, bottom, left (px).
 *  kind: a class for its looks, "square" for a map that is narrower than the page. draw(pen): draws all of it. */
class Picture {
  constructor({ label, x = [0, 1], y = [0, 1], tall = 0.5, margins = [20, 8, 38, 40], kind = "", draw }) {
    Object.assign(this, { x, y, tall, margins, paintAll: draw, handles: [] });
    this.refresh = beforeNextFrame(() => this.draw());
    this.canvas = make("canvas", { role: "img", "aria-label": label });
    this.element = make("div", { class: `picture ${kind}` }, this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** What is said of it. */
  set label(words) {
    this.canvas.setAttribute("aria-label", words);
  }

  get frame() {
    const [top, right, bottom, left] = this.margins, width = this.element.clientWidth;
    const height = Math.round(typeof this.tall === "function" ? Math.max(1, this.tall(width)) : this.tall * width);
    return { left, right: width - right, top, bottom: height - bottom, width, height };
  }

  draw() {
    const { canvas, frame } = this, scale = devicePixelRatio || 1;
    if (!frame.width) return; // not on the page yet, or hidden
    const [width, height] = [Math.round(frame.width * scale), Math.round(frame.height * scale)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.style.height = `${frame.height}px`;
    const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    context.font = `${style.fontSize} ${style.fontFamily}`;
    const pen = new Pen(context, frame, this, style);
    this.paintAll(pen);
    for (const each of this.handles) each.place(pen);
  }

  /** The coordinates of a pointer. */
  under({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect(), frame = this.frame, { x, y } = this;
    return [
      x[0] + ((clientX - left - frame.left) / (frame.right - frame.left)) * (x[1] - x[0]),
      y[0] + ((frame.bottom - clientY + top) / (frame.bottom - frame.top)) * (y[1] - y[0]),
    ];
  }

  /** Something to drag: by mouse, finger or pen, or by the arrow keys once it has the focus (with Shift in fine steps).
   *
   *  label: what it is. at(): its [x, y]. moved([x, y]): told where it is wanted; keeps it where it may be and refreshes.
   *  along: the directions in which it moves, "xy", "x" or "y". step: [x, y] of an arrow key, by default a fiftieth of the
   *  axes. words(): where it is, to be read out. kind: a class for its looks, "dot" or "grip". rested(): the hand let go. */
  handle({ label, at, moved, along = "xy", step, words, kind = "dot", rested = () => {} }) {
    const element = make("div", {
      class: `handle ${kind} ${along}`, role: "slider", tabindex: 0, "aria-label": label,
      ...(along === "y" ? { "aria-orientation": "vertical" } : {}),
    });
    this.element.append(element);
    let grip = null; // how far from its middle it was taken
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      const [from, place] = [this.under(event), at()];
      grip = place.map((value, i) => value - from[i]);
    });
    element.addEventListener("pointermove", (event) => {
      if (grip) moved(this.under(event).map((value, i) => value + grip[i]));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, () => {
        if (grip) rested();
        grip = null;
      });
    }
    element.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
      if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault(); // the page would scroll
      const sizes = step ?? [this.x, this.y].map(([low, high]) => (high - low) / 50);
      const part = event.shiftKey ? 0.2 : 1;
      // A handle that moves in one direction follows the keys of both, as sliders do.
      const ways = along === "xy" ? way : [way[0] + way[1], way[0] + way[1]];
      moved(at().map((value, i) => value + part * ways[i] * sizes[i]));
      rested();
    });
    const main = along === "x" ? 0 : 1;
    const place = (pen) => {
      const [x, y] = at(), range = main ? pen.yRange : pen.xRange;
      element.style.transform = `translate(${pen.x(x)}px, ${pen.y(y)}px)`;
      element.setAttribute("aria-valuemin", range[0]);
      element.setAttribute("aria-valuemax", range[1]);
      element.setAttribute("aria-valuenow", [x, y][main]);
      element.setAttribute("aria-valuetext", words());
    };
    const made = { element, place };
    this.handles.push(made);
    return made;
  }
}

// --- Time ----------------------------------------------------------------------------------------------------------------

/** A slider with a button that plays it: {row, inputs, show, play, stop}. The button stops at the end, or at a touch of the
 *  slider; whatever leaves the screen stops, too.
 *
 *  dial, moved: as of `slider`. seconds: from end to end. words: of the button, while it stands and while it plays. */
function player(id, dial, moved, { seconds = 6, words = ["Play", "Pause"] } = {}) {
  let [step, playing, began] = [dial.start, 0, 0];
  const last = dial.settings.length - 1;
  const made = lever(id, dial, (value, to) => {
    stop();
    go(to);
  });
  const go = (to) => {
    if (to === step) return;
    step = to;
    made.show(step);
    moved(step);
  };
  const tick = (now) => {
    if (!playing) return;
    if (began === null) began = now - (1000 * seconds * step) / last;
    go(Math.min(last, Math.floor((last * (now - began)) / (1000 * seconds))));
    if (step === last) stop();
    else playing = requestAnimationFrame(tick);
  };
  const press = button(words[0], () => (playing ? stop() : play()), { class: "play" });
  function play() {
    if (step === last) go(0);
    began = null;
    playing = requestAnimationFrame(tick);
    press.textContent = words[1];
  }
  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    press.textContent = words[0];
  }
  const seen = new IntersectionObserver((entries) => {
    if (playing && !entries.at(-1).isIntersecting) stop();
  });
  const row = make("div", { class: "player" }, press, made.row);
  seen.observe(row);
  return { ...made, row, play, stop, show: (to) => { step = to; made.show(to); } };
}

// --- Figures -------------------------------------------------------------------------------------------------------------

/** Keys of a picture: [{title, colour, dash}]; `dash` as of a pen, or "area" or "dot". A colour that the theme does not
 *  change stands on a ground of its own. */
function keys(entries) {
  const paint = (colour) => (colour.startsWith("#") ? colour : `var(--${colour})`);
  return make("ul", { class: "keys" }, ...entries.map(({ title, colour, dash = [] }) => {
    const shape = {
      area: () => draw("rect", { width: 26, height: 10, opacity: 0.3, style: `fill: ${paint(colour)}` }),
      dot: () => draw("circle", { cx: 13, cy: 5, r: 4, style: `fill: ${paint(colour)}` }),
    }[dash] ?? (() => draw("path", {
      d: "M0 5H26", "stroke-width": 2, "stroke-dasharray": dash.join(" "), style: `stroke: ${paint(colour)}`,
    }));
    return make("li", {}, draw("svg", {
      viewBox: "0 0 26 10", "aria-hidden": true, ...(colour.startsWith("#") ? { class: "map-colour" } : {}),
    }, shape()), title);
  }));
}

/** Starts a figure in every element that waits for it.
 *
 *  build(data, host): gives the elements of the figure, and the pictures to draw anew when the page changes its colours:
 *  {parts, pictures}. It may be async, for a figure that loads something; it starts when the reader comes near. */
function figures(name, build) {
  for (const host of document.querySelectorAll(`[data-genda-figure="${name}"][data-state="waiting"]`)) {
    host.dataset.state = "loading";
    startFigure(host, build).catch((error) => {
      host.dataset.state = "failed";
      host.append(make("p", {}, `This figure could not be shown (${error.message}); a current browser is needed.`));
    });
  }
}

/** Resolves when the page has nothing else to do. */
const idle = () => new Promise((resolve) => (window.requestIdleCallback ?? ((work) => setTimeout(work, 2000)))(resolve));

async function startFigure(host, build) {
  const data = JSON.parse(host.querySelector("script").textContent);
  await Promise.race([approached(host), idle()]); // one that is printed may never be approached
  const { parts, pictures = [] } = await build(data, host);
  host.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the keys for its own
  host.addEventListener("keydown", (event) => event.stopPropagation());
  const layout = make("section", { class: "figure", "aria-label": data.title },
    make("p", { class: "title" }, data.title), ...parts);
  followTheme(host);
  host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), layout);
  const redraw = () => pictures.forEach((picture) => picture.draw());
  new MutationObserver(redraw).observe(host, { attributeFilter: ["data-mode"] });
  redraw();
  host.dataset.state = "ready";
}
