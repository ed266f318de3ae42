// What the reader has chosen. It stands in the address, so that a link leads to the same view; all
// parts of the page follow it.

const ORDERS = ["wrong", "unsure", "set", "path", "label"]; // besides logit-0, logit-1, ...
const state = {
  mark: data.start, // place among data.marks; -1: the threshold is `value`
  value: 0,
  model: 0,
  other: several ? 1 : 0, // the model that disagreements are with
  set: "",
  label: "",
  verdict: "",
  text: "",
  order: "wrong",
  falling: false,
};

// The logit above which a model calls an image of a test set fake.
const cutOf = (model, set) => (
  state.mark < 0 ? state.value : data.marks[state.mark].of[model][set] ?? 0
);
const isWrong = (model, row) => (
  Number(logits[model][row] > cutOf(model, setOf[row])) !== labelOf[row]
);
// The model that the chosen one is compared with.
const other = () => (state.other === state.model ? Number(!state.model) : state.other);
// The threshold where it is one for all test sets, else null.
const singleCut = () => {
  const cuts = data.sets.map((_, set) => cutOf(state.model, set));
  return cuts.every((cut) => cut === cuts[0]) ? cuts[0] : null;
};

const followers = []; // pairs: names of the state, and what to do when one of them changes
const follow = (names, act) => followers.push([names, act]);

let waiting = null; // changes since the last frame
const settle = () => {
  const changed = waiting;
  waiting = null;
  followers.forEach(([names, act]) => { if (names.some((name) => changed.has(name))) act(); });
  showInAddress();
};
const change = (part) => {
  const names = Object.keys(part).filter((name) => state[name] !== part[name]);
  Object.assign(state, part);
  if (!names.length) return;
  if (!waiting) { waiting = new Set(); requestAnimationFrame(settle); }
  names.forEach((name) => waiting.add(name));
};

// The address: #anchor&t=...&model=...; names stand in it rather than numbers, for they last.

const toAddress = () => {
  const words = new URLSearchParams();
  const add = (key, value) => { if (value !== "") words.set(key, value); };
  add("t", state.mark < 0 ? short(state.value) : state.mark === data.start ? "" : data.marks[state.mark].name);
  add("model", state.model ? data.models[state.model] : "");
  add("with", several && other() !== Number(!state.model) ? data.models[other()] : "");
  add("set", state.set === "" ? "" : data.sets[state.set].name);
  add("label", state.label === "" ? "" : ["real", "fake"][state.label]);
  add("verdict", state.verdict);
  add("q", state.text);
  add("order", state.order === "wrong" && !state.falling ? "" : (state.falling ? "-" : "") + state.order);
  return String(words);
};

const fromAddress = (words) => {
  const place = (names, key) => {
    const found = names.indexOf(words.get(key));
    return found < 0 ? "" : found;
  };
  const t = words.get("t");
  const mark = data.marks.findIndex(({ name }) => name === t);
  const order = words.get("order") ?? "wrong";
  const known = [...ORDERS, ...data.models.map((_, model) => `logit-${model}`)];
  const named = order.replace(/^-/, "");
  const single = t !== null && mark < 0 && t !== "" && Number.isFinite(Number(t));
  change({
    mark: single ? -1 : mark < 0 ? data.start : mark,
    value: single ? Number(t) : state.value,
    model: place(data.models, "model") || 0,
    other: place(data.models, "with") || (several ? 1 : 0),
    set: place(data.sets.map(({ name }) => name), "set"),
    label: place(["real", "fake"], "label"),
    verdict: ["right", "wrong", "disputed"].includes(words.get("verdict")) ? words.get("verdict") : "",
    text: words.get("q") ?? "",
    order: known.includes(named) ? named : "wrong",
    falling: known.includes(named) && order.startsWith("-"),
  });
};

let anchor = ""; // what the address leads to
const showInAddress = () => {
  const words = toAddress();
  const wanted = `#${anchor}${words ? `&${words}` : ""}`;
  const now = window.location.hash || "#";
  if (now !== wanted) window.history.replaceState(null, "", wanted === "#" ? window.location.pathname : wanted);
};

const goTo = (id) => {
  anchor = id;
  const part = byId(id);
  if (!part) return;
  if (part.tagName === "DETAILS") part.open = true;
  part.scrollIntoView();
};

// Follow the address: a link inside the page keeps what was chosen, any other brings its own.
const readAddress = () => {
  const [id, ...words] = window.location.hash.slice(1).split("&");
  if (words.length) fromAddress(new URLSearchParams(words.join("&")));
  goTo(new URLSearchParams(`id=${id}`).get("id"));
  showInAddress();
};
