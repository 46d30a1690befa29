/* global work */ // The function that a worker runs: what work.js exports.

import { axes, circle, clamp, fmt, framed, halo, html, line, path, power, rect, tag, text } from "./draw.js";
import { mount, put } from "./kit.js";
import { download } from "./download.js";
import { worker } from "./worker.js";
import { curve, upward } from "./curves.js";

const SYMBOLS = { "first symbol": "ABCDxy", "temporal order": "ABxy", echo: "ABCD" };
const SETTINGS = ["task", "layer", "lag", "units", "rule", "learning_rate", "max_norm", "init", "forget_bias", "batch_size", "seed"];
const LEAST = -8; // the gradient is drawn down to 10^LEAST
const KEPT = 3; // earlier runs
const LEVELS = 6; // shades of a map
const STORE = "rnncourse-challenges"; // where the browser keeps those that were met
const LARGEST = 4e6; // bytes of a file
const COMING = "…".padEnd(9, "\u00a0"); // as wide as the number that is to come, so that nothing moves then
const SYNC = 3000; // ms between two reports to Python

/** Whether a run that has solved its task with what it `has`, settings and more, meets a challenge. */
export function meets({ exactly, least, most }, has) {
  const holds = (bounds, good) => Object.entries(bounds).every(([key, bound]) => good(has[key], bound));
  return holds(exactly, (a, b) => a === b) && holds(least, (a, b) => a >= b) && holds(most, (a, b) => a <= b);
}

/** Texts { x, y, s, cls } by the ends of curves, none on another and none beyond `bottom`. */
function named(labels, right, bottom) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((one, i) => (one.y = Math.max(one.y, i ? sorted[i - 1].y + 15 : 0)));
  const over = Math.max(0, (sorted.at(-1)?.y ?? 0) - bottom);
  return sorted.map(({ x, y, s, cls }) => {
    const before = x + 9 + 7 * s.length > right;
    return text(before ? x - 9 : x + 9, y - over, s, cls, before ? "end" : "start", halo);
  }).join("");
}

