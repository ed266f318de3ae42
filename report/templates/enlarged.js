// One image enlarged, with everything that is known of it; the arrow keys go to its neighbours.

const setUpEnlarged = () => {
  const dialog = byId("enlarged");
  let rows = [];
  let place = 0;

  const view = (address, words) => {
    const figure = element("figure");
    figure.append(pictureOf(address, ""), element("figcaption", words));
    return figure;
  };
  const fact = (name, value) => [element("dt", name), element("dd", value)];
  const verdictOf = (model, row) => {
    if (Number.isNaN(logits[model][row])) return "not scored";
    const called = logits[model][row] > cutOf(model, setOf[row]) ? "fake" : "real";
    return `logit ${scoreOf(logits[model][row])}, probability ${probability(logits[model][row]).toFixed(4)}: called ${called}, ${isWrong(model, row) ? "wrong" : "right"}`;
  };

  const show = () => {
    const row = rows[place];
    const its = pictures.get(row);
    const partner = partnerOf(row);
    const label = ["real", "fake"][labelOf[row]];
    const views = its ? [view(its.image, `${label}, as the network saw it`)] : [element("p", "There is no picture of this image in the report.", "missing")];
    if (its) {
      Object.entries(its.heatmaps).forEach(([model, address]) => {
        const start = data.marks[data.start].of[model][setOf[row]] ?? 0;
        const verdict = logits[model][row] > start ? "fake" : "real";
        views.push(view(address, `Grad-CAM${several ? ` of ${data.models[model]}` : ""}: evidence for “${verdict}”`));
      });
    }
    if (partner !== null && pictures.has(partner)) {
      views.push(view(pictures.get(partner).image, `its partner, ${["real", "fake"][labelOf[partner]]}`));
    }
    byId("enlarged-title").textContent = pathOf[row];
    byId("enlarged-views").replaceChildren(...views);
    byId("enlarged-legend").hidden = !its || !Object.keys(its.heatmaps).length;
    byId("enlarged-facts").replaceChildren(
      ...fact("test set", data.sets[setOf[row]].name),
      ...fact("label", label),
      ...data.models.flatMap((name, model) => fact(several ? name : "score", verdictOf(model, row))),
      ...(its ? fact("size of the file", `${its.width} × ${its.height} pixels`) : []),
      ...(partner === null ? [] : fact("partner", `${pathOf[partner]}: ${verdictOf(state.model, partner)}`)),
    );
    byId("enlarged-place").textContent = `${number.format(place + 1)} of ${number.format(rows.length)}`;
    byId("enlarged-previous").disabled = place === 0;
    byId("enlarged-next").disabled = place === rows.length - 1;
  };

  const go = (step) => {
    const wanted = Math.min(Math.max(place + step, 0), rows.length - 1);
    if (wanted === place) return;
    place = wanted;
    show();
  };
  byId("enlarged-previous").addEventListener("click", () => go(-1));
  byId("enlarged-next").addEventListener("click", () => go(1));
  byId("enlarged-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step) { event.preventDefault(); go(step); }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  return (list, at) => {
    [rows, place] = [list, at];
    show();
    dialog.showModal();
  };
};
let enlarge = () => {};
