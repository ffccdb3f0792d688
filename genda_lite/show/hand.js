// The hand on the true ocean: a satellite's pass that is drawn or flown, gaps that are rubbed into the clouds, by mouse, finger
// or keys; and the picture of what was observed.

const ALONG = 0.056; // degrees of latitude between points of a track, 6.6 km along it
const TILT = Math.tan((20 * Math.PI) / 180); // of a track against the meridian
const RADIUS = 0.45; // degrees: of a gap in the clouds
const CLICK = 6; // px: a stroke that is shorter is a click

/** Observes by strokes over a map.
 *
 *  film: {latitude, longitude, shape} of the map, from the north-west. near(): a hand is near, and may soon draw. drawn(stroke):
 *  places {latitude, longitude} of a stroke. moved(): there is something else to draw. say(words): to a screen reader. */
class Hand {
  constructor(film, { near, drawn, moved, say }) {
    Object.assign(this, { film, near, drawn, moved, say });
    this.tool = "zos"; // what is measured: by an altimeter, or a radiometer
    this.ascending = true;
    this.aim = null; // where a pass would fly: {latitude, longitude}
    this.stroke = null; // what is being drawn
    const { latitude: [north, south], longitude: [west, east], shape: [rows, columns] } = film;
    const [y, x] = [(north - south) / (rows - 1) / 2, (east - west) / (columns - 1) / 2];
    this.edges = { west: west - x, east: east + x, south: south - y, north: north + y };
    this.overlay = make("canvas", { class: "hand", role: "application", tabindex: 0, "aria-describedby": "keys",
      "aria-label": "True ocean, to draw observations on" });
    new ResizeObserver(() => this.moved()).observe(this.overlay);
    this.follow();
  }

  get middle() {
    const { west, east, south, north } = this.edges;
    return { latitude: (south + north) / 2, longitude: (west + east) / 2 };
  }

