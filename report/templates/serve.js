const byId = (id) => document.getElementById(id);
const { maxBytes, thresholds } = JSON.parse(byId("data").textContent);
let asked = 0; // an answer to a file that another has followed is not shown

const tell = (text, isError = false) => {
  byId("status").textContent = text;
  byId("status").className = isError ? "error" : "";
};

const verdictOf = (version) => element("span", version.verdict, `verdict ${version.verdict}`);

const showVersions = (versions) => {
  const logits = [...thresholds, ...versions.map((version) => version.logit)];
  const low = Math.min(...logits);
  const span = Math.max(...logits) - low || 1;
  const place = (logit) => `${4 + (92 * (logit - low)) / span}%`;
  byId("versions").tBodies[0].replaceChildren(...versions.map((version) => {
    const row = element("tr");
    const heading = element("th", version.words);
    heading.scope = "row";
    const shown = element("td", "", "shown");
    shown.append(picture(version.picture, `The image ${version.words}`, 64));
    const verdict = element("td", "", "words");
    verdict.append(verdictOf(version));
    if (version.verdict !== versions[0].verdict) verdict.append(" (changed)");
    const strip = element("td", "", "strip");
    const rail = element("span", "", "rail");
    const dot = element("b", "", version.verdict);
    dot.style.left = place(version.logit);
    rail.append(...thresholds.map((threshold) => {
      const line = element("i");
      line.style.left = place(threshold);
      return line;
    }), dot);
    strip.append(rail);
    const numbers = [version.probability.toFixed(3), version.logit.toFixed(2)];
    row.append(heading, shown, verdict, ...numbers.map((text) => element("td", text)), strip);
    return row;
  }));
  const [first, ...others] = versions;
  const changed = others.filter((version) => version.verdict !== first.verdict);
  byId("holds").textContent = changed.length
    ? `It changes in ${changed.length} of ${others.length} versions: ${changed.map((version) => version.words).join("; ")}.`
    : `It holds in all ${others.length} versions.`;
};

const show = (name, answer) => {
  const [first] = answer.versions;
  byId("name").textContent = name;
  byId("verdict").replaceChildren(
    verdictOf(first),
    ` with probability ${first.probability.toFixed(3)} of being generated (logit ${first.logit.toFixed(2)})`,
  );
  byId("calibrated").textContent = answer.calibrated === null
    ? "" : `Calibrated probability: ${answer.calibrated.toFixed(3)}.`;
  showLook(byId("look"), answer.look, answer.towards);
  showVersions(answer.versions);
  byId("result").hidden = false;
};

const ask = async (files) => {
  if (!files.length) return;
  const [file] = files;
  const number = asked += 1;
  byId("result").hidden = true;
  if (file.size > maxBytes) {
    tell(`${file.name}: holds more than ${maxBytes / 1048576} MiB.`, true);
    return;
  }
  tell(`Scoring ${file.name} …`);
  let answer;
  try {
    const response = await fetch(`/image?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    answer = await response.json();
  } catch {
    answer = { error: "no answer; does the program still run?" };
  }
  if (number !== asked) return;
  if (answer.error) {
    tell(`${file.name}: ${answer.error}.`, true);
    return;
  }
  tell(files.length > 1 ? "One image at a time: the first is shown." : "");
  show(file.name, answer);
};

const drop = byId("drop");
["dragenter", "dragover"].forEach((kind) => document.addEventListener(kind, (event) => {
  event.preventDefault(); // else the browser opens the file
  drop.classList.add("over");
}));
["dragleave", "drop"].forEach((kind) => document.addEventListener(kind, (event) => {
  event.preventDefault();
  drop.classList.remove("over");
}));
document.addEventListener("drop", (event) => ask(event.dataTransfer.files));
byId("file").addEventListener("change", () => {
  ask(byId("file").files);
});
document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
