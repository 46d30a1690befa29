// The network on the front page: it learns to name the first of six letters while the reader looks on.
// What trains it is `coursePlay`, from the package (book/_ext/hero.py).
(() => {
  "use strict";

  const LETTERS = "ABCDxy";
  const PACE = 90; // ms from one update to the next
  const SLICE = 10; // ms of work at once where nothing may move
  const MEAN = 10; // updates, of whose losses the line shows the mean

  const hero = document.querySelector(".course-hero");
  if (!hero) return;
  const { forward, room, run, solved } = coursePlay;
  const { chart: [most, top], ...settings } = JSON.parse(hero.dataset.settings);
  const [start, told, summary, curve] = [".start", ".told", ".summary", ".curve"].map((part) => hero.querySelector(part));
  const bars = [...hero.querySelectorAll(".answer li")];
  const steps = [...hero.querySelectorAll(".step")].map((step) => ({
    dots: [...step.querySelectorAll("i")],
    button: step.querySelector("button"),
  }));
  const word = steps.map(({ button }) => LETTERS.indexOf(button.textContent));
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let network, losses, score, timer, due, one;

  /** Fill the words that the page has for `name`. */
  const say = (name, values = {}) => hero.dataset[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const now = () => ({
    k: losses.length,
    right: Math.round(100 * score),
    words: (losses.length * settings.batch_size).toLocaleString("en"),
  });

  /** The states and the odds of each answer for the reader's word. */
  function read() {
    const { T, D, H, O } = network.sizes;
    one ??= room(settings.layer, { T, D, H, O, B: 1 });
    const x = new Float64Array(T * D);
    word.forEach((k, t) => (x[t * D + k] = 1));
    forward(network.P, one, x);
    const odds = one.y.slice(-O).map(Math.exp);
    const sum = odds.reduce((a, b) => a + b);
    return { h: steps.map((_, t) => one.h.subarray((t + 1) * H, (t + 2) * H)), odds: odds.map((v) => v / sum) };
  }

  function draw() {
    const { h, odds } = read();
    steps.forEach(({ dots }, t) => dots.forEach((dot, k) => {
      dot.style.setProperty("--h", Math.abs(h[t][k]).toFixed(3));
      dot.classList.toggle("below", h[t][k] < 0);
    }));
    bars.forEach((bar, k) => {
      bar.style.setProperty("--p", odds[k].toFixed(3));
      bar.lastChild.textContent = `${Math.round(100 * odds[k])} %`;
      bar.classList.toggle("right", k === word[0]);
    });
    const points = losses.map((_, k) => {
      const last = losses.slice(Math.max(0, k + 1 - MEAN), k + 1);
      const E = last.reduce((a, b) => a + b) / last.length;
      return `${((100 * (k + 1)) / most).toFixed(2)} ${(100 - (100 * E) / top).toFixed(2)}`;
    });
    curve.setAttribute("d", points.length ? `M${points.join("L")}` : "");
    told.textContent = say(score === score ? "update" : losses.length ? "early" : "untrained", now());
  }

  function state(name, button) {
    hero.dataset.state = name;
    start.textContent = say(button);
  }
  function begin() {
    network = run(settings);
    [losses, score] = [[], NaN];
  }
  /** One update; whether it was the last. */
  function update() {
    const made = network.update();
    losses.push(made.E);
    if (!Number.isNaN(made.score)) score = made.score;
    return solved(settings.task, made.score);
  }
  function finish() {
    state("done", "again");
    summary.textContent = say("solved", now());
    draw();
  }

  function play() {
    if (update()) return finish();
    draw();
    const now = performance.now();
    due = Math.max(due + PACE, now - 1000); // a slow page catches up, one that was away does not rush
    timer = setTimeout(play, due - now);
  }
  /** The same without motion: the end at once, when it is reached. */
  function leap() {
    const end = performance.now() + SLICE;
    while (performance.now() < end) if (update()) return finish();
    timer = setTimeout(leap);
  }

  start.addEventListener("click", () => {
    clearTimeout(timer);
    if (hero.dataset.state === "running") return state("paused", "on");
    if (hero.dataset.state === "done") begin();
    state("running", "pause");
    due = performance.now();
    summary.textContent = say("bet");
    (still.matches ? leap : play)();
  });

  steps.forEach(({ button }, t) => {
    button.addEventListener("click", () => {
      word[t] = t ? 9 - word[t] : (word[t] + 1) % 4; // x and y; A, B, C and D
      button.textContent = LETTERS[word[t]];
      button.setAttribute("aria-label", `${t + 1}: ${LETTERS[word[t]]}`);
      draw();
    });
  });

  addEventListener("beforeprint", () => {
    clearTimeout(timer);
    if (hero.dataset.state === "done") return;
    while (!update()); // paper shows it trained
    finish();
  });

  begin();
  for (const control of hero.querySelectorAll(":disabled")) control.disabled = false;
  state("waiting", "start");
  draw();
})();
