// The page's data, and its elements. Names come from file names: they go into the page as text
// only, never as markup.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const several = data.models.length > 1;
const number = new Intl.NumberFormat("en");

const element = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
};

const drawn = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
};

const button = (text, onClick, className = "") => {
  const made = element("button", text, className);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
};

const addOptions = (select, names) => {
  names.forEach((name, value) => {
    const option = element("option", name);
    option.value = String(value);
    select.append(option);
  });
};

const percent = (fraction) => (fraction === null ? "" : (100 * fraction).toFixed(2));
const short = (value) => String(Number(value.toPrecision(6)));
const plural = (count, word) => `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;
const scoreOf = (logit) => (Number.isNaN(logit) ? "" : logit.toFixed(4));
