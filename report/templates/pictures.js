// The pictures: those that the page shows without this script stand in it, the others in its data.

const pictures = new Map(); // row -> width and height of the file, address, addresses by model
JSON.parse(byId("pictures").textContent).forEach((lines, set) => {
  lines.forEach(([place, width, height, image, heatmaps]) => {
    pictures.set(firstRow[set] + place, { width, height, image, heatmaps });
  });
});
document.querySelectorAll("[data-picture]").forEach((image) => {
  const [set, path] = [Number(image.dataset.set), image.dataset.picture];
  const its = pictures.get(firstRow[set] + data.sets[set].paths.indexOf(path));
  if (image.dataset.heatmap) its.heatmaps[0] = image.src;
  else its.image = image.src;
});
const hasHeatmaps = [...pictures.values()].some(({ heatmaps }) => Object.keys(heatmaps).length);

// Small images are enlarged by whole pixels, so that these stay pixels.
const SMALL = 64;
const pictureOf = (address, text) => {
  const image = element("img");
  image.alt = text;
  if (!address.startsWith("data:")) image.loading = "lazy";
  image.addEventListener("load", () => {
    image.classList.toggle("small", Math.max(image.naturalWidth, image.naturalHeight) <= SMALL);
  });
  image.src = address;
  return image;
};
