// What the page does: a picture becomes the network's input, its outputs become drawings.
const card = JSON.parse(document.getElementById("card").textContent);
const canvas = document.getElementById("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
const status = (text) => { document.getElementById("status").textContent = text; };
const names = card.description.class_names || [];
const joints = card.description.skeleton || [];
let session, ort, last = null, running = null, saved = [];

function bytes(id) {
  const element = document.getElementById(id);
  const text = atob(element.textContent.trim());
  element.remove();
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

async function load() {
  const code = new Blob([bytes("runtime")], { type: "text/javascript" });
  ort = await import(URL.createObjectURL(code));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = bytes("wasm");
  session = await ort.InferenceSession.create(bytes("model"));
  document.getElementById("lens").hidden = !card.inputs.includes("calib");
  status("ready");
}

// The part of a picture that the network sees: input pixel = factor * picture pixel + (x, y).
function view(width, height) {
  const { multiple, less, fixed } = card.sizes;
  const [high, wide] = fixed || card.input_size;
  const next = (side) => (Math.floor((side + less) / multiple) + (less ? 0 : 1)) * multiple - less;
  const up = (side) => Math.max(next(side), card.sizes.smallest);
  const half = Math.floor;
  if (card.framing === "keep_res" && !fixed) {
    const [w, h] = [up(width), up(height)];
    return { w, h, factor: 1, x: w / 2 - half(width / 2), y: h / 2 - half(height / 2) };
  }
  if (card.framing === "natural" && !fixed) {
    const odd = (side) => Math.max(side | (multiple - 1), card.sizes.smallest);
    const [w, h] = [odd(width), odd(height)];
    return { w, h, factor: 1, x: half(w / 2) - half(width / 2), y: half(h / 2) - half(height / 2) };
  }
  const factor = wide / (card.framing === "wide" ? width : Math.max(width, height));
  return { w: wide, h: high, factor, x: wide / 2 - factor * width / 2, y: high / 2 - factor * height / 2 };
}

// Bilinear, in the steps of 1/32 pixel that OpenCV's warpAffine takes; black outside.
function warped(rgba, width, height, seen) {
  const found = new Uint8Array(seen.w * seen.h * 3);
  const at = (x, y, c) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : rgba[4 * (y * width + x) + c];
  for (let v = 0, place = 0; v < seen.h; v++) {
    const row = Math.round((v - seen.y) / seen.factor * 32), y = row >> 5, b = (row & 31) / 32;
    for (let u = 0; u < seen.w; u++) {
      const column = Math.round((u - seen.x) / seen.factor * 32), x = column >> 5, a = (column & 31) / 32;
      for (const c of [2, 1, 0]) {
        const top = (1 - a) * at(x, y, c) + a * at(x + 1, y, c);
        const low = (1 - a) * at(x, y + 1, c) + a * at(x + 1, y + 1, c);
        found[place++] = Math.round((1 - b) * top + b * low);
      }
    }
  }
  return found;
}

// The camera for input pixels, if the middle of the picture is its axis.
function camera(width, height, seen) {
  const asked = Number(document.getElementById("focal").value);
  const focal = (asked || 721.54 * width / 1242) * seen.factor;
  const [x, y] = [seen.factor * width / 2 + seen.x, seen.factor * height / 2 + seen.y];
  return new Float32Array([focal, 0, x, 0, 0, focal, y, 0, 0, 0, 1, 0]);
}

// Detections of a picture of width * height * 4 bytes (RGBA), in its own pixels, best first.
async function detect(rgba, width, height) {
  const seen = view(width, height);
  const picture = warped(rgba, width, height, seen);
  const inputs = { image: new ort.Tensor("uint8", picture, [1, seen.h, seen.w, 3]) };
  const calib = camera(width, height, seen);
  if (card.inputs.includes("calib")) inputs.calib = new ort.Tensor("float32", calib, [1, 3, 4]);
  const out = await session.run(inputs);
  const scores = out.confirmed || out.scores;
  const back = (value, i) => (value - (i % 2 ? seen.y : seen.x)) / seen.factor;
  const count = out.scores.dims[1];
  const part = (name, row) => {
    const size = out[name].data.length / count;
    return Array.from(out[name].data.subarray(row * size, (row + 1) * size));
  };
  const found = [];
  for (let row = 0; row < count; row++) {
    if (!(scores.data[row] > 0)) continue;
    const kind = Number(out.classes.data[row]);
    const one = { score: scores.data[row], class: kind, name: names[kind] || String(kind) };
    one.box = part("boxes", row).map(back);
    for (const name of ["keypoints", "extremes", "landmarks"]) {
      if (out[name]) one[name] = pairs(part(name, row).map(back));
    }
    if (out.masks) one.mask = part("masks", row);
    if (out.locations) {
      Object.assign(one, { location: part("locations", row), dimensions: part("dimensions", row) });
      one.rotation = out.rotations.data[row];
      one.cuboid = cuboid(one, calib).map(([x, y]) => [back(x, 0), back(y, 1)]);
    }
    found.push(one);
  }
  return found.sort((a, b) => b.score - a.score);
}

const pairs = (flat) => flat.filter((_, i) => i % 2 === 0).map((x, i) => [x, flat[2 * i + 1]]);

// The eight corners, below first, in input pixels.
function cuboid({ location, dimensions: [h, w, l], rotation }, p) {
  const [cos, sin] = [Math.cos(rotation), Math.sin(rotation)];
  return [0, -h].flatMap((y) => [[1, 1], [1, -1], [-1, -1], [-1, 1]].map(([i, j]) => {
    const [x, z] = [i * l / 2, j * w / 2];
    const at = [cos * x + sin * z + location[0], y + location[1], cos * z - sin * x + location[2]];
    const depth = at[2] + p[11];
    return [0, 4].map((r) => (p[r] * at[0] + p[r + 1] * at[1] + p[r + 2] * at[2] + p[r + 3]) / depth);
  }));
}

function line(points, closed) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
  context.stroke();
}

function draw(found) {
  const least = Number(document.getElementById("threshold").value);
  context.lineWidth = Math.max(1, canvas.width / 300);
  context.font = `${Math.max(12, canvas.width / 50)}px sans-serif`;
  const shown = found.filter((one) => one.score >= least);
  for (const one of shown) {
    const [x1, y1, x2, y2] = one.box;
    context.strokeStyle = context.fillStyle = `hsl(${(one.class * 67) % 360} 90% 45%)`;
    if (one.cuboid) {
      line(one.cuboid.slice(0, 4), true);
      line(one.cuboid.slice(4), true);
      for (let i = 0; i < 4; i++) line([one.cuboid[i], one.cuboid[i + 4]]);
    } else {
      line([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], true);
    }
    for (const [a, b] of one.keypoints ? joints : []) line([one.keypoints[a], one.keypoints[b]]);
    for (const name of ["keypoints", "extremes", "landmarks"]) {
      for (const [x, y] of one[name] || []) context.fillRect(x - 2, y - 2, 4, 4);
    }
    if (one.mask) mask(one);
    context.fillText(`${one.name} ${one.score.toFixed(2)}`, x1, y1 - 3);
  }
  document.getElementById("rows").innerHTML = "";
  for (const one of shown) {
    const row = document.getElementById("rows").insertRow();
    for (const text of [one.name, one.score.toFixed(4), one.box.map((v) => v.toFixed(1)).join(" ")]) {
      row.insertCell().textContent = text;
    }
  }
}

// A mask is a square of probabilities laid over its box.
function mask({ box: [x1, y1, x2, y2], mask: values }) {
  const side = Math.round(Math.sqrt(values.length));
  context.globalAlpha = 0.4;
  values.forEach((value, i) => {
    if (value < 0.5) return;
    const [u, v] = [i % side, Math.floor(i / side)];
    context.fillRect(x1 + u * (x2 - x1) / side, y1 + v * (y2 - y1) / side, (x2 - x1) / side, (y2 - y1) / side);
  });
  context.globalAlpha = 1;
}

async function show(source, width, height, name) {
  canvas.width = width;
  canvas.height = height;
  context.drawImage(source, 0, 0, width, height);
  const picture = context.getImageData(0, 0, width, height);
  const start = performance.now();
  const found = await detect(picture.data, width, height);
  status(`${name}: ${width} x ${height}, ${(performance.now() - start).toFixed(0)} ms`);
  last = { picture, found, name };
  draw(found);
  return found;
}

function redraw() {
  document.getElementById("shown").textContent =
    Number(document.getElementById("threshold").value).toFixed(2);
  if (!last) return;
  context.putImageData(last.picture, 0, 0);
  draw(last.found);
}

async function play(video, name) {
  running = video;
  saved = [];
  for (let frame = 0; running === video && !video.ended; frame++) {
    const found = await show(video, video.videoWidth, video.videoHeight, `${name}, frame ${frame}`);
    saved.push({ name: `${name} at ${video.currentTime.toFixed(3)} s`, detections: found });
    await new Promise(requestAnimationFrame);
  }
}

function stop() {
  if (running && running.srcObject) running.srcObject.getTracks().forEach((track) => track.stop());
  running = null;
}

async function choose(file) {
  stop();
  const address = URL.createObjectURL(file);
  if (file.type.startsWith("video/")) {
    const video = Object.assign(document.createElement("video"), { src: address, muted: true });
    await video.play();
    return play(video, file.name);
  }
  const picture = await createImageBitmap(file);
  saved = [{ name: file.name, detections: await show(picture, picture.width, picture.height, file.name) }];
}

async function watch() {
  stop();
  const video = Object.assign(document.createElement("video"), { muted: true });
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
  return play(video, "camera");
}

function save() {
  const text = new Blob([JSON.stringify(saved, null, 1)], { type: "application/json" });
  const link = document.createElement("a");
  Object.assign(link, { href: URL.createObjectURL(text), download: "detections.json" }).click();
}

const told = (act) => (...given) => act(...given).catch((error) => status(String(error.message || error)));
document.getElementById("file").onchange = (event) => told(choose)(event.target.files[0]);
document.getElementById("camera").onclick = () => told(watch)();
document.getElementById("stop").onclick = stop;
document.getElementById("save").onclick = save;
document.getElementById("threshold").oninput = redraw;
window.centernet = { ready: load(), detect };
window.centernet.ready.catch((error) => status(String(error.message || error)));
