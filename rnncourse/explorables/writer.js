/* global work */ // The function that a worker runs: what text.js exports.
import { axes, circle, clamp, fmt, halo, html, line, path, rect, tag, text } from "./draw.js";
import { mount, put } from "./kit.js";
import { download } from "./download.js";
import { curve, upward } from "./curves.js";
import { worker } from "./worker.js";

const SETTINGS = ["layer", "units", "learning_rate", "chunk", "streams", "seed"];
const LOOK = 20; // updates from one look at the held-out part to the next
const [CELL, LAST] = [13, 119]; // width of a character of the piece, and how many stand before its last one
const WIDE = /[\p{sc=Han}\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{Extended_Pictographic}]/u; // two columns wide
const escaped = (s) => s.replace(/[&<]/g, (c) => ({ "&": "&amp;", "<": "&lt;" })[c]);
const seen = (s) => s.replace(/[\n\t]/g, (c) => (c === "\n" ? "↵" : "⇥"));
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ","); // a locale takes 50 ms to load

/** As much of `characters` as stands in each of `count` lines of so many columns. */
export function lines(characters, columns, count) {
  const all = [""];
  let left = columns;
  for (const c of characters) {
    const width = WIDE.test(c) ? 2 : 1;
    if (width > left) {
      if (all.length === count) break;
      all.push("");
      left = columns;
    }
    left -= width;
    all[all.length - 1] += c;
  }
  return all;
}

/** The words of a text that are worth a mark: three letters or more, or any of a script without an alphabet. */
export const words = (s) => s.match(/\p{L}{3,}|\p{Lo}+/gu) ?? [];

/** How many of the newest norms make up half of their sum or more. */
export function half(norms) {
  let sum = 0;
  const sums = [...norms].reverse().map((v) => (sum += v));
  return sum && sums.findIndex((v) => v >= sum / 2) + 1;
}

/** A sentence in lines from `y` on. */
function paragraph(s, w, y, cls) {
  const parts = s.match(new RegExp(`.{1,${Math.floor(w / 7)}}(\\s|$)`, "g")) ?? [];
  return parts.map((part, i) => text(0, y + 18 * i, part, cls, "start")).join("");
}

