// Your way so far: marks what this browser keeps of answers and challenges; saves, brings back and wipes it.
// The lists are made by book/_ext/way.py.
(() => {
  "use strict";

  const [ANSWERS, CHALLENGES] = ["rnncourse-answers", "rnncourse-challenges"];
  const LARGEST = 1e6; // bytes of a file
  const way = document.querySelector(".course-way");
  if (!way) return;
  const [total, outcome, file] = [".total", ".outcome", "input"].map((part) => way.querySelector(part));
  const [questions, challenges] = ["question", "challenge"].map((kind) => [...way.querySelectorAll(`[data-${kind}]`)]);
  let kept = true;

  /** Fill the words that the page has for `name`. */
  const say = (name, values = {}) => way.dataset[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const isRecord = (v) => v !== null && typeof v === "object" && !Array.isArray(v);

  /** What `act` returns of the browser's memory; nothing where it refuses, or what it keeps is damaged. */
  function memory(act) {
    try {
      return act(localStorage);
    } catch (reason) {
      if (!(reason instanceof SyntaxError)) kept = false;
    }
  }
  function answers() {
    const found = memory((store) => JSON.parse(store.getItem(ANSWERS)));
    return isRecord(found) ? found : {};
  }
  const met = () => (memory((store) => store.getItem(CHALLENGES)) ?? "").split(",").filter(Boolean);

  function mark(one, sign, words) {
    one.textContent = sign;
    one.className = sign === "✓" ? "right" : "";
    one.setAttribute("aria-label", words);
  }
  function show() {
    const [given, done] = [answers(), new Set(met())];
    let right = 0;
    for (const one of questions) {
      const answer = given[one.dataset.question];
      right += answer?.right === true;
      if (answer?.right === true) mark(one, "✓", say("right"));
      else isRecord(answer) ? mark(one, "✗", say("again")) : mark(one, "○", say("open"));
    }
    let won = 0;
    for (const one of challenges) {
      const is = done.has(one.dataset.challenge);
      won += is;
      is ? mark(one, "✓", say("met")) : mark(one, "○", say("unmet"));
    }
    const values = { right, questions: questions.length, met: won, challenges: challenges.length };
    total.textContent = kept ? say("total", values) : say("refused");
  }

  way.querySelector(".save").onclick = () => {
    const text = JSON.stringify({ answers: answers(), challenges: met(), date: new Date().toISOString() }, null, 1);
    const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    Object.assign(document.createElement("a"), { href, download: "rnncourse-way.json" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    outcome.textContent = say("saved", { file: "rnncourse-way.json" });
  };

  /** Add what is in a file to what is here; where both have an answer, the file's counts. */
  async function bring(from) {
    try {
      if (from.size > LARGEST) throw new Error("too large");
      const found = JSON.parse(await from.text());
      if (!isRecord(found?.answers) || !Array.isArray(found.challenges)) throw new Error("not a way");
      const known = new Set(questions.map((one) => one.dataset.question));
      const here = Object.entries(found.answers).filter(([name, answer]) => known.has(name) && isRecord(answer));
      const won = challenges.map((one) => one.dataset.challenge).filter((name) => found.challenges.includes(name));
      memory((store) => {
        store.setItem(ANSWERS, JSON.stringify({ ...answers(), ...Object.fromEntries(here) }));
        store.setItem(CHALLENGES, [...new Set([...met(), ...won])].join());
      });
      show();
      dispatchEvent(new Event("answered"));
      outcome.textContent = say(kept ? "brought" : "refused", { answers: here.length, challenges: won.length });
    } catch {
      outcome.textContent = say("unread", { file: from.name });
    }
  }
  way.querySelector(".bring").onclick = () => file.click();
  file.onchange = () => {
    if (file.files[0]) bring(file.files[0]);
    file.value = ""; // the same one can be brought again
  };

  const wipe = way.querySelector(".wipe");
  const asked = wipe.textContent;
  wipe.onclick = () => {
    if (wipe.textContent === asked) return (wipe.textContent = say("sure"));
    wipe.textContent = asked;
    memory((store) => [ANSWERS, CHALLENGES].forEach((name) => store.removeItem(name)));
    show();
    dispatchEvent(new Event("answered"));
    outcome.textContent = say("wiped");
  };
  wipe.onblur = () => (wipe.textContent = asked);

  addEventListener("storage", show); // another tab has answered
  show();
})();
