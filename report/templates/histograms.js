// The logits of real and of fake images of each test set, and where the threshold cuts them.

const HISTOGRAM = { width: 300, height: 110, bins: 50 };

// The middle 99.8 % of all logits; what lies further out is counted in the outermost bins.
const logitRange = (model) => {
  const all = Float64Array.from(
    sorted[model].flatMap(({ real, fake }) => [...real, ...fake]),
  ).sort();
  if (!all.length) return [-1, 1];
  const at = (share) => all[Math.round(share * (all.length - 1))];
  const [low, high] = [Math.min(at(0.001), -0.5), Math.max(at(0.999), 0.5)];
  return [low - 0.02 * (high - low), high + 0.02 * (high - low)];
};

const binned = (values, low, high) => {
  const counts = new Float64Array(HISTOGRAM.bins);
  values.forEach((value) => {
    const bin = Math.floor(((value - low) / (high - low)) * HISTOGRAM.bins);
    counts[Math.min(Math.max(bin, 0), HISTOGRAM.bins - 1)] += 1 / values.length;
  });
  return counts;
};

const stairs = (shares, highest) => {
  const { width, height, bins } = HISTOGRAM;
  const steps = Array.from(shares, (share, bin) => {
    const top = (height * (1 - share / highest)).toFixed(1);
    return `V${top}H${(((bin + 1) * width) / bins).toFixed(1)}`;
  });
  return `M0,${height}${steps.join("")}V${height}Z`;
};

const ticksOf = (low, high) => {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) ticks.push(k * step);
  return ticks;
};

const setUpHistograms = () => {
  const { width, height } = HISTOGRAM;
  let panels = []; // of the model that is shown: [test set, picture, line]
  let low = -1;
  let high = 1;
  const x = (logit) => Math.min(Math.max(((logit - low) / (high - low)) * width, 0), width);

  const panel = (set) => {
    const { real, fake } = sorted[state.model][set];
    const shares = [binned(real, low, high), binned(fake, low, high)];
    const highest = Math.max(...shares[0], ...shares[1]);
    const picture = drawn("svg", { viewBox: `-8 -4 ${width + 16} ${height + 26}`, role: "img" });
    shares.forEach((its, label) => {
      picture.append(drawn("path", { d: stairs(its, highest), class: label ? "fake" : "real" }));
    });
    picture.append(drawn("path", { d: `M0,${height}H${width}`, class: "axis" }));
    ticksOf(low, high).forEach((tick) => {
      const words = drawn("text", { x: x(tick).toFixed(1), y: height + 18 });
      words.textContent = short(tick);
      picture.append(drawn("path", { d: `M${x(tick).toFixed(1)},${height}v3`, class: "axis" }), words);
    });
    data.marks.forEach(({ of }) => {
      const cut = of[state.model][set];
      if (cut !== null) picture.append(drawn("path", { d: `M${x(cut).toFixed(1)},${height}l-4,7h8Z`, class: "mark" }));
    });
    const line = drawn("path", { class: "cut" });
    picture.append(line);
    const part = element("li");
    part.append(element("p", data.sets[set].name, "path"), picture);
    return [part, set, picture, line];
  };

  const move = () => {
    panels.forEach(([, set, picture, line]) => {
      const cut = cutOf(state.model, set);
      line.setAttribute("d", `M${x(cut).toFixed(1)},-4V${height}`);
      const { tpr, fpr } = figuresAt(state.model, set, cut);
      const parts = [[tpr, "fakes"], [fpr, "real images"]].filter(([share]) => share !== null);
      const words = parts.map(([share, what]) => `${percent(share)} % of the ${what}`);
      picture.setAttribute("aria-label", `Scores of ${data.sets[set].name}; above logit ${short(cut)} are ${words.join(" and ")}`);
    });
  };

  const draw = () => {
    [low, high] = logitRange(state.model);
    panels = data.sets.map((_, set) => set)
      .filter((set) => sorted[state.model][set].real.length + sorted[state.model][set].fake.length)
      .map(panel);
    byId("histograms").replaceChildren(...panels.map(([part]) => part));
    move();
  };

  follow(["mark", "value"], move);
  follow(["model"], draw);
  draw();
};