  follow() {
    const { overlay } = this;
    let stroke = null, began = null;
    const place = ({ offsetX, offsetY }) => {
      const { west, east, south, north } = this.edges;
      const [down, across] = [offsetY / overlay.clientHeight, offsetX / overlay.clientWidth];
      return { latitude: north + (south - north) * down, longitude: west + (east - west) * across };
    };
    overlay.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.near();
      overlay.setPointerCapture(event.pointerId);
      [stroke, began] = [[place(event)], event];
    });
    overlay.addEventListener("pointermove", (event) => {
      if (!stroke) this.aim = event.pointerType === "mouse" ? place(event) : null;
      else if (stroke.length > 1 || Math.hypot(event.offsetX - began.offsetX, event.offsetY - began.offsetY) > CLICK) {
        stroke.push(place(event));
        this.stroke = stroke;
      }
      this.moved();
    });
    overlay.addEventListener("pointerup", () => {
      if (!stroke) return;
      const drawn = stroke.length > 1 ? stroke : this.clicked(stroke[0]);
      [stroke, this.stroke] = [null, null];
      this.drawn(drawn);
    });
    overlay.addEventListener("pointercancel", () => { // the page scrolls
      [stroke, this.stroke] = [null, null];
      this.moved();
    });
    overlay.addEventListener("pointerleave", () => {
      if (!stroke && !overlay.matches(":focus-visible")) this.aim = null;
      this.moved();
    });
    overlay.addEventListener("keydown", (event) => this.key(event));
    overlay.addEventListener("focus", () => {
      if (overlay.matches(":focus-visible")) this.aim ??= this.middle;
      this.moved();
    });
    overlay.addEventListener("blur", () => {
      this.aim = null;
      this.moved();
    });
  }

  key(event) {
    const { edges: { west, east, south, north } } = this;
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [-1, 0], ArrowUp: [1, 0] }[event.key];
    if (event.ctrlKey || event.altKey || event.metaKey || (!way && event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault(); // the page would scroll
    event.stopPropagation();
    const { latitude, longitude } = (this.aim ??= this.middle), step = event.shiftKey ? 1 / 12 : 1 / 3;
    if (!way) {
      this.drawn(this.clicked(this.aim));
      return;
    }
    if (this.tool === "zos" && way[0]) this.ascending = way[0] > 0;
    const shifted = (value, by, low, high) => Math.min(high, Math.max(low, value + by * step));
    this.aim = { latitude: this.tool === "zos" ? latitude : shifted(latitude, way[0], south, north), longitude: shifted(longitude, way[1], west, east) };
    this.moved();
    this.say(this.aimed());
  }

  aimed() {
    const { latitude, longitude } = this.aim;
    const where = `${latitude.toFixed(1)} degrees north, ${Math.abs(longitude).toFixed(1)} degrees west`;
    return this.tool === "zos" ? `${this.ascending ? "Northward" : "Southward"} pass through ${where}` : `Gap in the clouds at ${where}`;
  }

  /** The stroke of a click: a pass through a place, or a gap there. */
  clicked(at) {
    return this.tool === "zos" ? this.passThrough(at) : [at];
  }

  /** Both ends of a straight pass. */
  passThrough({ latitude, longitude }) {
    const { south, north } = this.edges, slope = (this.ascending ? 1 : -1) * TILT / Math.cos((latitude * Math.PI) / 180);
    const ends = [south, north].map((end) => ({ latitude: end, longitude: longitude + slope * (end - latitude) }));
    return this.ascending ? ends : ends.toReversed();
  }

  /** Points that a stroke measures, {latitude, longitude}: along it, or the cells of a grid around it.
   *
   *  known: observations, whose cells are not measured again. */
  points(stroke, grid, known) {
    const seen = [];
    if (this.tool === "zos") {
      let rest = 0; // degrees to go to the next point
      stroke.slice(1).forEach((to, i) => {
        const from = stroke[i], narrow = Math.cos((to.latitude * Math.PI) / 180);
        const length = Math.hypot(to.latitude - from.latitude, (to.longitude - from.longitude) * narrow);
        for (; rest <= length && length; rest += ALONG) {
          const [latitude, longitude] = ["latitude", "longitude"].map((name) => from[name] + (rest / length) * (to[name] - from[name]));
          seen.push({ latitude, longitude });
        }
        rest -= length;
      });
      return seen;
    }
    const cells = new Set(known.filter(({ channel }) => channel === "thetao").map(({ latitude, longitude }) => `${latitude} ${longitude}`));
    for (const latitude of grid.latitude) {
      for (const longitude of grid.longitude) {
        const close = stroke.some((at) => Math.hypot(at.latitude - latitude, (at.longitude - longitude) * 0.8) <= RADIUS);
        if (close && !cells.has(`${latitude} ${longitude}`)) seen.push({ latitude, longitude });
      }
    }
    return seen;
  }

  /** Draw observations, a satellite at one of them, and where the next pass would fly.
   *
   *  points: {channel, latitude, longitude, value}. flying: the last of them, of a pass under way. cloudy: whether clouds hide
   *  what no radiometer saw. coloured(value): of a point of sea level. alpha: of the clouds. */
  paint({ points, flying, cloudy, coloured, alpha }) {
    const { overlay, edges: { west, east, south, north } } = this, scale = devicePixelRatio || 1;
    const [width, height] = [overlay.clientWidth, overlay.clientHeight];
    if (!width) return;
    Object.assign(overlay, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = overlay.getContext("2d");
    context.scale(scale, scale);
    const x = (longitude) => ((longitude - west) / (east - west)) * width, y = (latitude) => ((north - latitude) / (north - south)) * height;
    const cells = points.filter(({ channel }) => channel === "thetao"), size = Math.max(1.6, width / 130);
    context.globalAlpha = alpha;
    if (cells.length || cloudy) this.paintClouds(context, cells, width, height);
    context.globalAlpha = 1;
    const level = points.filter(({ channel }) => channel === "zos");
    for (const at of level) disc(context, x(at.longitude), y(at.latitude), size + 1, "#000");
    for (const at of level) disc(context, x(at.longitude), y(at.latitude), size, coloured(at.value));
    if (flying) {
      disc(context, x(flying.longitude), y(flying.latitude), 7, "#000");
      disc(context, x(flying.longitude), y(flying.latitude), 5.5, "#fff");
    }
    const line = this.stroke ?? (this.aim && this.tool === "zos" ? this.passThrough(this.aim) : null);
    const trace = (colour, broad) => {
      Object.assign(context, { strokeStyle: colour, lineWidth: broad });
      context.setLineDash(this.stroke ? [] : [6, 4]);
      context.beginPath();
      if (line && this.tool === "zos") line.forEach((at) => context.lineTo(x(at.longitude), y(at.latitude)));
      else for (const at of line ?? (this.aim ? [this.aim] : [])) {
        const radius = (RADIUS / (north - south)) * height;
        context.moveTo(x(at.longitude) + radius, y(at.latitude));
        context.arc(x(at.longitude), y(at.latitude), radius, 0, 2 * Math.PI);
      }
      context.stroke();
    };
    trace("#000", 3.5);
    trace("#fff", 1.8);
  }

  /** Clouds, but for the cells that are seen. */
  paintClouds(context, cells, width, height) {
    const { latitude: [north, south], longitude: [west, east], shape: [rows, columns] } = this.film;
    const sheet = make("canvas", { width: columns, height: rows }), cover = sheet.getContext("2d");
    cover.fillStyle = getComputedStyle(this.overlay).getPropertyValue("--cloud");
    cover.fillRect(0, 0, columns, rows);
    for (const { latitude, longitude } of cells) {
      const row = Math.round(((north - latitude) / (north - south)) * (rows - 1));
      cover.clearRect(Math.round(((longitude - west) / (east - west)) * (columns - 1)), row, 1, 1);
    }
    context.drawImage(sheet, 0, 0, width, height);
  }
}

function disc(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
