// The parts that all explorables share: numbers, drawing, controls, panels, and the life of one copy.

// ---- numbers and words --------------------------------------------------------------------------

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
export const scale = (low, high, from, to) => (x) => from + ((x - low) / (high - low)) * (to - from);
export const sigmoid = (z) => 0.5 + 0.5 * Math.tanh(0.5 * z);
export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
const minus = (s) => String(s).replace("-", "−");
/** The text of 10ⁿ. */
export const power = (n) => "10" + String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

/** A number for reading: `digits` decimals; as m·10ⁿ if it is too large or too small for that. */
export function fmt(x, digits = 2) {
  const size = Math.abs(x);
  if (!(size < Infinity)) return size ? minus(x).replace("Infinity", "∞") : "–";
  if (size < 1e5 && (!x || size >= 0.5 * 10 ** -digits)) return minus(x.toFixed(digits));
  const [m, n] = x.toExponential(1).split("e");
  return `${minus(m)}·${power(+n)}`;
}

// W_{hh}, h_t, δ^h_t: what follows _ or ^, one character or more in braces, is set low or high.
const MARK = /([_^])(?:\{([^}]*)\}|(.))/gu;
const safe = (s) => String(s).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
/** `s` as HTML, with its marks. */
export const html = (s) =>
  safe(s).replace(MARK, (_, kind, long, one) => tag(kind === "_" ? "sub" : "sup", {}, long ?? one));

// ---- drawing: each function returns SVG text, in CSS pixels of its panel ------------------------

const round = (x) => Math.round(x * 10) / 10;
export function tag(name, attributes, inner = "") {
  const list = Object.entries(attributes).filter(([, v]) => v != null && v !== "");
  const written = list.map(([k, v]) => ` ${k}="${typeof v === "number" ? round(v) : safe(v)}"`);
  return `<${name}${written.join("")}>${inner}</${name}>`;
}
export const line = (x1, y1, x2, y2, cls, more) => tag("line", { x1, y1, x2, y2, class: cls, ...more });
export const rect = (x, y, width, height, cls, more) =>
  tag("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: cls, ...more });
export const circle = (cx, cy, r, cls, more) => tag("circle", { cx, cy, r, class: cls, ...more });
/** A path through the points [x, y]; one that is not finite breaks it. */
export function path(points, cls, more) {
  let pen = "M";
  const step = ([x, y]) => {
    const here = isFinite(x + y) ? `${pen}${round(x)} ${round(y)}` : "";
    pen = here ? "L" : "M";
    return here;
  };
  return tag("path", { d: points.map(step).join(""), class: cls, ...more });
}
/** Text whose middle (or `anchor`: start, end) is at x, y; with marks _ and ^. */
export function text(x, y, s, cls, anchor = "middle", more) {
  let low = 0; // by how much the baseline is too low, in em
  const shift = (by, size) => ((low += by), { dy: `${(by / size).toFixed(2)}em` });
  const pieces = safe(s).split(MARK); // plain, kind, long, one, plain, …
  let inner = "";
  for (let i = 0; i < pieces.length; i += 4) {
    const [plain, kind, long, one] = pieces.slice(i, i + 4);
    if (plain) inner += low ? tag("tspan", shift(-low, 1), plain) : plain;
    if (kind) inner += tag("tspan", { class: "sub", ...shift((kind === "_" ? 0.22 : -0.4) - low, 0.75) }, long ?? one);
  }
  return tag("text", { x, y, class: cls, "text-anchor": anchor, ...more }, inner);
}
/** An arrow that stops `gap` pixels short of both ends, bent by `bend` pixels to its left. */
export function arrow(x1, y1, x2, y2, cls = "edge", { gap = 0, bend = 0, ...more } = {}) {
  const long = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ux, uy] = [(x2 - x1) / long, (y2 - y1) / long];
  const a = [x1 + ux * gap, y1 + uy * gap];
  const b = [x2 - ux * gap, y2 - uy * gap];
  const m = [(x1 + x2) / 2 + uy * bend * 2, (y1 + y2) / 2 - ux * bend * 2];
  const angle = Math.atan2(b[1] - m[1], b[0] - m[0]);
  const wing = (turn) => [b[0] - 8 * Math.cos(angle + turn), b[1] - 8 * Math.sin(angle + turn)];
  const [A, M, B, L, R] = [a, m, b, wing(0.42), wing(-0.42)].map((p) => p.map(round).join(" "));
  return tag("path", { d: `M${A}Q${M} ${B}M${L}L${B}L${R}`, class: cls, ...more });
}
/** Axes of a plot, `x` and `y` each [low, high, ticks, label]; with `log`, y is the exponent of ten.
 *  Returns { x, y } from data to pixels, `back` { x, y } from pixels to data, { left, right, top, bottom },
 *  and the SVG. */
