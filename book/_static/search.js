// The search: sections that have all words of a query, best first; and marks on the words on arrival.
// It is loaded when a search field gets the focus. The index is made with the book (_ext/search.py).
(() => {
  const ROOT = document.documentElement.dataset.content_root;
  const MOST = 10; // results in the dialog; the page of results has all
  // A word, with the indices that stand behind it: W_hh, δ^h_t, h_(t
  const WORD = /[\p{L}\p{N}]+(?:[_^]\(?[\p{L}\p{N}]+)*/gu;

  const words = (text) =>
    (text.toLowerCase().replace(/([_^])\{/g, "$1(").match(WORD) ?? []).map((word) => word.replaceAll("(", ""));
  const make = (tag, properties, ...inside) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  };

  // --- words ------------------------------------------------------------------------------------

  /** The words of a query, each once; `stem` is without the ending that English gives it. */
  function asked(query) {
    return [...new Set(words(query))].map((whole) => {
      const [, rest] = whole.match(/^(\p{L}{4,}?)(?:ing|ies|ied|ed|es|(?<!s)s)$/u) ?? [];
      return { whole, stem: rest ? rest.replace(/([^aeiouls])\1$/, "$1") : whole }; // clipping, clip
    });
  }

  /** How well a word of a text fits one of a query, from 0 to 1. */
  function fit(word, { whole, stem }) {
    if (word === whole) return 1;
    if (word.startsWith(whole)) return whole.length > 1 ? 0.6 : 0;
    return word.startsWith(stem) ? 0.4 : 0;
  }

  /** The number of letters to change, add or leave out to get from one word to the other. */
  function distance(a, b) {
    let row = [...Array(b.length + 1).keys()];
    for (let i = 1; i <= a.length; i++) {
      let [corner, ...rest] = row;
      row = [i];
      rest.forEach((above, j) => {
        row.push(Math.min(above + 1, row[j] + 1, corner + (a[i - 1] !== b[j])));
        corner = above;
      });
    }
    return row[b.length];
  }

  // --- the index --------------------------------------------------------------------------------

  let index;

  /** The sections, each with its words; the file is loaded the first time. */
  function load() {
    return (index ??= new Promise((done, fail) => {
      const src = `${ROOT}_static/search-index.js`;
      document.head.append(make("script", { src, onload: () => done(prepare(globalThis.courseIndex)), onerror: fail }));
    }));
  }

  function prepare({ pages, sections }) {
    const often = new Map(); // in how many sections a word occurs
    const all = sections.map(([page, anchor, title, text]) => {
      const counts = new Map();
      for (const word of words(`${title} ${text}`)) counts.set(word, (counts.get(word) ?? 0) + 1);
      for (const word of counts.keys()) often.set(word, (often.get(word) ?? 0) + 1);
      const [address, pageTitle] = pages[page];
      const top = title === pageTitle;
      // A row of a table says what its first word means.
      const rows = text.split("\n").filter((line) => line.includes(" · "));
      const said = [title, text].map((part) => ` ${words(part).join(" ")} `);
      const lists = { named: words(title), of: top ? [] : words(pageTitle), told: rows.map((row) => words(row)[0] ?? "") };
      return { address, anchor, title, text, pageTitle, top, counts, said, ...lists };
    });
    return { sections: all, often };
  }

  /** The sections that have all words of a query, best first: [{ section, score }]. */
  function find({ sections, often }, query) {
    const wanted = asked(query);
    const phrase = ` ${words(query).join(" ")}`;
    const rare = wanted.map((w) => {
      let count = 0;
      for (const [word, n] of often) if (fit(word, w)) count += n;
      return Math.log(1 + sections.length / (1 + count));
    });
    const found = [];
    for (const section of sections) {
      let score = 0;
      const all = wanted.every((w, i) => {
        const best = (list) => Math.max(0, ...list.map((word) => fit(word, w)));
        let said = 0;
        for (const [word, n] of section.counts) said += n * fit(word, w);
        const around = best(section.of);
        const dense = said / (said + 1 + section.text.length / 1500);
        score += rare[i] * (5 * best(section.named) + 3 * best(section.told) + around + 4 * dense);
        return said > 0 || (around > 0 && wanted.length > 1);
      });
      if (!all || !wanted.length) continue;
      if (wanted.length > 1) section.said.forEach((part) => part.includes(phrase) && (score *= 1.4));
      // What explains a thing comes before what exercises it.
      if (section.address.includes("/exercises")) score *= 0.3;
      found.push({ section, score });
    }
    return found.sort((a, b) => b.score - a.score);
  }

  /** The words of the book that are nearest to one that it does not have. */
  function nearest({ often }, word) {
    const most = word.length < 5 ? 1 : 2;
    return [...often]
      .filter(([other]) => Math.abs(other.length - word.length) <= most && other.length > 2)
      .map(([other, n]) => [distance(word, other), -n, other])
      .filter(([far]) => far <= most)
      .sort(([a, m], [b, n]) => a - b || m - n)
      .slice(0, 3)
      .map(([, , other]) => other);
  }

  // --- what is shown ----------------------------------------------------------------------------

  /** Where words of a query stand in a text: [[from, to]]. */
  function places(text, wanted) {
    return [...text.matchAll(WORD)]
      .filter(([word]) => wanted.some((w) => fit(word.toLowerCase().replaceAll("(", ""), w)))
      .map((match) => [match.index, match.index + match[0].length]);
  }

  function marked(text, wanted) {
    const parts = [];
    let end = 0;
    for (const [from, to] of places(text, wanted)) {
      parts.push(text.slice(end, from), make("mark", {}, text.slice(from, to)));
      end = to;
    }
    return [...parts, text.slice(end)];
  }

  /** The sentence or line of a section that has most of the words, cut to what fits two lines. */
  function excerpt(text, query) {
    const [wanted, phrase] = [asked(query), words(query).join(" ")];
    const worth = (piece) => {
      const list = words(piece);
      const has = wanted.filter((w) => list.some((word) => fit(word, w))).length;
      const begins = wanted.some((w) => fit(list[0] ?? "", w));
      return has && has + 0.5 * list.join(" ").includes(phrase) + 0.25 * begins;
    };
    const pieces = text.split(/\n|(?<=[.!?]) (?=\p{Lu})/u);
    const best = pieces.reduce((a, b) => (worth(b) > worth(a) ? b : a)).trim();
    const [[first] = [0]] = places(best, wanted);
    const from = best.length > 170 && first > 90 ? best.indexOf(" ", first - 80) + 1 : 0;
    const end = from + 170 < best.length ? best.lastIndexOf(" ", from + 165) : best.length;
    return `${from ? "… " : ""}${best.slice(from, end)}${end < best.length ? " …" : ""}`;
  }

  function result({ section }, query) {
    const wanted = asked(query);
    const href = `${ROOT}${section.address}?find=${encodeURIComponent(query)}${section.top ? "" : `#${section.anchor}`}`;
    const place = section.top ? [section.title] : [section.pageTitle, section.title];
    const link = make("a", { href }, ...place.flatMap((one, i) => [i ? " › " : "", ...marked(one, wanted)]));
    link.onclick = (event) => {
      if (link.pathname !== location.pathname || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault(); // the page is here, with all that the reader has set in it
      link.closest("dialog")?.close();
      history.pushState(null, "", `${location.pathname}${link.search}`);
      location.hash = section.anchor; // arrive() hears of it
    };
    return make("li", {}, link, make("p", {}, ...marked(excerpt(section.text, query), wanted)));
  }

  /** Fill a search form's results with those of its field. */
  function show(form, book, query) {
    const [status, list] = [form.results.querySelector("[role=status]"), form.results.querySelector("ol")];
    const most = form.closest("dialog") ? MOST : Infinity;
    const found = find(book, query);
    const wanted = asked(query);
    list.replaceChildren(...found.slice(0, most).map((one) => result(one, query)));
    form.results.querySelector(".others")?.remove();
    if (!wanted.length) return status.replaceChildren();
    if (found.length) {
      const more = found.length > most ? `, the best ${most} of them here` : "";
      status.replaceChildren(`${found.length} ${found.length === 1 ? "section" : "sections"}${more}`);
      if (more) {
        const href = `${ROOT}search.html?q=${encodeURIComponent(query)}`;
        list.after(make("p", { className: "others" }, make("a", { href }, `All ${found.length} sections`)));
      }
      return;
    }
    const missing = wanted.filter((w) => ![...book.often.keys()].some((word) => fit(word, w)));
    const others = missing.length ? missing.flatMap(({ whole }) => nearest(book, whole).map((near) => [whole, near])) : [];
    const said = missing.length
      ? `The course does not have the word “${missing[0].whole}”.`
      : "No section has all of these words. Try fewer:";
    status.replaceChildren(said + (others.length ? " Near to it:" : ""));
    const tries = missing.length
      ? others.map(([whole, near]) => query.toLowerCase().replace(whole, near))
      : wanted.map(({ whole }) => whole);
    const button = (one) => make("button", { type: "button", onclick: () => ask(form, one) }, one);
    list.after(make("p", { className: "others" }, ...tries.map(button)));
  }

  async function ask(form, query) {
    const field = form.elements.q;
    if (query !== undefined) field.value = query;
    try {
      const book = await load();
      show(form, book, field.value);
    } catch {
      form.results.querySelector("[role=status]").textContent = "The index of the search could not be loaded.";
    }
  }

  /** Answer while the reader types; arrows walk through the results, Enter opens one. */
  function attach(form) {
    const field = form.elements.q;
    const status = make("p", {});
    status.setAttribute("role", "status");
    form.results = make("div", { className: "found" }, status, make("ol", {}));
    form.after(form.results);
    const links = () => [...form.results.querySelectorAll("a, button")];
    field.addEventListener("input", () => {
      if (!form.closest("dialog")) history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
      ask(form);
    });
    form.addEventListener("submit", (event) => {
      const [first] = links();
      if (!first) return; // nothing yet: the page of results asks again
      event.preventDefault();
      first.click();
    });
    form.parentElement.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const stops = [field, ...links()];
      const at = stops.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      stops[Math.min(Math.max(at + step, 0), stops.length - 1)].focus();
    });
    load().catch(() => {});
    if (field.value) ask(form);
  }

  // --- arrival ----------------------------------------------------------------------------------

  /** A formula as the index writes it: a_b, a^b. */
  function plain(math) {
    const inside = [...math.children].map(plain);
    const [base, ...scripts] = inside.map((one, i) => (i ? one.replace(/\s/g, "") : one));
    if (/^(msub|munder)$/.test(math.localName)) return `${base}_${scripts[0]}`;
    if (/^(msup|mover)$/.test(math.localName)) return `${base}^${scripts[0]}`;
    if (/^(msubsup|munderover)$/.test(math.localName)) {
      return `${base}_${scripts[0]}^${scripts[1]} ${base}^${scripts[1]}_${scripts[0]}`;
    }
    if (math.localName === "annotation") return "";
    return inside.length ? inside.join(" ") : math.textContent;
  }

  /** Mark the words of a query in a section, without the sections in it. */
  function mark(section, wanted) {
    const inside = (node) => node.parentElement.closest("section, article") === section;
    const skip = "script, style, mark, [data-explorable], .headerlink, button";
    const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const node of texts) {
      if (!inside(node) || node.parentElement.closest(`math, ${skip}`)) continue;
      if (places(node.data, wanted).length) node.replaceWith(...marked(node.data, wanted));
    }
    for (const math of section.querySelectorAll("math")) {
      if (inside(math) && places(plain(math), wanted).length) math.classList.add("found");
    }
  }

  function clear() {
    for (const one of document.querySelectorAll("article mark")) {
      const { parentElement } = one;
      one.replaceWith(...one.childNodes);
      parentElement.normalize();
    }
    document.querySelectorAll("math.found").forEach((math) => math.classList.remove("found"));
    document.querySelector(".clear-marks")?.remove();
  }

  /** Mark what the address asks for: ?find=words#section. */
  function arrive() {
    clear();
    const wanted = asked(new URLSearchParams(location.search).get("find") ?? "");
    const id = location.hash.slice(1);
    const section = id ? document.getElementById(id) : document.querySelector("article section");
    if (!wanted.length || !section) return;
    mark(section, wanted);
    const marks = section.querySelectorAll("mark, math.found");
    if (!marks.length) return;
    for (let shut = marks[0].closest("details"); shut; shut = shut.parentElement.closest("details")) shut.open = true;
    const properties = { type: "button", className: "clear-marks", onclick: forget };
    document.body.append(make("button", properties, "Clear the marks ", make("kbd", {}, "Esc")));
  }

  function forget() {
    clear();
    history.replaceState(null, "", location.pathname + location.hash);
  }

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.querySelector(".clear-marks") && !document.querySelector("dialog[open]")) forget();
  });
  addEventListener("hashchange", arrive);

  // --- start ------------------------------------------------------------------------------------

  document.head.append(make("link", { rel: "stylesheet", href: `${ROOT}_static/search.css` }));
  globalThis.courseSearch = { load, find };
  function start() {
    const given = new URLSearchParams(location.search).get("q");
    for (const form of document.querySelectorAll("form.bd-search")) {
      if (given && !form.closest("dialog")) form.elements.q.value = given;
      attach(form);
    }
    arrive();
  }
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
