// The life of one explorable in a page: its controls, its panels, its words.

import { clamp, fmt, html, plain, tag } from "./draw.js";

function make(parent, name, attributes = {}, inner = "") {
  parent.insertAdjacentHTML("beforeend", tag(name, attributes, inner));
  return parent.lastElementChild;
}
// A change is drawn by touching only what differs: what stays costs neither layout nor paint.

/** Make `here` like `node`. */
function renew(here, node) {
  if (here.nodeName !== node.nodeName) return here.replaceWith(node);
  if (here.isEqualNode(node)) return;
  if (node.nodeType === Node.TEXT_NODE) return (here.data = node.data);
  for (const { name } of [...here.attributes]) if (!node.hasAttribute(name)) here.removeAttribute(name);
  for (const { name, value } of node.attributes) if (here.getAttribute(name) !== value) here.setAttribute(name, value);
  const [before, after] = [[...here.childNodes], [...node.childNodes]];
  after.forEach((child, i) => (before[i] ? renew(before[i], child) : here.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
}
/** Write `inner` into an element. */
export function put(element, inner) {
  if (element.kept !== inner) renew(element, Object.assign(element.cloneNode(), { innerHTML: inner }));
  element.kept = inner;
}
/** The level of a heading in `el`: one below the heading before it. */
function level(el) {
  const before = (h) => h.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING;
  const last = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].findLast(before);
  return last ? Math.min(6, +last.tagName[1] + 1) : 2;
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
  const id = `rnnx${(globalThis.rnnxCopies = (globalThis.rnnxCopies ?? 0) + 1)}-`;
  const root = make(el, "div", { class: "rnnx", "data-figure": name, role: "group", "aria-label": plain(words.title) });
  root.onkeydown = (event) => event.stopPropagation(); // JupyterLab would take the arrow keys for itself
  const title = make(root, "div", { class: "title", role: "heading" }, html(words.title));
  /** The pictures, and what works them right below. */
  const parts = (parent) => Object.fromEntries(["panels", "controls"].map((part) => [part, make(parent, "div", { class: part })]));
  const [state, updates, keys, widths] = [{}, [], Object.keys(traits), []];
  const t = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (mark, k) => values[k] ?? mark);
  const read = () => keys.forEach((key) => (state[key] = model.get(key)));
  const redraw = () => ((frame = cancelAnimationFrame(frame)), updates.forEach((update) => update(state)));
  let frame, written, speak, hush, timer;
  const halt = () => (timer = clearInterval(timer));
  function write() {
    written = clearTimeout(written);
    if (frame) redraw(); // no frames come while the page is out of sight
    put(summary, html(ui.summary(state)));
    summary.style.minHeight = `${summary.offsetHeight}px`; // what is below does not move up and down
  }
  /** Let a screen reader say it, once; who then reads on in the page finds it no second time. */
  function say(words) {
    if (told.textContent !== words) told.textContent = words;
    clearTimeout(hush);
    hush = setTimeout(() => (told.textContent = ""), 7000);
  }
  function schedule() {
    read();
    frame ||= requestAnimationFrame(redraw);
    written ||= setTimeout(write, 150);
    clearTimeout(speak);
    if (!timer && !ui.busy()) speak = setTimeout(() => say(summary.textContent), 1000); // nothing while it plays
  }
  /** In Jupyter, the twin for readers without a kernel is the last one before this widget. */
  function hideTwin() {
    if (model.link || !el.isConnected) return;
    const area = el.closest(".jp-OutputArea") ?? document;
    const before = (twin) => el.compareDocumentPosition(twin) & Node.DOCUMENT_POSITION_PRECEDING;
    const twins = [...area.querySelectorAll(`[data-explorable="${name}"]`)].filter(before);
    twins.at(-1)?.style.setProperty("display", "none");
  }
  /** Take its place in the page: all is measured before anything is drawn. */
  function settle() {
    hideTwin();
    title.setAttribute("aria-level", level(el));
    summary.style.minHeight = "";
    widths.forEach((measure) => measure());
    redraw();
    write();
  }
  const sizes = new ResizeObserver((entries) => {
    const differs = ({ target, contentRect }) => Math.abs(contentRect.width - (target.drawn ?? 0)) > 0.5;
    if (entries.some(differs)) requestAnimationFrame(settle);
  });
  function set(changes) {
    for (const key in changes) model.set(key, fit(traits[key], changes[key]));
    model.save_changes();
    schedule();
  }
  const setter = (key) => (value) => set({ [key]: value });
  /** A button; `name` is what a screen reader says for a label that is short or has a sign in it. */
  function button(parent, label, act, name) {
    const b = make(parent, "button", { type: "button", "aria-label": name, title: name }, html(label));
    b.onclick = () => act(b);
    return b;
  }
  const buttons = (parent, label) => make(parent, "div", { class: "buttons", role: "group", "aria-label": plain(label) });
  function checkable(parent, label, attributes, act) {
    const input = make(parent, "label", {}, tag("input", attributes) + tag("span", {}, html(label))).firstChild;
    input.onchange = () => act(input.checked);
    return input;
  }

  const first = parts(root);
  const summary = make(root, "p", { class: "summary" });
  const told = make(root, "p", { class: "told", role: "status" });
  const tools = buttons(root, words.title);
  const more = make(root, "details", { class: "more" }, tag("summary", {}, words.more));

  const ui = {
    root, state, traits, data, words, set, t, redraw, say, button, buttons,
    ...first,
    more: parts(more), // what the first look does not need
    /** Call `update(state)` at each drawing. */
    each: (update) => updates.push(update),
    /** What it shows, in words; each explorable brings its own. */
    summary: () => "",
    /** Whether it changes by itself, what else a reset does, and what ends with the figure. */
    busy() {}, reset() {}, leave() {},
    /** A slider for the number `key`, or for another one in `range`, with its `read()` and `write(value)`.
     *  `shown(value)` is the text beside it, and `spoken(text)` what is said in its place. */
    slider(key, { parent = ui.controls, range = traits[key], label = () => t(key), read = () => state[key],
      write = setter(key), shown, spoken = (text) => text } = {}) {
      const { low, high, step } = range;
      const digits = (String(step).split(".")[1] ?? "").length;
      const box = make(parent, "label", { class: "slider" }, tag("span", {}));
      const input = make(box, "input", { type: "range", name: key, min: String(low), max: String(high), step: String(step) });
      const value = make(box, "span", { class: "value", "aria-hidden": "true" }); // the slider says it itself
      input.oninput = () => write(+input.value);
      ui.each(() => {
        put(box.firstChild, html(label()));
        input.value = read();
        put(value, html(shown ? shown(read()) : fmt(read(), digits)));
        input.setAttribute("aria-valuetext", spoken(value.textContent));
      });
      return input;
    },
    /** Radio buttons for the choice `key`; the word of an option is that of "key.option". */
    choice(key, { parent = ui.controls } = {}) {
      const box = make(parent, "fieldset", {}, tag("legend", {}, html(t(key))));
      const inputs = traits[key].options.map((value) =>
        checkable(box, t(`${key}.${value}`), { type: "radio", name: id + key, value: String(value) }, () => set({ [key]: value })));
      ui.each(() => inputs.forEach((input, i) => (input.checked = traits[key].options[i] === state[key])));
    },
    /** A list to choose from for the choice `key`, for more than a few options. */
    select(key, { parent = ui.controls } = {}) {
      const { options } = traits[key];
      const list = options.map((one) => tag("option", {}, html(t(`${key}.${one}`))));
      const box = make(parent, "label", {}, html(t(key)) + " " + tag("select", { name: key }, list.join(""))).lastChild;
      box.onchange = () => setter(key)(options[box.selectedIndex]);
      ui.each(() => (box.selectedIndex = options.indexOf(state[key])));
    },
    /** A checkbox for the truth value `key`. */
    toggle(key, { parent = ui.controls } = {}) {
      const input = checkable(parent, t(key), { type: "checkbox", name: key }, setter(key));
      ui.each(() => (input.checked = state[key]));
    },
    /** Buttons that set several values at once: { name: changes }; its word is that of "preset.name". */
    presets(list, parent = ui.controls) {
      const box = buttons(parent, words.presets);
      for (const key in list) button(box, t(`preset.${key}`), () => (halt(), set(list[key])));
    },
    /** Buttons back, play, forward for the whole number `key`, or for another one in `range`, as with a slider.
     *  With reduced motion, play jumps to the end, and from there to the beginning. */
    player(key, { every = 600, parent = ui.controls, range: { low, high } = traits[key], read = () => state[key],
      write = setter(key) } = {}) {
      const box = buttons(parent, t(key));
      const stop = () => (halt(), schedule());
      const go = (by) => write(clamp(read() + by, low, high));
      button(box, words.back, () => (stop(), go(-1)), words["back.name"]);
      const play = button(box, words.play, () => {
        if (timer) return stop();
        const end = read() === high;
        if (matchMedia("(prefers-reduced-motion: reduce)").matches) return write(end ? low : high);
        if (end) write(low);
        timer = setInterval(() => (read() < high ? go(1) : stop()), every);
        schedule();
      });
      play.className = "play";
      button(box, words.forward, () => (stop(), go(1)), words["forward.name"]);
      ui.each(() => put(play, timer ? words.pause : words.play));
    },
    /** A drawing: `picture(width, height)` returns SVG; `height(width)` and `min` width are in pixels.
     *  `drag(x, y, what, begin)` follows the pointer from an element with data-drag="what";
     *  `click(what)` answers one with data-click="what". */
    panel(key, picture, { height = () => 260, min = 300, drag, click, parent = ui.panels } = {}) {
      const svg = make(parent, "svg", { role: "img", "aria-label": plain(t(key)), style: `flex-basis:${min}px` });
      // The first one carries the description: of the figure as it starts, which a reset brings back.
      if (ui.panels.firstChild === svg && words.still) svg.setAttribute("aria-describedby", `${id}still`);
      let held;
      const paint = () => {
        if (!svg.drawn) return;
        const [width, high] = [svg.drawn, height(svg.drawn)];
        const box = `0 0 ${width} ${high}`; // a printed page is narrower
        if (svg.getAttribute("viewBox") !== box) svg.setAttribute("viewBox", box), (svg.style.height = `${high}px`);
        put(svg, picture(width, high));
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
      svg.onclick = (event) => {
        // What was pressed may be drawn anew meanwhile: then the same stands under the pointer.
        const under = event.target === svg && document.elementFromPoint(event.clientX, event.clientY);
        const what = marked(under ? { target: under } : event, "click");
        if (what !== undefined) click(what);
      };
      widths.push(() => (svg.drawn = svg.getBoundingClientRect().width));
      sizes.observe(svg);
      ui.each(paint);
      return svg;
    },
  };

  read();
  view(ui);
  if (!more.querySelector("svg, input")) more.remove();
  if (words.still) make(root, "p", { id: `${id}still`, hidden: "hidden" }, html(t("described", words)));
  if (model.link) button(tools, words.link, (b) => {
    model.link(state);
    b.textContent = words.linked;
    clearTimeout(speak); // it would be spoken over
    say(words.linked);
    setTimeout(() => (b.textContent = words.link), 1500);
  }, words["link.name"]);
  button(tools, words.reset, () => (halt(), ui.reset(), set(Object.fromEntries(keys.map((key) => [key, traits[key].default]))), settle()));
  model.on("change", schedule);
  root.explorable = ui; // for whoever drives the page from outside
  settle(); // before the first frame
  return () => {
    halt();
    ui.leave();
    [written, speak, hush].forEach(clearTimeout);
    cancelAnimationFrame(frame);
    sizes.disconnect();
    model.off("change", schedule);
  };
}
