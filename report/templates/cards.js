// Pictures in a list: click one to enlarge it among its neighbours.

// `models` are those whose scores it shows; Grad-CAM is that of the first.
const card = (rows, place, models) => {
  const row = rows[place];
  const its = pictures.get(row);
  const part = element("li");
  const open = button("", () => enlarge(rows, place), "card");
  const views = element("span", "", "views");
  if (its) {
    views.append(pictureOf(its.image, ""));
    if (its.heatmaps[models[0]]) views.append(pictureOf(its.heatmaps[models[0]], ""));
  } else {
    views.append(element("span", "no picture", "missing"));
  }
  const scores = models.map((model) => logits[model][row].toFixed(2)).join(" / ");
  open.append(views, element("span", scores, "score"));
  open.setAttribute("aria-label", `Enlarge ${pathOf[row]}, logit ${scores}`);
  part.append(open, element("span", pathOf[row], "path"));
  return part;
};

// A titled list that shows the first of `rows`, and more on demand; `total` counts also those of
// which there is no picture, and `toAll` shows these in the table of all predictions.
const cardList = ({ level, title, rows, total, models, toAll }) => {
  const part = element("div", "", "kind");
  const heading = element(level, title);
  const count = element("span", "", "of");
  const list = element("ul", "", "cards");
  const more = button("Show more", () => show(list.children.length + data.cards), "more");
  heading.append(" ", count);
  const show = (most) => {
    const shown = Math.min(most, rows.length);
    for (let place = list.children.length; place < shown; place += 1) list.append(card(rows, place, models));
    count.textContent = `${number.format(shown)} of ${number.format(total)}`;
    more.hidden = shown === rows.length;
  };
  show(data.cards);
  part.append(heading);
  if (rows.length) part.append(list);
  part.append(more);
  if (total > rows.length) part.append(button(`All ${number.format(total)} in the table`, toAll, "more"));
  return part;
};

const showInTable = (filter) => {
  change({ set: "", label: "", verdict: "", text: "", order: "wrong", falling: false, ...filter });
  goTo("predictions");
};
