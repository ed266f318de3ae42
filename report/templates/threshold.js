// The control of the threshold, and the table of what each test set gives there.

const setUpThreshold = () => {
  const range = byId("threshold-range");
  const field = byId("threshold-number");
  const chosen = byId("threshold-model");
  const body = byId("threshold-table").tBodies[0];

  // A threshold far outside is still met by its button, but must not stretch the slider.
  let [low, high] = [-1, 1];
  const widen = (value) => {
    if (value < low) low = value;
    if (value > high) high = value;
  };
  logits.forEach((of) => of.forEach(widen));
  data.marks.forEach(({ of }) => of.flat().filter((v) => v !== null && Math.abs(v) < 100).forEach(widen));
  range.min = field.min = String(Math.floor(low));
  range.max = field.max = String(Math.ceil(high));
  range.step = field.step = high - low > 40 ? "0.05" : "0.01";

  const line = (name, cells, className) => {
    const row = element("tr", "", className);
    const heading = element("th", "");
    heading.scope = "row";
    heading.append(name);
    row.append(heading, ...cells.map((text) => element("td", text)));
    return row;
  };
  const linkTo = (set) => {
    const link = element("a", set.name);
    link.href = `#${set.anchor}`;
    return link;
  };

  const showTable = () => {
    const there = data.sets.map((_, s) => s)
      .filter((s) => sorted[state.model][s].real.length + sorted[state.model][s].fake.length);
    const figures = there.map((s) => figuresAt(state.model, s, cutOf(state.model, s)));
    const rows = there.map((s, i) => line(linkTo(data.sets[s]), [
      number.format(figures[i].real), number.format(figures[i].fake),
      cutOf(state.model, s).toFixed(2),
      ...["accuracy", "tpr", "fpr"].map((name) => percent(figures[i][name])),
      ...figures[i].mistakes.map((count) => number.format(count)),
    ]));
    const averaged = there.some((s) => data.sets[s].inMean)
      ? figures.filter((_, i) => data.sets[there[i]].inMean) : figures;
    const means = ["accuracy", "tpr", "fpr"].map((name) => {
      const known = averaged.map((its) => its[name]).filter((value) => value !== null);
      return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    });
    const sums = [0, 1].map((kind) => figures.reduce((sum, its) => sum + its.mistakes[kind], 0));
    body.replaceChildren(...rows, line("mean", ["", "", "", ...means.map(percent), "", ""], "mean"));
    byId("threshold-sum").textContent = `${plural(sums[0], "real image")} called fake, ${plural(sums[1], "fake")} called real.`;
  };

  const show = () => {
    const cut = singleCut();
    const of = several ? `, model ${data.models[state.model]}` : "";
    const chance = cut === null ? "" : probability(cut).toFixed(3);
    if (cut === null) {
      field.value = "";
    } else {
      if (document.activeElement !== field || field.valueAsNumber !== cut) field.value = short(cut);
      range.value = String(cut);
    }
    const words = cut === null ? "each test set has its own" : `logit ${short(cut)}, probability ${chance}`;
    range.setAttribute("aria-valuetext", words);
    byId("threshold-probability").textContent = cut === null ? "by set" : chance;
    byId("threshold-print").textContent = `Threshold: ${words}${of}.`;
    byId("threshold-about").textContent = state.mark < 0 ? "" : data.marks[state.mark].about;
    [...byId("threshold-buttons").children].forEach((its, mark) => {
      its.setAttribute("aria-pressed", String(mark === state.mark));
      its.disabled = data.marks[mark].of[state.model].every((value) => value === null);
    });
    chosen.value = String(state.model);
    showTable();
  };

  const move = (value) => { // nothing, while the field is being typed into
    if (Number.isFinite(value)) change({ mark: -1, value });
  };
  data.marks.forEach(({ name, about }, mark) => {
    const its = button(name, () => change({ mark }));
    its.title = about;
    byId("threshold-buttons").append(its);
  });
  addOptions(chosen, data.models);
  range.addEventListener("input", () => move(range.valueAsNumber));
  field.addEventListener("input", () => move(field.valueAsNumber));
  chosen.addEventListener("change", () => change({ model: Number(chosen.value) }));
  // A model without the threshold that was chosen (it was never calibrated) gets the first one.
  follow(["mark", "model"], () => {
    if (state.mark >= 0 && data.marks[state.mark].of[state.model].every((cut) => cut === null)) change({ mark: 0 });
  });
  follow(["mark", "value", "model"], show);
  show();
};
