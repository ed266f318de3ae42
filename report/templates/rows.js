// Which rows pass the filter, and their order.

const areDisputed = (first, second, row) => (
  !Number.isNaN(logits[first][row]) && !Number.isNaN(logits[second][row])
  && isWrong(first, row) !== isWrong(second, row)
);

// How far on the wrong side of the threshold a row lies; below 0: on the right one.
const wrongBy = (model, row) => {
  const over = logits[model][row] - cutOf(model, setOf[row]);
  return labelOf[row] ? -over : over;
};

// The place of each string among all: sorting then compares numbers.
const ranks = (strings) => {
  const places = new Map([...new Set(strings)].sort().map((text, place) => [text, place]));
  return strings.map((text) => places.get(text));
};
let setRanks = null;
let pathRanks = null; // 90,000 strings: only once somebody sorts by them

// Of an order, the number that rows are sorted by; the lowest comes first.
const keyOf = (order) => {
  const [kind, model] = order.split("-");
  return {
    wrong: (row) => -wrongBy(state.model, row),
    unsure: (row) => Math.abs(wrongBy(state.model, row)),
    set: (row) => (setRanks ??= ranks(data.sets.map(({ name }) => name)))[setOf[row]],
    path: (row) => (pathRanks ??= ranks(pathOf))[row],
    label: (row) => labelOf[row],
    logit: (row) => logits[Number(model)][row],
  }[kind];
};

const sortedRows = () => {
  const key = keyOf(state.order);
  const keys = new Float64Array(numRows);
  for (let row = 0; row < numRows; row += 1) keys[row] = key(row);
  const there = [];
  const missing = []; // rows without a value stay last either way
  for (let row = 0; row < numRows; row += 1) (Number.isNaN(keys[row]) ? missing : there).push(row);
  const sign = state.falling ? -1 : 1;
  there.sort((a, b) => sign * (keys[a] - keys[b]));
  return [...there, ...missing];
};

let lowered = null; // paths in small letters
const matches = () => {
  lowered ??= pathOf.map((path) => path.toLowerCase());
  const text = state.text.toLowerCase();
  const verdict = {
    "": () => true,
    right: (row) => !Number.isNaN(logits[state.model][row]) && !isWrong(state.model, row),
    wrong: (row) => !Number.isNaN(logits[state.model][row]) && isWrong(state.model, row),
    disputed: (row) => several && areDisputed(state.model, other(), row),
  }[state.verdict];
  return (row) => (state.set === "" || setOf[row] === state.set)
    && (state.label === "" || labelOf[row] === state.label)
    && lowered[row].includes(text) && verdict(row);
};

let order = null; // all rows, as they were last sorted
const matchingRows = (sortAgain) => {
  if (sortAgain || !order) order = sortedRows();
  return order.filter(matches());
};
