// The pictures of one image, for the pages of predict.py and tools.serve. Names come from file
// names: they go into a page as text only, never as markup.
const element = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
};

const number = new Intl.NumberFormat("en");

const probability = (logit) => 1 / (1 + Math.exp(-logit));

// Up to 128 pixels a picture is enlarged by a whole factor, so that its pixels stay pixels.
const picture = (source, words, side) => {
  const image = element("img");
  image.alt = words;
  image.addEventListener("load", () => {
    const factor = Math.floor(side / Math.max(image.naturalWidth, image.naturalHeight));
    if (factor < 2) return;
    image.classList.add("tiny");
    image.width = factor * image.naturalWidth;
  });
  image.src = source;
  return image;
};

const figure = (image, ...below) => {
  const made = element("figure");
  const around = element("div", "", "around");
  around.append(image);
  made.append(around, ...below);
  return made;
};

// `look` is as report/look.py writes it; `towards` is the verdict that the map is the evidence for.
const showLook = (place, look, towards) => {
  const side = 320;
  const size = `${number.format(look.width)}×${number.format(look.height)} pixels`;
  const whole = figure(
    picture(look.picture, "The image", side),
    element("figcaption", look.frame ? `${size}; what was scored lies in the frame.` : `${size}, all of them scored.`),
  );
  if (look.frame) {
    const frame = element("div", "", "frame");
    ["left", "top", "width", "height"].forEach((name, i) => {
      frame.style[name] = `${100 * look.frame[i]}%`;
    });
    whole.firstChild.append(frame);
  }
  const figures = [whole];
  if (look.heat) {
    const scale = element("div", "", "scale");
    scale.append(element("span", "none"), element("i"), element("span", "most"));
    const caption = `Evidence for “${towards}” in what was scored (Grad-CAM), as a share of its strongest place.`;
    figures.push(figure(picture(look.heat, `Map of the evidence for ${towards}`, side), scale, element("figcaption", caption)));
  }
  const square = `${look.spectrumSide}×${look.spectrumSide}`;
  const caption = `Spectrum of the residual (grey minus its 5×5 median) of the middle ${square} pixels, log magnitude, frequency 0 in the middle. Bright spots or a grid of them are periodic traces.`;
  figures.push(figure(picture(look.spectrum, "Spectrum of the residual", side), element("figcaption", caption)));
  place.replaceChildren(...figures);
  place.className = "look";
};
