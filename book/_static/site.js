// What the pages around the figures can do: colors, lists of pages, search, copying, scrolling.

const page = document.documentElement;
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- light, dark, or as the system has it ---------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const wanted = (mode) => (mode !== "auto" ? mode : dark.matches ? "dark" : "light");

function setMode(mode) {
  page.dataset.mode = mode;
  page.dataset.theme = wanted(mode);
  try {
    localStorage.setItem("mode", mode);
  } catch {} // a browser that keeps nothing
}
dark.addEventListener("change", () => (page.dataset.theme = wanted(page.dataset.mode)));
for (const button of all(".theme-switch-button")) {
  // After "as the system has it" comes what differs from that.
  button.onclick = () => {
    const order = dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
    setMode(order[(order.indexOf(page.dataset.mode) + 1) % 3]);
  };
}

// ---- search, and the lists of pages and sections ---------------------------------------------------

/** A dialog closes by a click beside it; by Escape it does so anyway. */
function closeByClickBeside(dialog) {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}

const search = document.getElementById("pst-search-dialog");
function openSearch() {
  search.showModal();
  search.querySelector("input").select();
  loadSearch();
}
closeByClickBeside(search);
for (const button of all(".search-button__button")) button.onclick = openSearch;
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  event.preventDefault();
  search.open ? search.close() : openSearch();
});

// What it finds is loaded when its dialog opens, when a field gets the focus, or when the address asks for it.
let finder;
function loadSearch() {
  if (finder) return;
  finder = document.createElement("script");
  finder.src = `${page.dataset.content_root}_static/search.js`;
  document.head.append(finder);
}
addEventListener("focusin", (event) => event.target.closest(".bd-search") && loadSearch());
if (/[?&](q|find)=/.test(location.search) || document.activeElement?.closest(".bd-search")) loadSearch();

// On a narrow window a list stands in a dialog while it is open.
const wide = matchMedia("(min-width: 992px)");
for (const side of ["primary", "secondary"]) {
  const button = document.querySelector(`.${side}-toggle`);
  const list = document.getElementById(`pst-${side}-sidebar`);
  const dialog = document.getElementById(`pst-${side}-sidebar-modal`);
  if (!button || !dialog) continue;
  const move = (from, to) => {
    to.append(...from.childNodes);
    to.className = from.className;
    from.className = "";
  };
  button.onclick = () => {
    if (side === "primary" && wide.matches) return list.classList.toggle("pst-sidebar-hidden");
    move(list, dialog);
    dialog.showModal();
  };
  dialog.addEventListener("close", () => move(dialog, list));
  dialog.addEventListener("click", (event) => event.target.closest("a") && dialog.close());
  closeByClickBeside(dialog);
}

// The section that is being read is marked in the list of this page.
const entries = new Map();
for (const link of all("#pst-page-toc-nav a")) {
  const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (section) entries.set(section.querySelector("h1, h2, h3, h4") ?? section, link);
}
function mark(current) {
  for (const link of entries.values()) {
    link.classList.toggle("active", link === current);
    link === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }
  for (const entry of all("#pst-page-toc-nav .toc-entry")) entry.classList.toggle("active", entry.contains(current));
}
const reading = new IntersectionObserver(
  (seen) => {
    const last = seen.filter((one) => one.isIntersecting).pop();
    if (last) mark(entries.get(last.target));
  },
  { rootMargin: "0px 0px -70% 0px" },
);
for (const heading of entries.keys()) reading.observe(heading);

// ---- what was answered: kept in this browser by the questions (rnncourse/exercises/question.js) --------

function answers() {
  try {
    return JSON.parse(localStorage.getItem("rnncourse-answers")) ?? {};
  } catch {
    return {};
  }
}
const here = all("article div[data-question]").map((one) => one.dataset.question);
const time = document.querySelector(".course-time");
const minutes = time?.textContent;
/** Say below the title how many questions are answered right, and mark the pages with nothing left to answer. */
function markAnswers() {
  const given = answers();
  const right = (name) => given[name]?.right === true;
  const n = here.filter(right).length;
  if (time && here.length) time.textContent = `${minutes} · ${n ? `${n} of ` : ""}${here.length} ${here.length > 1 ? "questions" : "question"}${n ? " answered" : ""}`;
  for (const link of all("[data-questions]")) {
    const done = link.dataset.questions.split(" ").every(right);
    link.classList.toggle("answered", done);
    done ? link.setAttribute("aria-description", "all questions answered") : link.removeAttribute("aria-description");
  }
}
addEventListener("answered", markAnswers);
addEventListener("storage", markAnswers); // another tab has answered
markAnswers();

// ---- code that can be copied -----------------------------------------------------------------------

/** Say it to those who listen. */
const voice = document.createElement("div");
voice.setAttribute("role", "status");
voice.className = "visually-hidden";
document.body.append(voice);

if (navigator.clipboard) {
  for (const code of all("article :not(.cell_output) > [class*='highlight-'] pre, .cell_input pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copybtn";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this code");
    button.onclick = async () => {
      await navigator.clipboard.writeText(code.textContent);
      voice.textContent = button.textContent = "Copied";
      setTimeout(() => (voice.textContent = "") || (button.textContent = "Copy"), 1500);
    };
    code.after(button);
  }
}

// ---- what is too wide scrolls in its own box, and can be reached by keyboard ------------------------

const SCROLLS = {
  "div.math > .formula": "Formula",
  "span.math": "Formula",
  "div.highlight > pre": "Code",
  ".cell_output .output": "Output",
  ".pst-scrollable-table-container": "Table",
};
function reachScrolling() {
  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
  const open = (box) => !box.closest("details:not([open])"); // what is folded waits for its toggle
  const boxes = Object.entries(SCROLLS).flatMap(([selector, name]) =>
    all(`article ${selector}`).filter(open).map((box) => [box, name, scrolls(box)])); // before anything changes
  for (const [box, name, scrolling] of boxes) {
    if (scrolling === box.hasAttribute("tabindex")) continue;
    if (!scrolling) for (const key of ["tabindex", "role", "aria-label"]) box.removeAttribute(key);
    else {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${name} that scrolls sideways`);
    }
  }
}
// Safari has no idle callback, and a browser that thinks it is never idle makes none: not for ever.
const whenIdle = (act) => (globalThis.requestIdleCallback ? requestIdleCallback(act, { timeout: 1000 }) : setTimeout(act));
let waiting;
const later = () => (clearTimeout(waiting), (waiting = setTimeout(() => whenIdle(reachScrolling), 200)));
addEventListener("load", later);
addEventListener("resize", later);
addEventListener("toggle", later, true); // what was folded has a width now

// ---- paper: whole and light ------------------------------------------------------------------------

let folded = [];
addEventListener("beforeprint", () => {
  folded = all("article details:not([open])");
  for (const one of folded) one.open = true;
  page.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
  page.dataset.theme = wanted(page.dataset.mode);
});
