"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const plots = read("plots");
const attention = read("attention-data");
const byId = (id) => document.getElementById(id);
const drawn = new Map(); // element -> the plot that it shows

// On a phone, a long title of an axis takes two lines.
function wrapped(title) {
  const middle = title.text.indexOf(" ", title.text.length / 2);
  const long = innerWidth < 600 && title.text.length > 32 && middle > 0;
  return long ? { ...title, text: `${title.text.slice(0, middle)}<br>${title.text.slice(middle + 1)}` } : title;
}

function themed(layout) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--line"), tickcolor: colour("--line") };
  return {
    ...layout,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--text") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } },
    xaxis: { ...layout.xaxis, ...axis, title: wrapped(layout.xaxis.title) },
    yaxis: { ...layout.yaxis, ...axis, title: wrapped(layout.yaxis.title) },
  };
}

function draw(element, plot) {
  drawn.set(element, plot);
  const options = { responsive: true, displayModeBar: false };
  return Plotly.react(element, structuredClone(plot.data), themed(plot.layout), options);
}

for (const element of document.querySelectorAll("[data-plot]")) draw(element, plots[element.dataset.plot]);
for (const select of document.querySelectorAll("[data-switches]")) {
  const show = () => draw(byId(select.dataset.switches), plots[select.value]);
  select.addEventListener("change", show);
  if (select.value) show();
}
for (const select of document.querySelectorAll("[data-shows]")) {
  const name = select.dataset.shows;
  select.addEventListener("change", () => {
    for (const part of document.querySelectorAll(`[data-${name}]`)) part.hidden = part.dataset[name] !== select.value;
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, plot] of drawn) draw(element, plot);
});

// The attention explorer. Weights come as bytes: layer, head, row, column; 255 stands for 1.
const KINDS = {
  cross: ["Cross-attention", "Translation (predicted)", "Source"],
  encoder_self: ["Encoder self-attention", "Source (attending)", "Source (attended to)"],
  decoder_self: ["Decoder self-attention", "Translation (predicted)", "Translation (read before)"],
};
const NAMED = { "<s>": "⟨start⟩", "</s>": "⟨end⟩", "\u2581": "␣" };
const plain = (token) => NAMED[token] || token.replaceAll("\u2581", " ").trim();
const label = (token) => plain(token).replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads some HTML
let weights = []; // rows of columns
let chosenRow = 0;

function options(select, entries) {
  const before = select.value;
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  if (entries.some(([value]) => String(value) === before)) select.value = before;
}

function currentMap() {
  const maps = attention.architectures[byId("architecture").value][byId("sentence").value].maps;
  options(byId("kind"), Object.keys(maps).map((kind) => [kind, KINDS[kind][0]]));
  const map = maps[byId("kind").value];
  for (const [part, count] of [["layer", map.layers], ["head", map.heads]]) {
    const numbers = Array.from({ length: count }, (_, number) => [number, String(number + 1)]);
    options(byId(part), count > 1 ? [["", "mean of all"], ...numbers] : numbers);
  }
  return map;
}

function chosenWeights(map) {
  const bytes = Uint8Array.from(atob(map.weights), (sign) => sign.charCodeAt(0));
  const [rows, columns] = [map.rows.length, map.columns.length];
  const chosen = (part, count) => (byId(part).value === "" ? [...Array(count).keys()] : [Number(byId(part).value)]);
  const [layers, heads] = [chosen("layer", map.layers), chosen("head", map.heads)];
  const scale = 255 * layers.length * heads.length;
  return map.rows.map((_, row) =>
    map.columns.map((_, column) => {
      let sum = 0;
      for (const layer of layers)
        for (const head of heads) sum += bytes[((layer * map.heads + head) * rows + row) * columns + column];
      return sum / scale;
    }),
  );
}

function choose(row) {
  chosenRow = Math.min(row, weights.length - 1);
  [...byId("rows").children].forEach((token, index) => token.setAttribute("aria-pressed", String(index === chosenRow)));
  const most = Math.max(...weights[chosenRow], 1e-9);
  [...byId("columns").children].forEach((token, column) => {
    const weight = weights[chosenRow][column];
    token.style.background = `rgba(var(--attended), ${(0.75 * weight) / most})`;
    token.title = weight.toFixed(3);
  });
  const strongest = weights[chosenRow].indexOf(Math.max(...weights[chosenRow]));
  const [row_, column] = [byId("rows"), byId("columns")].map((side) => side.children);
  byId("explorer-note").textContent =
    `“${row_[chosenRow].textContent}” attends most to “${column[strongest].textContent}” ` +
    `(${(100 * weights[chosenRow][strongest]).toFixed(0)}%).`;
}

function explore() {
  const map = currentMap();
  weights = chosenWeights(map);
  const [, rowLabel, columnLabel] = KINDS[byId("kind").value];
  byId("rows").dataset.label = `${rowLabel}: hover or tap a token`;
  byId("columns").dataset.label = columnLabel;
  byId("rows").replaceChildren(
    ...map.rows.map((text, row) => {
      const token = document.createElement("button");
      token.className = "token";
      token.textContent = plain(text);
      for (const event of ["mouseenter", "focus", "click"]) token.addEventListener(event, () => choose(row));
      return token;
    }),
  );
  byId("columns").replaceChildren(
    ...map.columns.map((text) => {
      const token = document.createElement("span");
      token.className = "token";
      token.textContent = plain(text);
      return token;
    }),
  );
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ticks = (tokens) => ({ tickvals: tokens.map((_, place) => place), ticktext: tokens.map(label) });
  const room = (tokens) => 40 + 8 * Math.max(...tokens.map((token) => plain(token).length));
  const trace = {
    type: "heatmap",
    z: weights,
    text: weights.map((row, y) => row.map((_, x) => `${label(map.rows[y])} → ${label(map.columns[x])}`)),
    hovertemplate: "%{text}<br>weight %{z:.3f}<extra></extra>",
    colorscale: dark ? [[0, "#1b2028"], [1, "#6db3ff"]] : [[0, "#ffffff"], [1, "#0b4f96"]],
    zmin: 0,
    zmax: Math.max(...weights.flat()),
    colorbar: { thickness: 12, title: { text: "weight" } },
  };
  draw(byId("attention-map"), {
    data: [trace],
    layout: {
      margin: { l: room(map.rows), r: 8, t: 8, b: room(map.columns) },
      xaxis: { title: { text: columnLabel, standoff: 8 }, tickangle: -50, showgrid: false, ...ticks(map.columns) },
      yaxis: { title: { text: rowLabel, standoff: 8 }, autorange: "reversed", showgrid: false, ...ticks(map.rows) },
    },
  });
  choose(Math.min(chosenRow, map.rows.length - 1));
}

if (attention.architectures) {
  for (const id of ["sentence", "architecture", "kind", "layer", "head"]) byId(id).addEventListener("change", explore);
  explore();
  for (const event of ["plotly_hover", "plotly_click"])
    byId("attention-map").on(event, (data) => choose(data.points[0].pointIndex[0]));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", explore);
}
