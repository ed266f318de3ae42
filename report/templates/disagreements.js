// Images that two models call differently: one of them is right.

const setUpDisagreements = () => {
  const chosen = [byId("first-model"), byId("second-model")];

  const show = () => {
    const models = [state.model, other()];
    chosen.forEach((select, i) => { select.value = String(models[i]); });
    const right = [[], []]; // rows that the first, the second alone is right about
    let both = 0;
    for (let row = 0; row < numRows; row += 1) {
      if (models.every((model) => !Number.isNaN(logits[model][row]))) {
        both += 1;
        if (areDisputed(...models, row)) right[Number(isWrong(models[0], row))].push(row);
      }
    }
    const [a, b] = models.map((model) => data.models[model]);
    const count = right[0].length + right[1].length;
    const share = both ? `, ${((100 * count) / both).toFixed(1)} %` : "";
    byId("disagreements-sum").textContent = `${a} and ${b} disagree about ${number.format(count)} of the ${plural(both, "image")} that both scored${share}.`;
    const apart = (row) => Math.abs(logits[models[0]][row] - logits[models[1]][row]);
    const parts = right.map((rows, i) => cardList({
      level: "h3",
      title: `Only ${[a, b][i]} is right`,
      rows: rows.filter((row) => pictures.has(row)).sort((x, y) => apart(y) - apart(x)),
      total: rows.length,
      models: [models[i], models[1 - i]],
      toAll: () => showInTable({ model: models[i], other: models[1 - i], verdict: "disputed", falling: true }),
    }));
    byId("disagreements-kinds").replaceChildren(...parts);
  };

  chosen.forEach((select) => addOptions(select, data.models));
  chosen[0].addEventListener("change", () => {
    const model = Number(chosen[0].value);
    change({ model, other: model === other() ? state.model : other() });
  });
  chosen[1].addEventListener("change", () => {
    const second = Number(chosen[1].value);
    change(second === state.model ? { model: other(), other: second } : { other: second });
  });
  follow(["mark", "value", "model", "other"], show);
  show();
};
