import { axes, circle, fmt, html, line, path, power, rect, tag, text } from "./draw.js";
import { mount } from "./kit.js";

const TASKS = ["first symbol", "temporal order", "parity", "adding", "echo"];
const SYMBOLS = { "first symbol": "ABCDxy", "temporal order": "ABxy", echo: "ABCD" };
const SETTINGS = ["task", "layer", "lag", "units", "rule", "learning_rate", "max_norm", "init", "forget_bias", "batch_size", "seed"];
const LEAST = -8; // the gradient is drawn down to 10^LEAST

/** Someone who works, given the source of `serve` as text: a worker, or, where none can be made, this page in slices. */
function worker(source, hear) {
  try {
    const code = `${source}const answer = serve(postMessage, 25);onmessage = ({ data }) => answer(data);`;
    const one = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    one.onmessage = ({ data }) => hear(data);
    return { send: (message) => one.postMessage(message), end: () => one.terminate() };
  } catch {
    const answer = new Function(`${source}return serve;`)()((news) => requestAnimationFrame(() => hear(news)), 8);
    return { send: answer, end: () => answer({ go: false }) };
  }
}

/** A curve of any length in at most 400 points, each the mean of as many updates. */
function curve() {
  const points = [];
  let [each, sum, count] = [1, 0, 0];
  return {
    points,
    add(value) {
      sum += value;
      if (++count < each) return;
      points.push(sum / count);
      [sum, count] = [0, 0];
      if (points.length < 400) return;
      for (let i = 0; i < 200; i++) points[i] = (points[2 * i] + points[2 * i + 1]) / 2;
      points.length = 200;
      each *= 2;
    },
    at: () => points.map((value, i) => [(i + 1) * each, value]),
  };
}

