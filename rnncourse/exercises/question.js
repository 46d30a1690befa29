// A question that is answered in the page, with a reply to each answer. What was answered stays in this browser.

const STORE = "rnncourse-answers";

/** What was answered in this browser, { answer, right } by the names of the questions; nothing where it keeps nothing. */
export function answers() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}
function keep(name, answer, right) {
  try {
    localStorage.setItem(STORE, JSON.stringify({ ...answers(), [name]: { answer, right } }));
  } catch {} // a browser that keeps nothing: the reply is there all the same
}

/** The number that a reader has typed: with a comma, with any minus, as 3e-5 or 3 · 10^-5; else NaN. */
export function number(text) {
  const plain = text.trim().replace(/[\u2212\u2012-\u2015]/g, "-").replace(",", ".").replace(/\s*[*·×x]\s*10\s*\^?\s*/, "e");
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
  return Math.abs(value) <= 1e300 ? value : NaN; // what no range holds is no answer
}

/** Which of the replies answers `answer`: the first whose range, if it has one, holds it. */
export const replyTo = (replies, answer) =>
  replies.findIndex(({ choice, low, high }) => (choice === undefined ? answer >= low && answer <= high : choice === answer));

function add(parent, name, properties = {}) {
  const one = Object.assign(document.createElement(name), properties);
  parent.append(one);
  return one;
}

/** A text as HTML, with subscripts as such: h_t, W_hh, δ^c_{t+1}. */
const html = (text) =>
  text.replace(/[&<]/g, (c) => ({ "&": "&amp;", "<": "&lt;" })[c])
    .replace(/(?<=δ)\^([a-z])/g, "<sup>$1</sup>")
    .replace(/(?<=\b[A-Za-z]|<\/sup>|δ)_(\{[^}]+\}|\w{1,2}\b)/g, (_, sub) => `<sub>${sub.replace(/[{}]/g, "")}</sub>`);

/** A picture on whose curve a point is set, by its slider or by a press on the curve. */
function point(parent, { svg, places, x, label }, words) {
  const box = add(parent, "div", { className: "picture", innerHTML: svg });
  const drawing = box.firstChild;
  const mark = document.createElementNS(drawing.namespaceURI, "circle");
  drawing.append(mark);
  mark.setAttribute("r", 7);
  const slider = add(box, "input", { type: "range", min: 0, max: x.length - 1, value: Math.floor(x.length / 2), ariaLabel: label });
  const said = add(box, "span", { ariaHidden: true });
  const place = () => {
    const [left, top] = places[slider.value];
    mark.setAttribute("cx", left);
    mark.setAttribute("cy", top);
    slider.ariaValueText = said.textContent = `${words.point} ${`${x[slider.value]}`.replace("-", "\u2212")}.`;
  };
  slider.oninput = place;
  drawing.onpointerdown = drawing.onpointermove = (event) => {
    if (!event.buttons) return;
    const { left, width } = drawing.getBoundingClientRect();
    const at = ((event.clientX - left) / width) * drawing.viewBox.baseVal.width;
    const gaps = places.map(([across]) => Math.abs(across - at));
    slider.value = gaps.indexOf(Math.min(...gaps));
    place();
  };
  place();
  return { slider, place };
}

/** In Jupyter, what stands in for the question without a kernel is the last one before this widget. */
function hideTwin(name, el) {
  if (!el.isConnected) return;
  const area = el.closest(".jp-OutputArea") ?? document;
  const before = (twin) => el.compareDocumentPosition(twin) & Node.DOCUMENT_POSITION_PRECEDING;
  const twin = [...area.querySelectorAll(`[data-question="${name}"]`)].filter(before).at(-1);
  if (twin) twin.style.display = "none";
}

export function render({ model, el }) {
  const { name, label, replies, right, words, picture, figure } = model.get("_question");
  el.replaceChildren();
  if (model.on) new ResizeObserver(() => hideTwin(name, el)).observe(el); // once it stands in the page
  const root = add(el, "div", { className: "rnnq", role: "group", ariaLabel: label });
  const row = add(root, "div", { className: "answers" });
  const reply = add(root, "p", { className: "reply" });
  reply.setAttribute("role", "status");

  let set; // the point of a picture
  const shows = add(root, "button", { type: "button", className: "shows", textContent: words.figure, hidden: true, onclick: look });
  /** Set the figure to what shows the answer, and go there. */
  function look() {
    const there = [...document.querySelectorAll(`.rnnx[data-figure="${figure.name}"]`)].find((one) => one.offsetParent);
    shows.textContent = there ? words.figure : words.missing;
    if (!there) return;
    there.explorable.set(figure.state);
    there.tabIndex = -1; // a screen reader goes there too
    there.focus({ preventScroll: true });
    there.scrollIntoView({ block: "nearest" });
  }

  function show(answer) {
    const k = replyTo(replies, answer);
    const known = replies[k];
    row.querySelectorAll("button[value]").forEach((b) => {
      const mine = +b.value === k;
      b.setAttribute("aria-pressed", mine);
      b.className = mine ? (k === right ? "right" : "wrong") : "";
    });
    reply.innerHTML = (k === right ? "✓ " : "✗ ") + html(known.reply);
    reply.className = `reply ${k === right ? "right" : "wrong"}`;
    shows.hidden = !figure || k !== right;
  }
  function answer(given) {
    show(given);
    keep(name, given, replyTo(replies, given) === right);
    dispatchEvent(new Event("answered")); // for who counts them
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
      add(row, "button", { type: "button", innerHTML: html(choice), value: k, onclick: () => answer(choice) }).setAttribute("aria-pressed", "false");
    });
  } else if (picture) {
    set = point(root, picture, words);
    root.append(row, reply, shows);
    add(row, "button", { type: "button", textContent: words.check, onclick: () => answer(picture.x[set.slider.value]) });
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
  const before = answers()[name]?.answer;
  if (replyTo(replies, before) < 0) return;
  if (picture) {
    set.slider.value = picture.x.indexOf(before);
    set.place();
  }
  show(before);
}
export default { render };
