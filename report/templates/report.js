"use strict";

// Names come from file names: they go into the page as text only, never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const several = data.models.length > 1;
  const number = new Intl.NumberFormat("en");

  const probability = (logit) => 1 / (1 + Math.exp(-logit));

  const element = (tag, text = "", className = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const addOptions = (select, names) => {
    names.forEach((name, value) => {
      const option = element("option", name);
      option.value = String(value);
      select.append(option);
    });
  };

  // Threshold

  // For each model and test set the logits of real and of fake images, ascending.
  const sorted = data.models.map((_, model) => data.sets.map((set) => {
    const logits = set.logits[model];
    const ofLabel = (label) => Float64Array.from(
      logits.filter((logit, i) => logit !== null && set.labels[i] === label),
    ).sort();
    return { name: set.name, real: ofLabel("0"), fake: ofLabel("1") };
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

  const figuresAt = ({ real, fake }, threshold) => {
    const falsePositives = countAbove(real, threshold);
    const truePositives = countAbove(fake, threshold);
    const share = (part, all) => (all ? part / all : null);
    return [
      share(truePositives + real.length - falsePositives, real.length + fake.length),
      share(truePositives, fake.length),
      share(falsePositives, real.length),
    ];
  };

  const percent = (fraction) => (fraction === null ? "" : (100 * fraction).toFixed(2));

  const setUpThreshold = () => {
    const range = byId("threshold-range");
    const field = byId("threshold-number");
    const chosen = byId("threshold-model");
    const body = byId("threshold-table").tBodies[0];
    let threshold = data.threshold;

    // A threshold far outside is still met by its button, but must not stretch the slider.
    let low = -1;
    let high = 1;
    const widen = (value) => {
      if (value < low) low = value;
      if (value > high) high = value;
    };
    data.sets.forEach((set) => set.logits.forEach((logits) => logits.forEach(widen)));
    data.thresholds.map(([, value]) => value).filter((v) => Math.abs(v) < 100).forEach(widen);
    range.min = field.min = String(Math.floor(low));
    range.max = field.max = String(Math.ceil(high));
    range.step = field.step = high - low > 40 ? "0.05" : "0.01";

    const line = (name, counts, figures, className) => {
      const row = element("tr", "", className);
      const heading = element("th", name);
      heading.scope = "row";
      const cells = [...counts, ...figures.map(percent)].map((text) => element("td", text));
      row.append(heading, ...cells);
      return row;
    };

    const show = () => {
      const sets = sorted[Number(chosen.value)].filter((set) => set.real.length + set.fake.length);
      const figures = sets.map((set) => figuresAt(set, threshold));
      const rows = sets.map((set, i) => line(
        set.name, [number.format(set.real.length), number.format(set.fake.length)], figures[i],
      ));
      const means = [0, 1, 2].map((column) => {
        const known = figures.map((row) => row[column]).filter((value) => value !== null);
        return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
      });
      body.replaceChildren(...rows, line("mean", ["", ""], means, "mean"));

      const chance = probability(threshold).toFixed(3);
      const logit = String(Number(threshold.toPrecision(6)));
      byId("threshold-probability").textContent = chance;
      range.setAttribute("aria-valuetext", `logit ${logit}, probability ${chance}`);
      const of = several ? `, model ${data.models[Number(chosen.value)]}` : "";
      byId("threshold-print").textContent = `Logit ${logit}, probability ${chance}${of}`;
      byId("threshold-buttons").childNodes.forEach((button, i) => {
        button.setAttribute("aria-pressed", String(data.thresholds[i][1] === threshold));
      });
    };

    const move = (value, source) => {
      if (!Number.isFinite(value)) return; // the field is being typed into
      threshold = value;
      if (source !== range) range.value = String(value);
      if (source !== field) field.value = String(Number(value.toPrecision(6)));
      show();
    };

    data.thresholds.forEach(([name, value]) => {
      const button = element("button", name);
      button.type = "button";
      button.addEventListener("click", () => move(value, button));
      byId("threshold-buttons").append(button);
    });
    addOptions(chosen, data.models);
    range.addEventListener("input", () => move(range.valueAsNumber, range));
    field.addEventListener("input", () => move(field.valueAsNumber, field));
    chosen.addEventListener("change", show);
    move(threshold, null);
  };

  // All predictions

  const setUpPredictions = () => {
    const count = data.sets.reduce((sum, set) => sum + set.paths.length, 0);
    const paths = [];
    const sets = new Int32Array(count);
    const labels = new Uint8Array(count);
    const logits = data.models.map(() => new Float64Array(count)); // NaN where a model has none
    data.sets.forEach((set, s) => set.paths.forEach((path, i) => {
      const row = paths.push(path) - 1;
      sets[row] = s;
      labels[row] = Number(set.labels[i]);
      logits.forEach((of, model) => { of[row] = set.logits[model][i] ?? NaN; });
    }));
    const lowered = paths.map((path) => path.toLowerCase());
    const verdicts = logits.map((of) => Float64Array.from(of, (logit, row) => (
      Number.isNaN(logit) ? NaN : Number(logit > data.threshold !== Boolean(labels[row]))
    )));

    // The place of each string among all: sorting then compares numbers.
    const ranks = (strings) => {
      const places = new Map();
      [...new Set(strings)].sort().forEach((text, place) => places.set(text, place));
      return strings.map((text) => places.get(text));
    };
    const ofSets = ranks(data.sets.map((set) => set.name));
    let ofPaths = null; // 90,000 strings: only once somebody sorts by them

    const words = (values, row, ...names) => names[values[row]] ?? "";
    const decimals = (value) => (Number.isNaN(value) ? "" : value.toFixed(4));
    const columns = [
      { title: "test set", text: (row) => data.sets[sets[row]].name, key: (row) => ofSets[sets[row]], className: "words" },
      { title: "path", text: (row) => paths[row], key: (row) => (ofPaths ??= ranks(paths))[row], className: "words path" },
      { title: "label", text: (row) => words(labels, row, "real", "fake"), key: (row) => labels[row], className: "words" },
    ];
    logits.forEach((of, model) => columns.push(
      { title: "logit", model, text: (row) => decimals(of[row]), key: (row) => of[row] },
      { title: "probability", model, text: (row) => decimals(probability(of[row])), key: (row) => of[row] },
      { title: "verdict", model, text: (row) => words(verdicts[model], row, "right", "wrong"), key: (row) => verdicts[model][row], className: "words" },
    ));

    const table = byId("predictions-table");
    const everyRow = Int32Array.from({ length: count }, (_, row) => row);
    let order = everyRow;
    let matching = order;
    let first = 0;

    const show = () => {
      const size = Number(byId("page-size").value);
      const last = Math.max(0, Math.floor((matching.length - 1) / size) * size);
      first = Math.min(Math.max(first, 0), last);
      const shown = matching.subarray(first, first + size);
      table.tBodies[0].replaceChildren(...Array.from(shown, (row) => {
        const line = element("tr");
        columns.forEach((column) => {
          const text = column.text(row);
          const wrong = column.title === "verdict" && text === "wrong" ? " wrong" : "";
          line.append(element("td", text, (column.className ?? "") + wrong));
        });
        return line;
      }));
      byId("row-count").textContent = matching.length
        ? `rows ${number.format(first + 1)} to ${number.format(first + shown.length)} of ${number.format(matching.length)}`
        : "no rows";
      byId("page-first").disabled = byId("page-previous").disabled = first === 0;
      byId("page-last").disabled = byId("page-next").disabled = first === last;
    };

    const filter = () => {
      const text = byId("filter-path").value.toLowerCase();
      const [set, label, verdict] = ["set", "label", "verdict"].map((name) => {
        const { value } = byId(`filter-${name}`);
        return value === "" ? null : Number(value);
      });
      const judged = verdicts[Number(byId("filter-model").value)];
      matching = order.filter((row) => (set === null || sets[row] === set)
        && (label === null || labels[row] === label)
        && (verdict === null || judged[row] === verdict)
        && lowered[row].includes(text));
      first = 0;
      show();
    };

    const sortBy = (column, heading) => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const keys = Float64Array.from(everyRow, column.key);
      // Rows without a value stay last either way.
      order = everyRow.slice().sort((a, b) => {
        const missing = Number(Number.isNaN(keys[a])) - Number(Number.isNaN(keys[b]));
        return missing || (Number.isNaN(keys[a]) ? 0 : direction * (keys[a] - keys[b]));
      });
      filter();
    };

    const headings = element("tr");
    columns.forEach((column) => {
      const heading = element("th", "", column.className);
      const button = element("button", column.title);
      heading.scope = "col";
      button.type = "button";
      if (several && column.model !== undefined) {
        button.append(element("span", ` of ${data.models[column.model]}`, "hidden-words"));
      }
      button.addEventListener("click", () => sortBy(column, heading));
      heading.append(button);
      headings.append(heading);
    });
    if (several) {
      const above = element("tr");
      above.append(element("td"));
      above.firstChild.colSpan = 3;
      data.models.forEach((name) => {
        const heading = element("th", name, "model");
        heading.scope = "colgroup";
        heading.colSpan = 3;
        above.append(heading);
      });
      table.tHead.append(above);
    }
    table.tHead.append(headings);

    addOptions(byId("filter-set"), data.sets.map((set) => set.name));
    addOptions(byId("filter-model"), data.models);
    byId("filter-path").addEventListener("input", filter);
    ["set", "label", "verdict", "model"].forEach((name) => byId(`filter-${name}`).addEventListener("change", filter));
    const turn = (id, place) => byId(id).addEventListener("click", () => { first = place(Number(byId("page-size").value)); show(); });
    turn("page-first", () => 0);
    turn("page-previous", (size) => first - size);
    turn("page-next", (size) => first + size);
    turn("page-last", () => matching.length);
    byId("page-size").addEventListener("change", () => { first = 0; show(); });
    filter();
  };

  // Small images are enlarged by a whole factor, so that their pixels stay pixels.
  const enlarge = (image) => {
    const factor = Math.floor(160 / image.naturalWidth);
    if (factor < 1 || !Number.isFinite(factor)) return;
    image.classList.add("small");
    image.width = factor * image.naturalWidth;
  };
  document.querySelectorAll(".pair img").forEach((image) => {
    if (image.complete) enlarge(image);
    else image.addEventListener("load", () => enlarge(image));
  });

  if (data.models.length) {
    document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
    document.querySelectorAll(".model-field").forEach((part) => { part.hidden = !several; });
    setUpThreshold();
    setUpPredictions();
  }
})();
