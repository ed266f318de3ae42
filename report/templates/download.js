// What the filter lets through as CSV, with the columns of predictions.csv.

const csvCell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

const csvOf = (rows, model) => {
  const lines = ["testset,path,label,logit,probability"];
  rows.forEach((row) => {
    const logit = logits[model][row];
    if (Number.isNaN(logit)) return;
    lines.push([
      csvCell(data.sets[setOf[row]].name), csvCell(pathOf[row]), labelOf[row], logit,
      Number(probability(logit).toPrecision(9)),
    ].join(","));
  });
  return `${lines.join("\n")}\n`;
};

const download = (rows) => {
  const file = new Blob([csvOf(rows, state.model)], { type: "text/csv" });
  const link = element("a");
  link.href = URL.createObjectURL(file);
  link.download = "predictions-filtered.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};