export function axes(w, h, { x, y, log, left = 46, right = 10, top = 24, bottom = 38 }) {
  const box = { left, right: w - right, top, bottom: h - bottom };
  const sx = scale(x[0], x[1], left, box.right);
  const sy = scale(y[0], y[1], box.bottom, top);
  const back = { x: scale(left, box.right, x[0], x[1]), y: scale(box.bottom, top, y[0], y[1]) };
  const rows = y[2].map((v) => line(left, sy(v), box.right, sy(v), "grid") + text(left - 6, sy(v) + 4, log ? power(v) : minus(v), "tick", "end"));
  const columns = x[2].map((v) => line(sx(v), box.bottom, sx(v), box.bottom + 4, "axis") + text(sx(v), box.bottom + 17, minus(v), "tick"));
  const frame = line(left, box.bottom, box.right, box.bottom, "axis");
  const labels = text((left + box.right) / 2, h - 4, x[3], "label") + text(6, 14, y[3], "label", "start");
  return { ...box, x: sx, y: sy, back, svg: rows.join("") + columns.join("") + frame + labels };
}

/** `inner`, cut off at the frame of the axes. */
export function framed({ left, right, top, bottom }, inner) {
  const [width, height] = [right - left, bottom - top];
  const viewBox = `${left} ${top} ${width} ${height}`;
  return tag("svg", { x: left, y: top, width, height, viewBox, style: "overflow:hidden" }, inner);
}

// ---- one copy of an explorable ------------------------------------------------------------------

function make(parent, name, attributes = {}, inner = "") {
  parent.insertAdjacentHTML("beforeend", tag(name, attributes, inner));
  return parent.lastElementChild;
}
/** The nearest value to `value` that `trait` allows; for a list, entry by entry. */
function fit(trait, value) {
  if (Array.isArray(value)) return value.map((v) => fit({ ...trait, kind: "number" }, v));
  if (trait.kind !== "number") return value;
  const steps = Math.round((value - trait.low) / trait.step);
  return +clamp(trait.low + steps * trait.step, trait.low, trait.high).toFixed(9);
}

