// Images on the wrong side of the threshold, by test set: the most confident first.

const KINDS = ["Real, called fake", "Fake, called real"];

const setUpMistakes = () => {
  const shown = new Set(); // test sets whose pictures are as they should be
  const countsOf = (set) => figuresAt(state.model, set, cutOf(state.model, set)).mistakes;

  const show = (set) => {
    if (shown.has(set)) return;
    shown.add(set);
    const totals = countsOf(set);
    const parts = KINDS.map((title, label) => {
      const rows = [];
      for (let row = firstRow[set]; row < firstRow[set + 1]; row += 1) {
        const wrong = labelOf[row] === label && !Number.isNaN(logits[state.model][row]) && isWrong(state.model, row);
        if (wrong && pictures.has(row)) rows.push(row);
      }
      rows.sort((a, b) => wrongBy(state.model, b) - wrongBy(state.model, a) || a - b);
      const toAll = () => showInTable({ set, label, verdict: "wrong" });
      return cardList({ level: "h4", title, rows, total: totals[label], models: [state.model], toAll });
    });
    byId(data.sets[set].anchor).querySelector(".kinds").replaceChildren(...parts);
  };

  const update = () => {
    shown.clear();
    let all = 0;
    data.sets.forEach(({ anchor: id }, set) => {
      const [real, fake] = countsOf(set);
      all += real + fake;
      byId(id).querySelector(".counts").textContent = `${number.format(real)} real called fake, ${number.format(fake)} fake called real`;
      byId(`${id}-jump`).textContent = number.format(real + fake);
      if (byId(id).open) show(set);
    });
    const of = several ? ` of ${data.models[state.model]}` : "";
    byId("mistakes-sum").textContent = `${plural(all, "image")}${of} on the wrong side of the threshold, the most confident first.`;
  };

  data.sets.forEach(({ anchor: id }, set) => {
    byId(id).addEventListener("toggle", () => { if (byId(id).open) show(set); });
  });
  window.addEventListener("beforeprint", () => data.sets.forEach((_, set) => show(set)));
  follow(["mark", "value", "model"], update);
  update();
};