function view(ui, model) {
  const { state: s, t, data } = ui;
  const { file: { pack, unpack }, first, spectralRadius, stretch } = work();
  let helper, now, training, score, last, losses, norms, error, finished, begun, opened, saving, synced, quiet;
  let [number, known, earlier, won] = [0, "", [], []];
  const settings = () => Object.fromEntries(SETTINGS.map((key) => [key, s[key]]));
  const sunspots = () => s.task === "sunspots";
  const guesser = () => (sunspots() ? "same" : "guess");

  function hear(news) {
    if (news.number !== number) return; // of an earlier run
    now = news;
    quiet = number === 1 && ui.root.hasAttribute("aria-busy"); // nobody has done anything yet
    ui.root.removeAttribute("aria-busy");
    news.E.forEach(losses.add);
    for (const norm of news.norm) norms.add(Math.log10(norm));
    last = news.E.at(-1) ?? last;
    if (!Number.isNaN(news.score)) score = news.score;
    ({ error, finished } = news);
    if (news.ended) training = false;
    if (news.ended && finished === now.count) meet();
    if (news.weights) keep(news.weights);
    else if (!model.link && training && performance.now() - synced > SYNC) ask();
    ui.set({});
    quiet = false;
  }
  function go(on) {
    training = on;
    helper.send({ go: on });
    ui.set({});
  }
  /** Say below the buttons for files what became of one. */
  const tell = (text) => ((outcome.textContent = text), text && ui.say(text));
  const ask = () => ((synced = performance.now()), helper.send({ weights: true }));
  const report = (bytes) => (model.set("_file", new DataView(bytes.buffer)), model.save_changes());
  /** The weights of this run are there: for a file, and for Python. */
  function keep(weights) {
    if (!saving && model.link) return;
    const network = { layer: begun.layer, D: now.x[0].length, H: begun.units, O: now.y[0].length, loss: now.loss };
    const [{ each, points }, history] = [losses.kept(), norms.kept().points.map((v) => 10 ** v)];
    const bytes = pack(network, weights, { "history/loss": points, "metrics/gradient_norm": history }, { settings: begun, updates: now.count, each });
    if (!model.link) report(bytes);
    if (!saving) return;
    saving = false;
    const file = `${begun.task.replaceAll(" ", "-")}-${begun.layer}-${begun.units}.npz`;
    download(file, bytes);
    tell(t("saved", { file, k: now.count }));
  }
  /** Take over the network in a file, and of its settings those that there are here. */
  function open({ network: { layer, D, H, O, loss }, weights, history, run }, file) {
    if (!(H <= ui.traits.units.high)) throw { what: "hidden_size", given: H, expected: `≤ ${ui.traits.units.high}` };
    const allowed = (key, v) => ui.traits[key].options?.includes(v) ?? Number.isFinite(v);
    const given = Object.entries(run.settings ?? {}).filter(([key, v]) => SETTINGS.includes(key) && allowed(key, v));
    const own = { ...settings(), ...Object.fromEntries(given), layer, units: H };
    const task = [own.task, s.task, ...ui.traits.task.options].find((task) => {
      const seen = first({ ...own, task, lag: 2, units: 1, numbers: data.sunspots });
      return seen.loss === loss && seen.x[0].length === D && seen.y[0].length === O;
    });
    if (!task) throw { what: "input_size, output_size, loss", given: `${D}, ${O}, ${loss}`, expected: t("fitting") };
    const [{ each, updates = 0 }, points, sizes] = [run, history["history/loss"], history["metrics/gradient_norm"]];
    opened = { file, weights, count: updates };
    if (each) Object.assign(opened, { losses: { each, points }, norms: { each, points: sizes.map(Math.log10) } });
    ui.set({ ...own, task });
  }
  async function read(file) {
    try {
      if (file.size > LARGEST) throw { what: t("bytes"), given: file.size, expected: `≤ ${LARGEST}` };
      open(unpack(new Uint8Array(await file.arrayBuffer())), file.name);
    } catch ({ what, given, expected = t("finite") }) {
      tell(t(what ? "open.its" : "open.not", { file: file.name, what, given, expected }));
    }
  }
  /** Who does not see it needs no pictures. */
  const away = () => training && helper.send({ go: !document.hidden });
  document.addEventListener("visibilitychange", away);
  ui.leave = () => (document.removeEventListener("visibilitychange", away), helper?.end());
  ui.busy = () => training || quiet || ui.root.hasAttribute("aria-busy"); // the gradient is still to come
  ui.reset = () => ([known, earlier, losses] = ["", [], curve()]);

  /** A new run with the present settings; the one before is kept to compare. */
  function begin() {
    if (losses?.at().length > 1) earlier = [...earlier.slice(1 - KEPT), { at: losses.at(), was: begun }];
    number++;
    begun = settings();
    [training, saving, score, last, error, finished] = [false, false, NaN, opened?.losses?.points.at(-1) ?? NaN, "", 0];
    [losses, norms] = [curve(opened?.losses), curve(opened?.norms)];
    won = [];
    const given = { ...begun, numbers: data.sunspots };
    now = first(given, opened);
    helper ??= worker(work, hear);
    helper.send({ number, settings: given, from: opened });
    ui.root.setAttribute("aria-busy", "true"); // until it is known what gradient there is
    synced = performance.now();
    if (model.get("_file")?.byteLength) report(new Uint8Array());
    if (opened && !model.link) ask();
    tell(opened ? t("opened", { file: opened.file, k: opened.count }) : "");
    opened = undefined;
  }
  ui.each(() => {
    const key = JSON.stringify(settings());
    if (key === known && !opened) return;
    known = key;
    begin();
  });
  /** What an earlier run had that this one has not. */
  function differs(was) {
    const keys = SETTINGS.filter((key) => was[key] !== s[key] && (key !== "forget_bias" || was.layer === "lstm"));
    const told = keys.map((key) => t(`was.${key}`, { v: ui.words[`${key}.${was[key]}`] ?? fmt(was[key], was[key] % 1 ? 1 : 0) }));
    return told.slice(0, 2).join(", ") || t("was.same");
  }

  // ---- the loss by update
  ui.panel("loss", (w, height) => {
    const guess = data.guess[s.task];
    const here = losses.at();
    const runs = earlier.filter(({ was }) => was.task === s.task);
    const most = upward(Math.max(100, here.at(-1)?.[0] ?? 0, ...runs.map(({ at }) => at.at(-1)[0]).filter((k) => k <= 1000)));
    const a = axes(w, height, { x: [0, most, [0, most / 2, most], t("updates")], y: [0, 1.4 * guess, [0, +guess.toFixed(2)], t("E")], right: 14 });
    const place = ([k, E]) => [a.x(k), a.y(Math.min(E, 1.4 * guess))];
    const labels = [{ x: a.right + 9, y: a.y(guess) - 6, s: t(guesser()), cls: "quiet" }];
    const trail = ({ at, was }) => {
      const points = at.map(place).filter(([x]) => x <= a.right);
      labels.push({ x: points.at(-1)[0], y: points.at(-1)[1] + 5, s: differs(was), cls: "quiet" });
      return path(points, "edge faint");
    };
    const before = runs.map(trail).join("");
    const end = here.length && place(here.at(-1));
    if (end && (error || (finished && !sunspots()))) labels.push({ x: end[0], y: end[1] - 9, s: error ? t("over", { k: now.count + 1 }) : t("done", { k: finished }), cls: "error" });
    return a.svg + line(a.left, a.y(guess), a.right, a.y(guess), "dash") + before + path(here.map(place), "error thick") +
      (end ? circle(...end, 4.5, "error") : text((a.left + a.right) / 2, a.y(guess / 2), t("press"), "quiet")) +
      named(labels, w, a.bottom - 4);
  }, { height: (w) => (w < 335 ? 165 : 241), min: 300 });

  /** All held-out years, and what was said of each the year before. */
  function years(left, right) {
    const { truth, told } = now.years;
    const x = (i) => left + (i / (truth.length - 1)) * (right - left);
    const y = (v) => 94 - 40 * clamp(v, -0.1, 1.7);
    const middle = (left + right) / 2;
    return [0, 1].map((v) => line(left, y(v), right, y(v), "grid") + text(left - 6, y(v) + 4, 100 * v, "tick", "end")).join("") +
      truth.map((v, i) => circle(x(i), y(v), 2.5, "input")).join("") + path(told.map((v, i) => [x(i), y(v)]), "output thick") +
      text(left - 6, 111, 1921, "tick") + text(right, 111, 1955, "tick") +
      text(middle - 3, 111, t("truth"), "input", "end") + text(middle + 3, 111, t("told"), "output", "start");
  }
  // ---- one held-out sequence over its steps, the network's answer, and the gradient
  ui.panel("steps", (w, height) => {
    const { x, y, asked, answers, reach } = now;
    const [T, symbols, adding] = [x.length, SYMBOLS[s.task], s.task === "adding"];
    const [left, right, top, bottom] = [50, w - 14, sunspots() ? 142 : 119, height - 36];
    const column = (right - left) / T;
    const mid = (i) => left + column * (i + 0.5);
    const cell = (i, y, part, cls, dark) => rect(left + column * i + Math.min(0.5, column / 8), y + 18 * (1 - part), Math.max(column - 1, 0.75 * column), 18 * part, cls, { "fill-opacity": dark });
    const letter = (i, y, mark, cls = "") => (column < 9 ? "" : text(mid(i), y + 13, mark, cls, "middle", { style: "font-size:11px" }));
    const input = x.map((row, i) => {
      const k = row.indexOf(1);
      if (adding) return cell(i, 49, Math.max(0.06, row[0]), row[1] ? "input" : "", row[1] ? 1 : 0.35);
      const noise = symbols && symbols[k] > "Z";
      const mark = symbols?.[k] ?? row[0];
      const far = noise || !symbols || column >= 9 || s.task === "echo" ? "" : text(mid(i), 44, mark, "input");
      return far + cell(i, 49, 1, noise ? "" : "input", noise ? 0.15 + 0.12 * (k % 2) : symbols || row[0] ? 0.5 : 0.15) + letter(i, 49, mark);
    }).join("");
    const best = (row) => row.indexOf(Math.max(...row));
    const name = (k) => (s.task === "temporal order" ? "AB"[k >> 1] + "AB"[k % 2] : symbols?.[k] ?? k);
    const output = asked.map((i, n) => {
      if (adding) return "";
      const right = best(y[i]) === answers[n];
      return cell(i, 73, 1, right ? "output" : "", right ? 0.5 : 0.15) + letter(i, 73, s.task === "temporal order" ? "" : name(best(y[i])), right ? "" : "quiet");
    }).join("");
    const end = y[asked.at(-1)];
    const sure = 100 / end.reduce((sum, v) => sum + Math.exp(v - Math.max(...end)), 0);
    const says = adding ? t("says.number", { y: fmt(end[0]), d: fmt(answers.at(-1)) })
      : t(asked.length > 1 ? "says.last" : "says", { y: name(best(end)), p: fmt(sure, 0), d: name(answers.at(-1)) });
    const most = Math.log10(Math.max(1, ...reach.filter(Number.isFinite)));
    const high = 4 * Math.min(3, Math.ceil(most / 4));
    const Y = (n) => bottom - ((clamp(n, LEAST, high) - LEAST) / (high - LEAST)) * (bottom - top);
    const points = reach.map((v, i) => [mid(i), Y(Number.isFinite(v) ? Math.log10(v || 1e-99) : high)]);
    const ground = "fill:color-mix(in srgb,var(--error) 22%,transparent);stroke:none";
    const area = points.length ? path([[mid(0), bottom], ...points, [mid(T - 1), bottom]], "", { style: ground }) + path(points, "error thick") : "";
    const one = () => text(0, 62, t("input"), "quiet", "start") + input + text(0, 86, t("answer"), "quiet", "start") + output +
      (column * asked[0] > 175 ? text(left + column * asked[0] - 8, 86, says, "output", "end") : text(w, 40, says, "output", "end"));
    return text(0, 14, t(`ask.${s.task}`, { lag: s.lag }), "label", "start", { style: "font-weight:600" }) + (sunspots() ? years(left, right) : one()) +
      text(0, top - 9, t("reach"), "label", "start") +
      [high, (high + LEAST) / 2, LEAST].map((n) => line(left, Y(n), right, Y(n), "grid") + text(left - 6, Y(n) + 4, power(n), "tick", "end")).join("") +
      area + line(left, bottom, right, bottom, "axis") +
      [0, Math.floor((T - 1) / 2), T - 1].map((i) => text(mid(i), bottom + 17, i + 1, "tick")).join("") + text((left + right) / 2, height - 4, t("step"), "label");
  }, { height: (w) => (w < 335 ? 227 : 241), min: 300 });

  // ---- controls
  ui.select("task");
  ui.choice("layer");
  ui.slider("lag");
  const box = ui.buttons(ui.controls, t("train"));
  const train = ui.button(box, t("train"), () => go(!training));
  train.className = "play";
  ui.button(box, t("one"), () => (training && go(false), helper.send({ step: true })));
  ui.button(box, t("again"), () => ui.set({ seed: (s.seed + 1) % 100 }), t("again.name"));
  ui.each(() => (train.textContent = training ? t("pause") : t("train")));
  ui.presets(data.stories.first);

  // ---- challenges: which were met is kept in this browser, if it keeps anything
  let [met, kept] = [new Set(), true];
  function store(act) {
    try {
      act();
    } catch {
      kept = false;
    }
  }
  const recall = () => (localStorage.getItem(STORE) ?? "").split(",").forEach((key) => Object.hasOwn(data.challenges, key) && met.add(key));
  /** What the run that has just been solved meets. */
  function meet() {
    const has = { ...begun, parameters: now.size, updates: finished };
    won = Object.keys(data.challenges).filter((key) => meets(data.challenges[key], has));
    store(recall); // another copy may have met some
    won.forEach((key) => met.add(key));
    store(() => localStorage.setItem(STORE, [...met].join()));
  }
  const challenges = document.createElement("details");
  challenges.innerHTML = "<summary></summary><div><ul></ul><p></p></div>";
  ui.root.append(challenges);
  const [heading, list] = challenges.children;
  const [items, note] = list.children;
  items.style.cssText = "list-style:none;padding:0;margin:6px 0";
  for (const [key, { exactly, least }] of Object.entries(data.challenges)) {
    const item = items.appendChild(document.createElement("li"));
    item.style.cssText = "display:flex;gap:8px;align-items:center;margin:6px 0";
    const what = t(`challenge.${key}`);
    ui.button(item, t("take"), () => ui.set({ ...exactly, ...least }), t("take.name", { what }));
    const [mark, words] = [document.createElement("span"), document.createElement("span")];
    item.prepend(mark);
    item.append(words);
    ui.each(() => {
      put(mark, met.has(key) ? "✓" : "○");
      put(words, html(what) + (met.has(key) ? ` <b>${t("met")}</b>` : ""));
    });
  }
  ui.button(list, t("forget"), () => {
    met.clear();
    won = [];
    store(() => localStorage.removeItem(STORE));
    ui.set({});
  });
  ui.each(() => {
    put(heading, t("challenges", { n: met.size, all: items.children.length }));
    put(note, t(kept ? "kept" : "unkept"));
  });
  store(recall);

  // ---- More: inside the network, the norm of the gradient, and all other settings
  const more = ui.more.panels.parentNode;
  more.ontoggle = ui.redraw;
  ui.panel("inside", (w, height) => {
    if (!more.open) return "";
    const part = now.parts[s.part] ? s.part : "h";
    const [T, H, low] = [now.x.length, s.units, part === "h" || part === "c" ? -1 : 0];
    const [left, top, bottom] = [30, 22, height - 36];
    const [column, row] = [(w - 14 - left) / T, (bottom - top) / H];
    const shade = (i, k) => Math.round((LEVELS * (clamp(now.parts[part][i * H + k], low, 1) - low)) / (1 - low));
    const cells = Array.from({ length: LEVELS }, () => "");
    for (let k = 0; k < H; k++) for (let i = 0, n; i < T; i += n) {
      const level = shade(i, k);
      for (n = 1; i + n < T && shade(i + n, k) === level; n++);
      if (level) cells[level - 1] += `M${(left + column * i).toFixed(1)} ${(top + row * (k + 0.5)).toFixed(1)}h${(column * n).toFixed(1)}`;
    }
    const map = cells.map((d, i) => d && tag("path", { d, class: part === "h" ? "hidden" : "cell", style: `stroke-width:${row.toFixed(1)};opacity:${(i + 1) / LEVELS}` })).join("");
    return text(0, 14, t("inside.of", { part: t(`part.${part}`), low: low ? "−1" : "0" }), "label", "start") + map +
      text(left - 6, top + 10, 1, "tick", "end") + (H > 1 ? text(left - 6, bottom, H, "tick", "end") : "") +
      [0, T - 1].map((i) => text(left + column * (i + 0.5), bottom + 17, i + 1, "tick")).join("") + text((left + w - 14) / 2, height - 4, t("step"), "label");
  }, { height: () => 226, min: 300, parent: ui.more.panels });
  ui.panel("norm", (w, height) => {
    if (!more.open) return "";
    const at = norms.at();
    const most = upward(Math.max(100, at.at(-1)?.[0] ?? 0));
    const a = axes(w, height, { x: [0, most, [0, most / 2, most], t("updates")], y: [-4, 2, [-4, -2, 0, 2], t("norm.y")], log: true, right: 14, top: 42 });
    const limit = Math.log10(s.max_norm);
    return a.svg + text(6, 32, t(s.layer === "rnn" ? "radius" : "radius.gates", { rho: fmt(spectralRadius(now.W_hh, s.units)), sigma: fmt(stretch(now.W_hh, s.units)) }), "hidden", "start") +
      (s.max_norm ? line(a.left, a.y(limit), a.right, a.y(limit), "dash") + text(a.right, a.y(limit) - 6, t("clipped"), "quiet", "end") : "") +
      framed(a, path(at.map(([k, v]) => [a.x(k), a.y(v)]), "error thick"));
  }, { height: () => 226, min: 300, parent: ui.more.panels });
  const parent = ui.more.controls;
  ui.presets(data.stories.more, parent);
  ui.choice("part", { parent });
  ui.slider("units", { parent, label: () => t("units", { n: now.size }) });
  ui.select("learning_rate", { parent });
  ui.select("max_norm", { parent });
  ui.select("init", { parent });
  ui.choice("rule", { parent });
  for (const key of ["forget_bias", "batch_size", "seed"]) ui.slider(key, { parent });

  const files = ui.buttons(parent, t("file"));
  ui.button(files, t("save"), () => ((saving = true), ask()));
  const input = Object.assign(document.createElement("input"), { type: "file", accept: ".npz", hidden: true });
  ui.button(files, t("open"), () => input.click());
  const outcome = document.createElement("span");
  files.append(input, outcome);
  input.onchange = () => {
    const [file] = input.files;
    if (file) read(file);
    input.value = ""; // the same one can be opened again
  };

  ui.summary = () => {
    const values = { task: t(`task.${s.task}`), layer: t(`layer.${s.layer}`), lag: s.lag, k: now.count, E: fmt(last, 3), who: t(guesser()), guess: fmt(data.guess[s.task], 3) };
    const ratio = now.reach[0] / now.reach.at(-1);
    const kinds = { adding: ["mean", score, 3], sunspots: ["off", 100 * Math.sqrt(score), 1] };
    const [word, value, digits] = kinds[s.task] ?? ["right", 100 * score, 0];
    const held = score === score ? t(word, { score: fmt(value, digits), same: fmt(data.same, 1) }) : "";
    const clip = s.max_norm ? t("try.norm", { norm: s.max_norm }) : t("try.clip");
    const end = error ? t("diverged", { k: now.count + 1, what: t(`what.${error}`), rate: s.learning_rate, clip }) : finished ? t(sunspots() ? "ended" : "solved", { k: finished }) + won.map((key) => t("won", { what: t(`challenge.${key}`) })).join("") : "";
    return t(now.count ? "summary" : "untrained", values) + (error ? "" : held) + (end || ((ratio === ratio || !now.reach.length) && now.asked.length === 1 ? t("ratio", { ratio: ratio ? fmt(ratio, 3) : COMING }) : ""));
  };
}

const explorable = { render: (context) => mount(context, (ui) => view(ui, context.model)) };
export default explorable;
