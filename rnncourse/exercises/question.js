// A question that is answered in the page, with a reply to each answer. What was answered stays in this browser.

const STORE = "rnncourse-answers";

/** What was answered in this browser, by the names of the questions; nothing where it refuses to keep anything. */
export function answers() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}
function keep(name, answer) {
  try {
    localStorage.setItem(STORE, JSON.stringify({ ...answers(), [name]: answer }));
  } catch {} // a browser that keeps nothing: the reply is there all the same
}

/** The number that a reader has typed: with a comma, with any minus, as 3e-5 or 3 · 10^-5; else NaN. */
export function number(text) {
  const plain = text.trim().replace(/[\u2212\u2012-\u2015]/g, "-").replace(",", ".").replace(/\s*[*·×x]\s*10\s*\^?\s*/, "e");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

/** Which of the replies answers `answer`: the first whose range, if it has one, holds it. */
export const replyTo = (replies, answer) =>
  replies.findIndex(({ choice, low, high }) => (choice === undefined ? answer >= low && answer <= high : choice === answer));

function add(parent, name, properties = {}) {
  const one = Object.assign(document.createElement(name), properties);
  parent.append(one);
  return one;
}

/** In Jupyter, what stands in for the question without a kernel is the last one before this widget. */
function hideTwin(name, el) {
  const area = el.closest(".jp-OutputArea") ?? document;
  const before = (twin) => el.compareDocumentPosition(twin) & Node.DOCUMENT_POSITION_PRECEDING;
  const twin = [...area.querySelectorAll(`[data-question="${name}"]`)].filter(before).at(-1);
  if (twin) twin.style.display = "none";
}

export function render({ model, el }) {
  const { name, label, replies, right, words } = model.get("_question");
  el.replaceChildren();
  if (model.on) hideTwin(name, el);
  const root = add(el, "div", { className: "rnnq", role: "group", ariaLabel: label });
  const row = add(root, "div", { className: "answers" });
  const reply = add(root, "p", { className: "reply" });
  reply.setAttribute("role", "status");

  function show(answer) {
    const k = replyTo(replies, answer);
    const known = replies[k];
    row.querySelectorAll("button[value]").forEach((b) => {
      const mine = +b.value === k;
      b.setAttribute("aria-pressed", mine);
      b.className = mine ? (k === right ? "right" : "wrong") : "";
    });
    reply.textContent = (k === right ? "✓ " : "✗ ") + known.reply;
    reply.className = `reply ${k === right ? "right" : "wrong"}`;
  }
  function answer(given) {
    show(given);
    keep(name, given);
    if (replyTo(replies, given) === right) unfold();
  }
  /** Open the answer that stands folded behind the question. */
  function unfold() {
    const section = el.closest("section") ?? el.parentNode;
    const behind = (one) => el.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
    const folded = [...section.querySelectorAll("details.dropdown")].find(behind);
    if (folded) folded.open = true;
  }
  if (replies[0].choice !== undefined) {
    replies.forEach(({ choice }, k) => {
      add(row, "button", { type: "button", textContent: choice, value: k, onclick: () => answer(choice) }).setAttribute("aria-pressed", "false");
    });
  } else {
    const form = add(row, "form");
    const field = add(add(form, "label", { textContent: `${words.number} ` }), "input", { inputMode: "decimal", size: 10, autocomplete: "off" });
    add(form, "button", { textContent: words.check });
    form.onsubmit = (event) => {
      event.preventDefault();
      const given = number(field.value);
      if (Number.isNaN(given)) {
        reply.textContent = field.value.trim() ? words.no.replace("{given}", field.value.trim()) : words.empty;
        reply.className = "reply";
      } else answer(given);
    };
  }
  const before = answers()[name];
  if (replyTo(replies, before) >= 0) show(before);
}
export default { render };
