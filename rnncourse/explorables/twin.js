// A page without a kernel: mount an explorable where one waits, with a model of its own.

/** The value that the text of a link gives `trait`; undefined if it is damaged or not allowed. */
function parse(trait, given) {
  const number = (s) => {
    const inside = /^-?\d*\.?\d+(e-?\d+)?$/.test(s) && s >= trait.low && s <= trait.high;
    return inside && (trait.step % 1 || s % 1 === 0) ? Number(s) : undefined;
  };
  if (trait.kind === "choice") return trait.options.find((option) => String(option) === given.replaceAll("+", " "));
  if (trait.kind === "truth") return [true, false].find((value) => String(value) === given);
  if (trait.kind === "number") return number(given);
  const list = given.split(",").map(number);
  return list.length < trait.min || list.length > trait.max || list.includes(undefined) ? undefined : list;
}

/** The pieces of a link's fragment: a name, then what it sets, each "key=value". Mail programs and the
 *  like encode it (%3F, %253D, &amp;), write a space as +, break it, and take in what stands behind it. */
function pieces(fragment) {
  const decoded = (_, code) => String.fromCharCode(parseInt(code, 16));
  let [text, before] = [fragment];
  while (text !== before) text = (before = text).replace(/%([0-7][\da-f])/gi, decoded);
  text = text.replace(/[\t\r\n]/g, "").replace(/[ +]*([?&=,])[ +]*/g, "$1");
  return text.split(/[?&]/).map((piece) => piece.replace(/^(amp;)+|\W+$/g, ""));
}

/** Put a style sheet into the head, once. */
export function dress(css) {
  const known = [...document.head.querySelectorAll("style")].some((sheet) => sheet.textContent === css);
  if (!known) document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
}

/** Mount the first one that waits: the page runs each copy's script right behind the copy. */
export function start(spec, { render }) {
  const all = [...document.querySelectorAll(`[data-explorable="${spec.name}"]`)];
  const i = all.findIndex((one) => !one.dataset.live);
  if (i < 0) return;
  const el = all[i];
  el.dataset.live = "yes";
  const key = `explore-${spec.name}${i ? `-${i + 1}` : ""}`;
  if (!document.getElementById(key)) el.id = key;
  const values = JSON.parse(el.dataset.state);
  let changed = () => {};
  /** Whether the page's address names this copy; take over what it sets. */
  function called() {
    const [target, ...settings] = pieces(location.hash.slice(1));
    if (target !== key) return false;
    for (const [k, v, ...more] of settings.map((one) => one.split("="))) {
      const known = v && !more.length && Object.hasOwn(spec.traits, k);
      const value = known ? parse(spec.traits[k], v) : undefined;
      if (value !== undefined) values[k] = value; // else the one that is there stays
    }
    return true;
  }
  const model = {
    get: (k) => (k === "_spec" ? spec : values[k]),
    set: (k, v) => (values[k] = v),
    save_changes() {},
    on: (_, f) => (changed = f),
    off() {},
    link(state) {
      const linked = Object.keys(spec.traits).map((k) => [k, state[k]]);
      history.replaceState(null, "", `#${key}?${new URLSearchParams(linked)}`);
      navigator.clipboard?.writeText(location.href).catch(() => {});
    },
  };
  const here = called();
  el.replaceChildren();
  render({ model, el });
  const obey = () => called() && (changed(), el.scrollIntoView());
  addEventListener("hashchange", obey);
  // A link to where the address is already changes no address.
  addEventListener("click", ({ target }) => target.closest("a")?.href === location.href && obey());
  if (!here) return;
  const lead = () => el.scrollIntoView({ behavior: "instant" });
  lead();
  // The rest of the page is still to come. Who has scrolled on meanwhile is left alone.
  const y = scrollY;
  document.addEventListener("DOMContentLoaded", () => scrollY === y && lead());
}
