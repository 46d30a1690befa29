// A page without a kernel: mount an explorable where one waits, with a model of its own.

/** The value that the text of a link gives `trait`; undefined if it is damaged or not allowed. */
function parse(trait, given) {
  const number = (s) => (/^-?\d*\.?\d+(e-?\d+)?$/.test(s) && s >= trait.low && s <= trait.high ? Number(s) : undefined);
  if (trait.kind === "choice") return trait.options.find((option) => String(option) === given);
  if (trait.kind === "truth") return { true: true, false: false }[given];
  if (trait.kind === "number") return number(given);
  const list = given.split(",").map(number);
  return list.length < trait.min || list.length > trait.max || list.includes(undefined) ? undefined : list;
}

function start(spec, { render }) {
  const all = [...document.querySelectorAll(`[data-explorable="${spec.name}"]`)];
  all.forEach((el, i) => {
    if (el.dataset.live) return;
    el.dataset.live = "yes";
    const key = `explore-${spec.name}${i ? `-${i + 1}` : ""}`;
    const values = JSON.parse(el.dataset.state);
    const [target, query] = location.hash.slice(1).split("?");
    const given = target === key ? [...new URLSearchParams(query)] : [];
    const read = given.map(([k, v]) => [k, Object.hasOwn(spec.traits, k) ? parse(spec.traits[k], v) : undefined]);
    if (read.every(([, v]) => v !== undefined)) Object.assign(values, Object.fromEntries(read));
    const model = {
      get: (k) => (k === "_spec" ? spec : values[k]),
      set: (k, v) => (values[k] = v),
      save_changes() {},
      on() {},
      off() {},
      link(state) {
        const linked = Object.keys(spec.traits).map((k) => [k, state[k]]);
        history.replaceState(null, "", `#${key}?${new URLSearchParams(linked)}`);
        navigator.clipboard?.writeText(location.href).catch(() => {});
      },
    };
    el.replaceChildren();
    render({ model, el });
    if (given.length) el.scrollIntoView();
  });
}