function view(ui) {
  const { state: s, t, data } = ui;
  let [known, training, now, earlier, losses, score, norm, E] = ["", false, undefined, [], curve(), NaN, NaN, NaN];

  const work = worker(data.work, (news) => {
    now = news;
    for (const update of news.updates) {
      losses.add((E = update.E));
      norm = update.norm;
      if (update.score === update.score) score = update.score;
    }
    if (news.error || (score === score && data.solved[s.task] === "low" ? score <= 0.01 : score >= 0.99)) go(false);
    ui.set({});
  });
  function go(on) {
    training = on;
    work.send({ go: on });
    ui.set({});
  }
  function begin() {
    if (losses.points.length > 1) earlier = [...earlier.slice(-2), { at: losses.at(), name: named() }];
    [training, now, losses, score, norm, E] = [false, undefined, curve(), NaN, NaN, NaN];
    work.send({ go: false });
    work.send({ settings: Object.fromEntries(SETTINGS.map((key) => [key, s[key]])) });
  }
  const named = () => known.split("|").slice(1, 3).join(", ");
  ui.each(() => {
    const key = SETTINGS.map((name) => s[name]).join("|");
    if (key === known) return;
    begin();
    known = key;
  });

  // ---- the loss by update
  ui.panel("loss", (w, height) => {
    const guess = data.guess[s.task];
    const most = Math.max(100, losses.at().at(-1)?.[0] ?? 0);
    const top = +(1.3 * guess).toPrecision(1);
    const a = axes(w, height, { x: [0, most, [0, most / 2, most].map(Math.round), t("updates")], y: [0, 1.4 * guess, [0, +guess.toFixed(2)], t("E")], right: 14 });
    const trail = (at, cls, more) => path(at.map(([k, v]) => [a.x(k), a.y(Math.min(v, 1.4 * guess))]), cls, more);
    const here = losses.at().at(-1);
    return a.svg + line(a.left, a.y(guess), a.right, a.y(guess), "dash") + text(a.right, a.y(guess) - 6, t("guess"), "quiet", "end") +
      earlier.map((one) => trail(one.at.filter(([k]) => k <= most), "edge faint")).join("") + trail(losses.at(), "error thick") +
      (here ? circle(a.x(here[0]), a.y(Math.min(here[1], 1.4 * guess)), 4.5, "error") : text((a.left + a.right) / 2, a.y(guess / 2), t("press"), "quiet"));
  }, { height: () => 170, min: 300 });

  // ---- one held-out sequence over its steps, and the gradient that reached each step in the last update
  ui.panel("steps", (w, height) => {
    if (!now) return "";
    const { example: { x, y, asked, answers }, reach } = now;
    const T = x.length;
    const [left, right] = [46, w - 14];
    const column = (right - left) / T;
    const mid = (i) => left + column * (i + 0.5);
    const symbols = SYMBOLS[s.task];
    const letters = column >= 9;
    const seen = x.map((row, i) => {
      const k = row.indexOf(1);
      const big = symbols ? k < symbols.length - (s.task === "echo" ? 0 : 2) : s.task === "adding" ? row[1] : row[0];
      const cell = rect(left + column * i + 0.5, 22, Math.max(1, column - 1), 22, big ? "input" : "", { "fill-opacity": big ? 0.55 : 0.18, rx: 2 });
      return cell + (letters ? text(mid(i), 37, symbols ? symbols[k] : s.task === "adding" ? "" : String(row[0]), "", "middle", { style: "font-size:11px" }) : "");
    }).join("");
    const last = asked.at(-1);
    const said = (i) => (symbols ? symbols[i] : String(i));
    const of = y[last];
    const best = of.indexOf(Math.max(...of));
    const sum = of.reduce((total, v) => total + Math.exp(v - of[best]), 0);
    const answer = s.task === "adding"
      ? t("says.number", { y: fmt(of[0]), d: fmt(answers.at(-1)) })
      : t("says", { y: said(best), p: fmt(100 / sum, 0), d: said(answers.at(-1)) });
    const [top, bottom] = [74, height - 36];
    const Y = (v) => bottom - ((Math.max(LEAST, Math.log10(v || 1e-99)) - LEAST) / -LEAST) * (bottom - top);
    const arrived = reach.some(Boolean);
    const points = reach.map((v, i) => [mid(i), Y(v)]);
    const area = arrived ? path([[mid(0), bottom], ...points, [mid(T - 1), bottom]], "", { style: "fill:color-mix(in srgb,var(--error) 22%,transparent);stroke:none" }) + path(points, "error thick") : "";
    return text(left - 6, 37, t("input"), "quiet", "end") + seen + text(w, 14, answer, "output", "end") +
      text(0, 66, t("reach"), "label", "start") +
      [0, -4, -8].map((n) => line(left, Y(10 ** n), right, Y(10 ** n), "grid") + text(left - 6, Y(10 ** n) + 4, power(n), "tick", "end")).join("") +
      area + line(left, bottom, right, bottom, "axis") +
      [0, Math.floor((T - 1) / 2), T - 1].map((i) => text(mid(i), bottom + 17, i + 1, "tick")).join("") + text((left + right) / 2, height - 4, t("step"), "label");
  }, { height: () => 210, min: 300 });

  // ---- controls
  function pick(key, parent) {
    parent.insertAdjacentHTML("beforeend", tag("label", { class: "pick" }, tag("span", {}, html(t(key)) + " ") +
      tag("select", { name: key }, ui.options(key).map((v) => tag("option", { value: String(v) }, html(t(`${key}.${v}`)))).join(""))));
    const select = parent.lastElementChild.querySelector("select");
    select.onchange = () => ui.set({ [key]: ui.options(key)[select.selectedIndex] });
    ui.each(() => (select.selectedIndex = ui.options(key).indexOf(s[key])));
  }
  pick("task", ui.controls);
  ui.choice("layer");
  ui.slider("lag");
  ui.controls.insertAdjacentHTML("beforeend", tag("div", { class: "buttons" }));
  const box = ui.controls.lastElementChild;
  const train = ui.button(box, t("train"), () => go(!training));
  train.className = "play";
  ui.button(box, t("one"), () => (go(false), work.send({ step: true })));
  ui.button(box, t("again"), () => (begin(), ui.set({})));
  ui.each(() => (train.textContent = training ? t("pause") : t("train")));
  const more = ui.more.controls;
  ui.slider("units", { parent: more });
  for (const key of ["learning_rate", "max_norm"]) pick(key, more);
  ui.slider("forget_bias", { parent: more });
  for (const key of ["rule", "init"]) ui.choice(key, { parent: more });
  ui.slider("seed", { parent: more });

  ui.summary = () => t("summary", {
    task: t(`task.${s.task}`), layer: t(`layer.${s.layer}`), lag: s.lag, k: now?.count ?? 0,
    E: E === E ? fmt(E, 3) : "–", guess: fmt(data.guess[s.task], 3),
    score: score === score ? (s.task === "adding" ? t("mean", { score: fmt(score, 3) }) : t("right", { score: fmt(100 * score, 0) })) : "",
    error: now?.error ? t("diverged") : "",
  });
}

const explorable = { render: (context) => mount(context, view) };
export default explorable;