/** Build an explorable in `el`, bound to `model`. `view(ui)` adds its controls and panels, once. */
export function mount({ model, el }, view) {
  const { name, traits, words, data } = model.get("_spec");
  // Each copy may come with a kit of its own, so the count is the page's.
  const id = `rnnx${(globalThis.rnnx = (globalThis.rnnx ?? 0) + 1)}-`;
  const root = make(el, "div", { class: "rnnx", role: "group", "aria-label": words.title });
  root.onkeydown = (event) => event.stopPropagation(); // JupyterLab would take the arrow keys for itself
  const head = make(root, "div", { class: "head" }, tag("strong", {}, html(words.title)));
  const [state, updates, keys] = [{}, [], Object.keys(traits)];
  const t = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (mark, k) => values[k] ?? mark);
  const read = () => keys.forEach((key) => (state[key] = model.get(key)));
  const redraw = () => ((frame = cancelAnimationFrame(frame)), updates.forEach((update) => update(state)));
  let frame, speak, timer;
  const halt = () => (timer = clearInterval(timer));
  function schedule() {
    read();
    frame ||= requestAnimationFrame(redraw);
    clearTimeout(speak);
    speak = setTimeout(() => {
      if (frame) redraw(); // no frames come while the page is out of sight
      summary.innerHTML = html(ui.summary(state));
    }, 150);
  }
  /** In Jupyter, the twin for readers without a kernel is the last one before this widget. */
  function hideTwin() {
    if (model.link || !el.isConnected) return;
    const area = el.closest(".jp-OutputArea") ?? document;
    const before = (twin) => el.compareDocumentPosition(twin) & Node.DOCUMENT_POSITION_PRECEDING;
    const twins = [...area.querySelectorAll(`[data-explorable="${name}"]`)].filter(before);
    twins.at(-1)?.style.setProperty("display", "none");
  }
  function set(changes) {
    for (const key in changes) model.set(key, fit(traits[key], changes[key]));
    model.save_changes();
    schedule();
  }
  function button(parent, label, act) {
    const b = make(parent, "button", { type: "button" }, html(label));
    b.onclick = () => act(b);
    return b;
  }
  const buttons = (parent, label) => make(parent, "div", { class: "buttons", role: "group", "aria-label": label });
  function checkable(parent, label, attributes, act) {
    const input = make(parent, "label", {}, tag("input", attributes) + tag("span", {}, html(label))).firstChild;
    input.onchange = () => act(input.checked);
    return input;
  }

  const ui = {
    root, state, data, set, t, redraw, button,
    controls: make(root, "div", { class: "controls" }),
    panels: make(root, "div", { class: "panels" }),
    /** Call `update(state)` at each drawing. */
    each: (update) => updates.push(update),
    /** The live text for `state`; each explorable brings its own. */
    summary: () => "",
    /** A slider for the number `key`; `shown(value)` is the text beside it. */
    slider(key, { label = t(key), shown, parent = ui.controls } = {}) {
      const { low, high, step } = traits[key];
      const digits = (String(step).split(".")[1] ?? "").length;
      const box = make(parent, "label", { class: "slider" }, tag("span", {}, html(label)));
      const input = make(box, "input", { type: "range", name: key, min: String(low), max: String(high), step: String(step) });
      const value = make(box, "output");
      input.oninput = () => set({ [key]: +input.value });
      ui.each(() => {
        input.value = state[key];
        value.innerHTML = html(shown ? shown(state[key]) : fmt(state[key], digits));
        input.setAttribute("aria-valuetext", value.textContent);
      });
    },
    /** Radio buttons for the choice `key`; the word of an option is that of "key.option". */
    choice(key, { parent = ui.controls } = {}) {
      const box = make(parent, "fieldset", {}, tag("legend", {}, html(t(key))));
      const inputs = traits[key].options.map((value) =>
        checkable(box, t(`${key}.${value}`), { type: "radio", name: id + key, value: String(value) }, () => set({ [key]: value })));
      ui.each(() => inputs.forEach((input, i) => (input.checked = traits[key].options[i] === state[key])));
    },
    /** A checkbox for the truth value `key`. */
    toggle(key, { parent = ui.controls } = {}) {
      const input = checkable(parent, t(key), { type: "checkbox", name: key }, (on) => set({ [key]: on }));
      ui.each(() => (input.checked = state[key]));
    },
    /** Buttons that set several values at once: { name: changes }; its word is that of "preset.name". */
    presets(list) {
      const box = buttons(ui.controls, words.presets);
      for (const key in list) button(box, t(`preset.${key}`), () => (halt(), set(list[key])));
    },
    /** Buttons back, play, forward for the whole number `key`. With reduced motion, play jumps to the end. */
    player(key, { every = 600, parent = ui.controls } = {}) {
      const { low, high } = traits[key];
      const box = buttons(parent, t(key));
      const stop = () => (halt(), schedule());
      const go = (by) => set({ [key]: state[key] + by });
      button(box, words.back, () => (stop(), go(-1)));
      const play = button(box, words.play, () => {
        if (timer) return stop();
        if (matchMedia("(prefers-reduced-motion: reduce)").matches) return set({ [key]: high });
        if (state[key] === high) set({ [key]: low });
        timer = setInterval(() => (state[key] < high ? go(1) : stop()), every);
        schedule();
      });
      button(box, words.forward, () => (stop(), go(1)));
      ui.each(() => (play.textContent = timer ? words.pause : words.play));
    },
    /** A drawing: `draw(width, height)` returns SVG; `height(width)` and `min` width are in pixels.
     *  `drag(x, y, what, begin)` follows the pointer from an element with data-drag="what";
     *  `click(what)` answers one with data-click="what". */
    panel(key, draw, { height = () => 260, min = 300, drag, click, parent = ui.panels } = {}) {
      const svg = make(parent, "svg", { role: "img", "aria-label": t(key), style: `flex-basis:${min}px` });
      let held, width;
      const paint = () => {
        if (!width) return;
        svg.style.height = `${height(width)}px`;
        svg.setAttribute("viewBox", `0 0 ${width} ${height(width)}`); // a printed page is narrower
        svg.innerHTML = draw(width, height(width));
      };
      const marked = (event, kind) => event.target.closest(`[data-${kind}]`)?.dataset[kind];
      const follow = (event, begin) => {
        const box = svg.getBoundingClientRect();
        drag(event.clientX - box.left, event.clientY - box.top, held, begin);
      };
      svg.onpointerdown = (event) => {
        if (!event.isPrimary || event.button) return;
        held = drag && marked(event, "drag");
        if (held === undefined) return;
        svg.setPointerCapture(event.pointerId);
        event.preventDefault();
        follow(event, true);
      };
      svg.onpointermove = (event) => held !== undefined && event.isPrimary && follow(event, false);
      svg.onpointerup = svg.onpointercancel = (event) => event.isPrimary && (held = undefined);
      svg.onclick = (event) => click && marked(event, "click") !== undefined && click(marked(event, "click"));
      const measure = () => (hideTwin(), (width = svg.getBoundingClientRect().width), paint());
      new ResizeObserver(() => requestAnimationFrame(measure)).observe(svg);
      ui.each(paint);
      return svg;
    },
  };

  read();
  view(ui);
  const summary = make(root, "p", { class: "summary", role: "status" });
  const tools = buttons(head, words.title);
  if (model.link) button(tools, words.link, (b) => {
    model.link(state);
    b.textContent = words.linked;
    setTimeout(() => (b.textContent = words.link), 1500);
  });
  button(tools, words.reset, () => (halt(), set(Object.fromEntries(keys.map((key) => [key, traits[key].default])))));
  model.on("change", schedule);
  root.explorable = ui; // for whoever drives the page from outside
  schedule();
  redraw(); // the controls are right before the first frame
  return () => {
    halt();
    clearTimeout(speak);
    cancelAnimationFrame(frame);
    model.off("change", schedule);
  };
}
