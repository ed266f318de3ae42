// All predictions: of so many rows only those in sight are in the page.

const MARGIN = 6; // rows above and below those in sight

const columnsOf = (model) => {
  const called = (row) => (Number.isNaN(logits[model][row]) ? "" : isWrong(model, row) ? "wrong" : "right");
  const chance = (row) => scoreOf(probability(logits[model][row]));
  return [
    { title: "logit", model, order: `logit-${model}`, text: (row) => scoreOf(logits[model][row]) },
    { title: "probability", model, order: `logit-${model}`, text: chance },
    { title: "verdict", model, order: "wrong", text: called },
  ];
};

const setUpPredictions = () => {
  const table = byId("predictions-table");
  const box = byId("predictions-box");
  const [above, body, below] = table.tBodies;
  const columns = [
    { title: "test set", order: "set", text: (row) => data.sets[setOf[row]].name },
    { title: "path", order: "path", text: (row) => pathOf[row] },
    { title: "label", order: "label", text: (row) => ["real", "fake"][labelOf[row]] },
    ...data.models.flatMap((_, model) => columnsOf(model)),
  ];
  const names = ["picture", ...columns.map(({ title }) => title)].map((title) => `c-${title.replace(" ", "-")}`);
  const widths = element("colgroup");
  widths.append(...names.map((name) => element("col", "", name)));
  table.prepend(widths);

  let rows = [];
  const lines = new Map(); // place among `rows` -> its line, of those that are in the page

  const lineOf = (place) => {
    const row = rows[place];
    const line = element("tr");
    line.setAttribute("role", "row");
    line.setAttribute("aria-rowindex", String(place + 2));
    const open = button("", () => enlarge(rows, place), "open");
    open.setAttribute("aria-label", `Enlarge ${pathOf[row]}`);
    open.append(pictures.has(row) ? pictureOf(pictures.get(row).image, "") : "+");
    const cells = [open, ...columns.map((column) => column.text(row))].map((content, i) => {
      const cell = element("td", "", names[i]);
      const inner = element("span", "", "clamped");
      cell.setAttribute("role", "cell");
      inner.append(content);
      cell.append(inner);
      if (content === "wrong") cell.classList.add("wrong");
      if (i > 3 && columns[i - 1].model !== state.model) cell.classList.add("of-another");
      return cell;
    });
    line.append(...cells);
    return line;
  };

  const fill = () => {
    const height = parseFloat(getComputedStyle(table).getPropertyValue("--row"));
    const room = parseFloat(getComputedStyle(box).maxHeight) || box.clientHeight; // none in print
    const seen = [box.scrollTop, box.scrollTop + room].map((y) => y / height);
    const first = Math.min(Math.max(Math.floor(seen[0]) - MARGIN, 0), rows.length);
    const last = Math.min(Math.ceil(seen[1]) + MARGIN, rows.length);
    lines.forEach((line, place) => {
      if (place < first || place >= last) { line.remove(); lines.delete(place); }
    });
    let next = null; // lines that stay are not moved, for one of them may have the focus
    for (let place = last - 1; place >= first; place -= 1) {
      if (!lines.has(place)) {
        lines.set(place, lineOf(place));
        body.insertBefore(lines.get(place), next);
      }
      next = lines.get(place);
    }
    above.rows[0].style.height = `${first * height}px`;
    below.rows[0].style.height = `${(rows.length - last) * height}px`;
  };

  const showAgain = () => {
    lines.clear();
    body.replaceChildren();
    fill();
    table.setAttribute("aria-rowcount", String(rows.length + 1));
    byId("row-count").textContent = rows.length === numRows
      ? `all ${plural(numRows, "image")}` : `${number.format(rows.length)} of ${plural(numRows, "image")}`;
    byId("download").disabled = !rows.length;
  };

  const isSortedBy = ({ order: its, model }) => (
    its === state.order && (its !== "wrong" || model === state.model)
  );

  const showControls = () => {
    ["set", "label"].forEach((name) => { byId(`filter-${name}`).value = String(state[name]); });
    byId("filter-verdict").value = state.verdict;
    if (document.activeElement !== byId("filter-path")) byId("filter-path").value = state.text;
    byId("order").value = (state.falling ? "-" : "") + state.order;
    table.querySelectorAll("th[data-column]").forEach((heading) => {
      // the most wrong first is the verdict falling
      const falling = state.falling !== (state.order === "wrong");
      if (isSortedBy(columns[Number(heading.dataset.column)])) heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
  };

  const update = (sortAgain) => {
    rows = matchingRows(sortAgain);
    box.scrollTop = 0;
    showAgain();
    showControls();
  };

  const headings = element("tr");
  headings.setAttribute("role", "row");
  headings.append(element("th", "picture", "c-picture"), ...columns.map((column, i) => {
    const heading = element("th", "", names[i + 1]);
    heading.dataset.column = String(i);
    const sort = button(column.title, () => change({
      order: column.order,
      falling: isSortedBy(column) && !state.falling,
      ...(column.order === "wrong" ? { model: column.model } : {}),
    }));
    if (several && column.model !== undefined) {
      sort.append(element("span", ` of ${data.models[column.model]}`, "hidden-words"));
    }
    heading.append(sort);
    return heading;
  }));
  if (several) {
    const groups = element("tr");
    groups.setAttribute("role", "row");
    const gap = element("td");
    gap.setAttribute("role", "cell");
    gap.colSpan = 4;
    groups.append(gap, ...data.models.map((name) => {
      const heading = element("th", name, "model");
      heading.scope = "colgroup";
      heading.colSpan = 3;
      return heading;
    }));
    table.tHead.append(groups);
  }
  [...headings.children].forEach((heading) => { heading.scope = "col"; heading.setAttribute("role", "columnheader"); });
  table.tHead.append(headings);
  [above, below].forEach((part) => { part.rows[0].cells[0].colSpan = columns.length + 1; });

  addOptions(byId("filter-set"), data.sets.map(({ name }) => name));
  data.models.forEach((name, model) => ["", "-"].forEach((sign) => {
    const option = element("option", `${sign ? "highest" : "lowest"} logit${several ? ` of ${name}` : ""} first`);
    option.value = `${sign}logit-${model}`;
    byId("order").append(option);
  }));
  if (several) byId("filter-verdict").append(new Option("models disagree", "disputed"));
  byId("order").addEventListener("change", () => {
    const { value } = byId("order");
    change({ order: value.replace(/^-/, ""), falling: value.startsWith("-") });
  });
  byId("filter-path").addEventListener("input", () => change({ text: byId("filter-path").value }));
  byId("filter-verdict").addEventListener("change", () => change({ verdict: byId("filter-verdict").value }));
  ["set", "label"].forEach((name) => byId(`filter-${name}`).addEventListener("change", () => {
    const { value } = byId(`filter-${name}`);
    change({ [name]: value === "" ? "" : Number(value) });
  }));
  byId("download").addEventListener("click", () => download(rows));
  box.addEventListener("scroll", () => requestAnimationFrame(fill));
  window.addEventListener("resize", fill);

  follow(["mark", "value", "model", "order", "falling"], () => update(true));
  follow(["set", "label", "verdict", "text", "other"], () => update(false));
  update(true);
};