function view(ui, model) {
  const { state: s, t, data } = ui;
  const { clean, fault, first, spell, MOST } = work();
  let [number, known] = [0, ""];
  let box, theirs; // the box, and the text that Python has too
  let helper, sent, training, count, last, held, error, losses, looks, kept, now, read;
  let given, learned, characters, bad, spelled, vocabulary;

  /** Read a text; one that cannot be learned only says why. */
  function take(text) {
    given = text;
    characters = clean(text);
    bad = fault(characters);
    if (bad) return;
    spelled = spell(characters);
    vocabulary = new Set(words(characters.join("")));
  }
  const settings = () => Object.fromEntries(SETTINGS.map((key) => [key, s[key]]));

  // ---- the run, in a worker
  function hear(news) {
    if (news.number !== number) return; // of an earlier run
    news.E.forEach(losses.add);
    for (const [, bits] of news.held) looks.add(bits);
    kept.push(...news.lines);
    held = news.held.at(-1)?.[1] ?? held;
    if (news.E.length) last = [...last, ...news.E].slice(-LOOK);
    ({ count, error, line: now } = news);
    read = news.read || read;
    if (error) training = false;
    ui.set({});
  }
  function tell(message) {
    helper ??= worker(work, hear);
    const whole = { temperature: s.temperature, at: more.open ? s.position : 0, ...message };
    if (!sent) Object.assign(whole, { number, text: spelled, settings: settings() });
    sent = JSON.stringify([s.temperature, whole.at]);
    helper.send(whole);
  }
  function go(on) {
    training = on;
    tell({ go: on });
    ui.set({});
  }
  const away = () => training && helper.send({ go: !document.hidden });
  document.addEventListener("visibilitychange", away);
  ui.leave = () => (document.removeEventListener("visibilitychange", away), helper?.end());
  ui.busy = () => training;
  ui.reset = () => (([known, theirs] = ["", undefined]), model.set("text", data.text));

  const untrained = () => ({ count: 0, line: first(spelled, settings(), s.temperature), at: s.temperature });
  /** A new run, with the present text and settings. */
  function begin() {
    if (training) helper.send({ go: false });
    number++;
    [sent, training, count, last, held, error, losses, looks] = ["", false, 0, [], NaN, false, curve(), curve()];
    [now, read] = ["", undefined];
    if (!bad) kept = [untrained()];
  }
  ui.each(() => {
    const text = model.get("text") ?? data.text;
    if (text !== theirs) take((theirs = text));
    const key = JSON.stringify(settings());
    if (key !== known || given !== learned) begin();
    [known, learned] = [key, given];
    if (!bad && !count && kept[0].at !== s.temperature) kept = [untrained()];
    const asked = JSON.stringify([s.temperature, more.open ? s.position : 0]);
    if (!bad && asked !== sent && (sent || more.open)) tell({});
  });
  const mean = () => last.reduce((a, b) => a + b, 0) / last.length;

  // ---- what it writes: a line for each of the updates 0, 10, 20, 50, 100, …, and now
  /** A line, the words of the text bold. */
  function written(x, y, s, size) {
    const marks = seen(s).replace(/\p{L}{3,}|\p{Lo}+|./gsu, (part) =>
      vocabulary.has(part) ? tag("tspan", { style: "font-weight:bold;fill:var(--ink)" }, part) : escaped(part));
    return tag("text", { x, y, class: "quiet", style: `white-space:pre;font:${size}px ui-monospace,monospace` }, marks);
  }
  ui.panel("samples", (w) => {
    const narrow = w < 500;
    const [size, left, step, rows] = narrow ? [12, 0, 33, 7] : [13, 110, 22, 9];
    const columns = (left) => Math.floor((w - left - 4) / (0.605 * size));
    if (bad) return paragraph(told(), w, 40, "error");
    const shown = kept.length > rows ? [kept[0], ...kept.slice(1 - rows)] : kept;
    const row = ({ count, bits, line }, i) => {
      const y = 42 + step * i;
      const label = count ? t("row", { k: grouped(count), bits: fmt(bits) }) : t("row.first");
      return text(0, y - (narrow ? 4 : 0), label, "quiet", "start") + written(left, y + (narrow ? 10 : 0), lines(line, columns(left), 1)[0], size);
    };
    const top = 42 + step * rows + 4;
    const below = !now ? paragraph(t("press"), w, top + 18, "quiet")
      : text(0, top, t("now", { k: grouped(count) }), "label", "start") +
        lines(now, columns(0), 3).map((part, i) => written(0, top + 19 + 18 * i, part, size)).join("");
    return text(0, 14, t("writes"), "label", "start") + shown.map(row).join("") + line(0, top - 19, w, top - 19, "grid") + below;
  }, { height: (w) => (w < 500 ? 42 + 33 * 7 + 66 : 42 + 22 * 9 + 66), min: 600 });

  // ---- the loss by update, beside two guessers
  ui.panel("loss", (w, height) => {
    if (bad) return "";
    const { nothing, often } = spelled;
    const high = Math.max(1, 1.15 * nothing);
    const most = upward(Math.max(100, count));
    const ticks = Array.from({ length: Math.floor(high / 2) + 1 }, (_, k) => 2 * k);
    const a = axes(w, height, { x: [0, most, [0, most / 2, most], t("updates")], y: [0, high, ticks, t("bits")], right: 14 });
    const place = ([k, bits]) => [a.x(k), a.y(Math.min(bits, high))];
    const both = [["held", looks.at(), LOOK, "hidden"], ["trained", losses.at(), 1, "error"]].filter(([, at]) => at.length);
    const curves = both.map(([key, at, each, cls]) =>
      ({ cls, points: at.map(([k, bits]) => place([k * each, bits])), told: t(key, { bits: fmt(at.at(-1)[1]) }) }));
    const end = ([x, y], cls) => (cls === "hidden" ? rect(x - 4, y - 4, 8, 8, cls) : circle(x, y, 4.5, cls));
    const guess = (bits, key) => line(a.left, a.y(bits), a.right, a.y(bits), "dash") +
      text(a.right, a.y(bits) - 6, t(key, { bits: fmt(bits) }), "quiet", "end", halo);
    return a.svg + curves.map(({ cls, points }) => path(points, `${cls} thick`)).join("") +
      guess(nothing, "nothing") + (nothing - often > 0.12 * high ? guess(often, "often") : "") +
      curves.map(({ cls, points, told }, i) => end(points.at(-1), cls) + text(w - 112 * i, 14, told, cls, "end")).join("");
  }, { height: (w) => (w < 500 ? 150 : 190), min: 300 });

  // ---- controls
  const bar = ui.buttons(ui.controls, t("train"));
  const train = ui.button(bar, t("train"), () => go(!training));
  train.className = "play";
  const one = ui.button(bar, t("one"), () => (training && go(false), tell({ step: true })));
  ui.button(bar, t("again"), () => ui.set({ seed: (s.seed + 1) % 100 }), t("again.name"));
  ui.each(() => {
    train.textContent = training ? t("pause") : t("train");
    train.disabled = one.disabled = Boolean(bad || error);
  });
  ui.slider("temperature");
  ui.controls.insertAdjacentHTML("beforeend", tag("label", { style: "flex:1 1 100%" }, tag("span", {}, html(t("text"))) +
    tag("textarea", { rows: 3, spellcheck: "false", dir: "auto" }) + tag("span", { class: "note" })));
  box = ui.controls.lastChild.querySelector("textarea");
  const note = ui.controls.lastChild.querySelector(".note");
  box.onchange = () => {
    take(box.value);
    if (!bad) model.set("text", (theirs = given));
    ui.set({});
  };
  const told = () => t(`bad.${bad}`, { n: grouped(characters.length), most: grouped(MOST), c: seen(characters[0] ?? "") });
  ui.each(() => {
    if (box.shown !== given && box.value !== given) box.value = given;
    box.shown = given;
    const rare = spelled?.rare > 0 ? t("rare", { n: grouped(spelled.rare + 1) }) : "";
    put(note, html(bad ? told() : t("stays", { n: grouped(characters.length), kinds: spelled.alphabet.length }) + rare));
  });

  // ---- More: a piece of the text, character by character, and the other settings
  const more = ui.more.panels.parentNode;
  more.ontoggle = ui.redraw;
  const columns = (w) => Math.max(1, Math.floor(w / CELL));
  const place = (k, w) => [CELL * (k % columns(w)), 24 + 26 * Math.floor(k / columns(w))];
  const page = ui.panel("piece", (w) => {
    if (!more.open || !read || bad) return "";
    const { t: now, h, reach, characters, kept } = read;
    const cell = (k, style) => rect(...place(k, w), CELL, 22, "error", { style });
    const frame = "fill:none;stroke:var(--ink);stroke-width:2px";
    const most = Math.max(...reach) || 1;
    const letter = (c, k) => tag("text", { x: place(k, w)[0] + CELL / 2, y: place(k, w)[1] + 16, "text-anchor": "middle",
      class: k < now ? "" : "quiet", style: "font:14px ui-monospace,monospace" }, escaped(seen(c)));
    const top = place(LAST, w)[1] + 72;
    const column = w / h.length;
    const bar = (v, x) => [[x, top], [x, top - 24 * v], [NaN, NaN]];
    const bars = (cls, sign) => path(h.flatMap((v, i) => (v * sign > 0 ? bar(v, column * (i + 0.5)) : [])), cls, { style: `stroke-width:${Math.max(1, column - 1)}px` });
    return text(0, 14, t(kept ? "piece.held" : "piece.start"), "label", "start") +
      reach.map((v, k) => cell(k, `fill-opacity:${(0.75 * v / most).toFixed(2)}`)).join("") + characters.map(letter).join("") +
      cell(now - 1, frame) + cell(now, `${frame};stroke-dasharray:3 2`) + text(0, top - 30, t("units.at", { t: now }), "label", "start") +
      line(0, top, w, top, "grid") + bars("hidden", 1) + bars("output", -1) + paragraph(expects(), w, top + 44, "quiet");
  }, { height: (w) => place(LAST, w)[1] + 140, min: 600, parent: ui.more.panels });
  page.style.cursor = "pointer";
  function look({ type, pointerType, clientX, clientY }) {
    const { left, top, width } = page.getBoundingClientRect();
    const k = columns(width) * Math.floor((clientY - top - 24) / 26) + clamp(Math.floor((clientX - left) / CELL), 0, columns(width) - 1) + 1;
    if ((type === "click" || pointerType === "mouse") && k > 0 && k < read?.characters.length && k !== s.position) ui.set({ position: k });
  }
  for (const event of ["click", "pointermove"]) page.addEventListener(event, look);
  const quoted = (c) => `“${{ " ": "␣", "\n": "↵", "_": "＿", "^": "＾" }[c] ?? c}”`; // _ and ^ are marks
  function expects() {
    const { chances, characters, t: now } = read;
    const chance = (k) => `${quoted(spelled.alphabet[k])} ${fmt(100 * chances[k], 0)} %`;
    const best = [...chances.keys()].sort((j, k) => chances[k] - chances[j]).slice(0, 3);
    return t("expects", { best: best.map(chance).join(", "), right: chance(spelled.alphabet.indexOf(characters[now])) });
  }

  const parent = ui.more.controls;
  ui.slider("position", { parent });
  ui.choice("layer", { parent });
  ui.select("learning_rate", { parent });
  for (const key of ["units", "chunk", "streams", "seed"]) ui.slider(key, { parent });
  ui.button(ui.buttons(parent, t("save")), t("save"), () => {
    const rows = [...kept, ...(now ? [{ count, bits: mean(), line: now }] : [])];
    const table = rows.map(({ count, bits, line }) => `${count}\t${bits ? bits.toFixed(2) : ""}\t${seen(line)}\n`).join("");
    download("lines.txt", table);
  });

  ui.summary = () => {
    if (bad) return told();
    const parts = {
      layer: t(`layer.${s.layer}`), units: s.units, temperature: fmt(s.temperature, 1), k: grouped(count), bits: fmt(mean()), held: fmt(held),
      nothing: fmt(spelled.nothing), often: fmt(spelled.often), line: [...(now || kept.at(-1).line)].slice(0, 60).join("").replace(/[\s_^]+/g, " "),
    };
    const best = Math.min(...looks.at().map(([, bits]) => bits));
    const end = error ? t("diverged", { k: count + 1, rate: s.learning_rate }) : held > best + 0.2 ? t("heart") : "";
    let back = "";
    if (more.open && read) {
      const n = half(read.reach);
      const words = { t: read.t, c: quoted(read.characters[read.t - 1]), half: n > 1 ? t("newest", { n }) : t("alone") };
      back = t("back", words) + expects();
    }
    const unseen = held === held && count ? t("unseen", parts) : "";
    return t(count ? "summary" : "untrained", parts) + unseen + t("guessers", parts) + end + t("line", parts) + back;
  };
}

const explorable = { render: (context) => mount(context, (ui) => view(ui, context.model)) };
export default explorable;
