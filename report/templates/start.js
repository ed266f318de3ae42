// Bring the page to life: what needs this script appears, what only stands in for it goes.

// Folded parts are printed, too.
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("main details:not([open])")];
  folded.forEach((part) => { part.open = true; });
});
window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));

// Figures of many panels stay folded where a panel takes the width of the page.
const hasRoom = matchMedia("(min-width: 40.01rem)").matches;
document.querySelectorAll("details.panelled").forEach((part) => { part.open = hasRoom; });

if (data.models.length) {
  document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
  document.querySelectorAll(".unscripted").forEach((part) => { part.hidden = true; });
  document.querySelectorAll(".model-field").forEach((part) => { part.hidden = !several; });
  enlarge = setUpEnlarged();
  setUpThreshold();
  setUpHistograms();
  setUpMistakes();
  if (several) setUpDisagreements();
  setUpPredictions();
  readAddress();
  window.addEventListener("hashchange", readAddress);
}
