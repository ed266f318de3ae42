// Every image is a row, numbered through all test sets; a model without it has the logit NaN.

const probability = (logit) => 1 / (1 + Math.exp(-logit));

const firstRow = []; // of each test set, and behind the last
data.sets.reduce((sum, set) => { firstRow.push(sum); return sum + set.paths.length; }, 0);
const numRows = data.sets.reduce((sum, set) => sum + set.paths.length, 0);
firstRow.push(numRows);

const setOf = new Uint16Array(numRows);
const labelOf = new Uint8Array(numRows);
const pathOf = [];
const logits = data.models.map(() => new Float64Array(numRows));
data.sets.forEach((set, s) => set.paths.forEach((path, i) => {
  const row = pathOf.push(path) - 1;
  setOf[row] = s;
  labelOf[row] = Number(set.labels[i]);
  logits.forEach((of, model) => { of[row] = set.logits[model][i] ?? NaN; });
}));

// For each model and test set the logits of real and of fake images, ascending.
const sorted = logits.map((of) => data.sets.map((_, s) => {
  const ofLabel = (label) => of.slice(firstRow[s], firstRow[s + 1])
    .filter((logit, i) => labelOf[firstRow[s] + i] === label && !Number.isNaN(logit)).sort();
  return { real: ofLabel(0), fake: ofLabel(1) };
}));

const countAbove = (ascending, threshold) => {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > threshold) high = middle;
    else low = middle + 1;
  }
  return ascending.length - low;
};

// What a model makes of a test set at a threshold; shares are null where there is no such image.
const figuresAt = (model, set, threshold) => {
  const { real, fake } = sorted[model][set];
  const falsePositives = countAbove(real, threshold);
  const truePositives = countAbove(fake, threshold);
  const share = (part, all) => (all ? part / all : null);
  return {
    real: real.length,
    fake: fake.length,
    accuracy: share(truePositives + real.length - falsePositives, real.length + fake.length),
    tpr: share(truePositives, fake.length),
    fpr: share(falsePositives, real.length),
    mistakes: [falsePositives, fake.length - truePositives],
  };
};

// A row's partner: the image of the same name, whatever its ending, under the other label.
const LABEL_FOLDERS = ["0_real", "1_fake"];
const pairName = (path, label) => {
  const parts = path.split("/");
  const at = parts.findIndex((part) => LABEL_FOLDERS.includes(part));
  if (at < 0) return null;
  parts[at] = LABEL_FOLDERS[label];
  return parts.join("/").replace(/\.[^./]*$/, "");
};
const namesOf = new Map(); // test set -> name -> row; made when first asked for
const partnerOf = (row) => {
  const set = setOf[row];
  if (!namesOf.has(set)) {
    const rows = data.sets[set].paths.map((path, i) => [
      pairName(path, labelOf[firstRow[set] + i]), firstRow[set] + i,
    ]);
    namesOf.set(set, new Map(rows));
  }
  const name = pairName(pathOf[row], 1 - labelOf[row]);
  const partner = name === null ? undefined : namesOf.get(set).get(name);
  return partner === undefined || labelOf[partner] === labelOf[row] ? null : partner;
};
