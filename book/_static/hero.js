// The network at work on the front page: one unit, unrolled over its steps.
(() => {
  "use strict";

  // h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h) and y_t = W_hy h_t + b_y for every x_t, from h_0 = 0.
  function run(x, { W_xh, W_hh, b_h, W_hy, b_y }) {
    let h = 0;
    return x.map((x_t) => {
      h = Math.tanh(W_hh * h + W_xh * x_t + b_h);
      return { h, y: W_hy * h + b_y };
    });
  }

  // What has become of the last signal in x: "silent" if there was none, "missed" if an older signal
  // holds its place, else "forgotten", "fading" or "kept".
  function verdict(x, h_T) {
    const last = x.filter((x_t) => x_t !== 0).pop();
    if (last === undefined) return "silent";
    if (Math.abs(h_T) < 0.1) return "forgotten";
    if (h_T * last < 0) return "missed";
    return Math.abs(h_T) < 0.6 ? "fading" : "kept";
  }

  globalThis.courseHero = { run, verdict };

  const hero = document.querySelector(".course-hero");
  if (!hero) return;
  const weights = JSON.parse(hero.dataset.weights);
  const [start, slider, output, summary] = [".start", "input", ".value", ".summary"].map((part) =>
    hero.querySelector(part),
  );
  const columns = [...hero.querySelectorAll(".step")].map((step) => ({
    step,
    input: step.querySelector(".x"),
    nodes: [step.querySelector(".h"), step.querySelector(".y")],
  }));
  const x = columns.map(({ input }) => Number(input.value));
  const written = (value, digits) =>
    (Math.round(value * 10 ** digits) / 10 ** digits || 0).toFixed(digits).replace("-", "−");
  let timer, speech;

  // Show the steps up to `shown`; the others wait. Return the last of all steps.
  function draw(shown) {
    const steps = run(x, { ...weights, W_hh: slider.valueAsNumber });
    columns.forEach(({ step, nodes }, k) => {
      const there = k < shown;
      const { h, y } = steps[k];
      const carried = k && slider.valueAsNumber * steps[k - 1].h;
      const texts = there ? [written(h, 2), written(y, 0)] : ["", k + 1 === steps.length ? "?" : ""];
      nodes.forEach((node, n) => {
        node.textContent = texts[n];
        node.setAttribute("aria-label", `${"hy"[n]} = ${texts[n] || "?"}`);
      });
      step.classList.toggle("now", k + 1 === shown && hero.dataset.state === "running");
      step.classList.toggle("below", there && h < 0);
      step.style.setProperty("--h", there ? Math.abs(h).toFixed(3) : 0);
      step.style.setProperty("--carried", there ? Math.min(1, Math.abs(carried)).toFixed(3) : 0);
    });
    return steps[steps.length - 1];
  }

  // The one text that is spoken: after the last step, or when the reader's hand rests.
  function tell(patience) {
    const { h, y } = draw(columns.length);
    clearTimeout(speech);
    speech = setTimeout(() => {
      summary.textContent = hero.dataset[verdict(x, h)].replace("{y}", written(y, 0));
    }, patience);
  }

  function finish() {
    hero.dataset.state = "done";
    start.textContent = start.dataset.again;
    tell(0);
  }

  function play(step) {
    draw(step);
    timer = setTimeout(() => (step < columns.length ? play(step + 1) : finish()), 650);
  }

  // A choice before the end is read when its step comes; after it, the numbers follow at once.
  function changed() {
    if (hero.dataset.state === "done") tell(400);
  }

  start.addEventListener("click", () => {
    clearTimeout(timer);
    clearTimeout(speech);
    summary.textContent = "";
    hero.dataset.state = "running";
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) finish();
    else play(1);
  });

  slider.addEventListener("input", () => {
    output.textContent = written(slider.valueAsNumber, 1);
    changed();
  });

  columns.forEach(({ input }, k) => {
    input.addEventListener("click", () => {
      x[k] = x[k] === 1 ? -1 : x[k] + 1;
      input.value = x[k];
      input.firstChild.textContent = written(x[k], 0);
      changed();
    });
  });

  addEventListener("beforeprint", () => draw(columns.length)); // paper shows it run

  for (const control of hero.querySelectorAll(":disabled")) control.disabled = false;
  slider.value = slider.defaultValue; // which a browser may have kept from the last visit
  hero.dataset.state = "waiting";
  draw(0);
})();
