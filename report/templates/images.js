const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const pageSize = 60;
let looks = null; // megabytes: only once an image is clicked
let matching = [];
let first = 0;
let open = 0; // place in `matching` of the image in the dialog

const lowered = data.paths.map((path) => path.toLowerCase());
const everyImage = data.paths.map((_, index) => index);
const { logits } = data;
const orders = { // the file has them by score, from all digits
  highest: (a, b) => a - b,
  lowest: (a, b) => b - a,
  path: (a, b) => (data.paths[a] < data.paths[b] ? -1 : 1),
};

const score = (index) => {
  const verdict = data.verdicts[data.verdictOf[index]];
  const line = element("span", "", "score");
  line.append(
    element("span", verdict, `verdict ${verdict}`),
    ` ${probability(logits[index]).toFixed(3)}, logit ${logits[index].toFixed(2)}`,
  );
  return line;
};

const card = (index, place) => {
  const item = element("li");
  const button = element("button");
  button.type = "button";
  const around = element("span", "", "thumbnail");
  const thumbnail = data.thumbnails[index];
  around.append(thumbnail ? picture(thumbnail, "", 150) : element("span", "no picture"));
  button.append(around, score(index), element("span", data.paths[index], "name"));
  button.addEventListener("click", () => {
    showDialog(place);
    byId("dialog").showModal();
  });
  item.append(button);
  return item;
};

const show = () => {
  const shown = matching.slice(first, first + pageSize);
  byId("cards").replaceChildren(...shown.map((index, i) => card(index, first + i)));
  byId("count").textContent = matching.length
    ? `images ${number.format(first + 1)} to ${number.format(first + shown.length)} of ${number.format(matching.length)}`
    : "no images";
  byId("previous").disabled = first === 0;
  byId("next").disabled = first + pageSize >= matching.length;
};

const filter = () => {
  const text = byId("filter-path").value.toLowerCase();
  const verdict = byId("filter-verdict").value;
  matching = everyImage
    .filter((index) => lowered[index].includes(text) && (verdict === "" || data.verdictOf[index] === Number(verdict)))
    .sort(orders[byId("sort").value]);
  first = 0;
  show();
};

const showDialog = (place) => {
  open = place;
  const index = matching[place];
  looks ??= JSON.parse(byId("looks").textContent);
  byId("dialog-path").textContent = data.paths[index];
  byId("dialog-score").replaceChildren(score(index));
  const look = looks[index];
  if (look) {
    showLook(byId("dialog-look"), look, logits[index] > data.threshold ? "fake" : "real");
  } else {
    const thumbnail = data.thumbnails[index];
    const note = element("p", "Its score is not among the highest, of which a closer look was taken (--thumbnails, --details).", "note");
    byId("dialog-look").className = "look";
    byId("dialog-look").replaceChildren(...(thumbnail ? [figure(picture(thumbnail, "The image", 320))] : []), note);
  }
  byId("dialog-previous").disabled = place === 0;
  byId("dialog-next").disabled = place === matching.length - 1;
};

const turn = (by) => {
  if (open + by >= 0 && open + by < matching.length) showDialog(open + by);
};

byId("filter-path").addEventListener("input", filter);
["filter-verdict", "sort"].forEach((id) => byId(id).addEventListener("change", filter));
byId("previous").addEventListener("click", () => { first -= pageSize; show(); });
byId("next").addEventListener("click", () => { first += pageSize; show(); });
byId("dialog-previous").addEventListener("click", () => turn(-1));
byId("dialog-next").addEventListener("click", () => turn(1));
byId("dialog-close").addEventListener("click", () => byId("dialog").close());
byId("dialog").addEventListener("click", (event) => {
  if (event.target === byId("dialog")) byId("dialog").close(); // beside it
});
byId("dialog").addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
});
document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
filter();
