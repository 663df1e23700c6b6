"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const make = (tag, text, name) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
};
const minus = (text) => text.replace(/(^|[^\w.])-(?=\d)/g, "$1\u2212");
const signed = (value) => {
  const text = value.toFixed(1);
  return Number(text) === 0 ? "0.0" : minus((value > 0 ? "+" : "") + text);
};

// Sorting: numbers where cells have them, else words; a second click turns it round.
function sortable(table) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (head && event.target.closest("button")) sort(table, head);
  });
}
function sort(table, head) {
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") !== "descending";
  const words = head.classList.contains("w");
  const turn = down !== words ? -1 : 1;
  const key = (row) => {
    const cell = row.cells[column];
    if (words) return cell.textContent;
    const value = cell.dataset.v ?? cell.textContent.replace("\u2212", "-");
    return value.trim() === "" ? NaN : Number.parseFloat(value);
  };
  const keyed = [...table.tBodies[0].rows].map((row) => [key(row), row]);
  keyed.sort(([a], [b]) => {
    if (words) return turn * a.localeCompare(b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return turn * (a - b);
  });
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.tBodies[0].replaceChildren(...keyed.map(([, row]) => row));
  for (const [, row] of keyed) row.classList.remove("first");
}

// The heat map: one condition at a time, languages by family until a column is sorted.
const heat = document.getElementById("heat");
const picker = document.getElementById("condition");
function choices() {
  const models = new Set(data.heat.conditions.map((one) => one.model));
  for (const kind of ["gain", "score"]) {
    const group = make("optgroup");
    group.label = kind === "gain" ? "Gains over the baseline" : "Scores";
    data.heat.conditions.forEach((one, number) => {
      if (one.kind !== kind) return;
      const option = make("option", models.size > 1 ? `${one.name} (${one.model})` : one.name);
      option.value = String(number);
      group.append(option);
    });
    if (group.children.length) picker.append(group);
  }
  picker.value = String(data.heat.first);
}
function draw() {
  const one = data.heat.conditions[Number(picker.value)];
  if (!one) return;
  const gains = one.kind === "gain";
  const head = make("tr");
  const titles = [["language", "w"], ["family", "w family"], ["script", "w script"], ["mean", ""]];
  const marked = data.heat.targets.map((target, at) => [target, "", one.marks[at]]);
  for (const [text, name, mark] of [...titles, ...marked]) {
    const cell = make("th", undefined, name);
    cell.scope = "col";
    const button = make("button", text);
    button.type = "button";
    cell.append(button);
    if (mark) cell.append(make("sup", mark));
    head.append(cell);
  }
  heat.tHead.replaceChildren(head);
  heat.classList.toggle("narrow", data.heat.targets.length < 7);
  const values = one.cells.flat().filter(Boolean).map((cell) => cell[0]);
  const low = Math.min(...values), high = Math.max(...values);
  const rows = [];
  let family = "";
  data.heat.languages.forEach(([code, name, kin, script], at) => {
    const cells = one.cells.map((column) => column[at]);
    const have = cells.filter(Boolean);
    if (!have.length) return;
    const row = make("tr", undefined, kin === family ? "" : "first");
    family = kin;
    const label = make("th", name);
    label.scope = "row";
    label.title = code;
    row.append(label, make("td", kin, "w family"), make("td", script, "w script"));
    const mean = one.means[at];
    const whole = mean ? painted(mean[0], gains, low, high) : make("td", "");
    if (mean?.[1]) whole.append(make("sup", mean[1]));
    row.append(whole);
    cells.forEach((cell, target) => {
      const node = cell ? painted(cell[0], gains, low, high) : make("td", "");
      if (cell) {
        const [value, from, to] = cell;
        const run = data.heat.runs[one.runs[target]];
        const place = run.languages.indexOf(code);
        const n = run.n[place] == null ? "" : `, n = ${run.n[place].toLocaleString("en")}`;
        const seeds = run.seeds.length ? `${run.seeds.length} seed${run.seeds.length > 1 ? "s" : ""}` : "no training";
        node.title = `${name}, ${data.heat.targets[target]}${n}\n${seeds}, 95 % interval ${show(from, gains)} to ${show(to, gains)}`;
        const button = make("button", node.textContent);
        button.type = "button";
        button.addEventListener("click", () => tell(one, target, at, value, from, to));
        node.replaceChildren(button);
      }
      row.append(node);
    });
    rows.push(row);
  });
  heat.tBodies[0].replaceChildren(...rows);
  const legend = document.querySelector(".legend");
  const bar = make("i", undefined, gains ? "" : "scores");
  const ends = gains ? [signed(-data.heat.full), signed(data.heat.full)] : [low.toFixed(0), high.toFixed(0)];
  legend.replaceChildren(make("span", ends[0]), bar, make("span", ends[1]));
}
const show = (value, gains) => (gains ? signed(value) : value.toFixed(1));
function painted(value, gains, low, high) {
  const share = gains ? Math.min(1, Math.abs(value) / data.heat.full) : (value - low) / (high - low || 1);
  const node = make("td", show(value, gains), gains && value < 0 ? "loss" : "gain");
  node.style.setProperty("--t", share.toFixed(2));
  node.dataset.v = String(value);
  return node;
}

// What a cell is made of: values by seed, items, and the ids of the steps that hold them.
const box = document.getElementById("cell");
function tell(one, target, at, value, from, to) {
  const [code, name] = data.heat.languages[at];
  const gains = one.kind === "gain";
  box.querySelector("h3").textContent = `${one.name}: ${name} on ${data.heat.targets[target]}`;
  const body = box.querySelector("div");
  const unit = gains ? "points over the baseline" : "percent";
  body.replaceChildren(make("p", `${show(value, gains)} ${unit}, 95 % interval ${show(from, gains)} to ${show(to, gains)}.`));
  for (const number of [one.runs[target], gains ? one.base[target] : null]) {
    if (number === null || number === undefined) continue;
    const run = data.heat.runs[number];
    const place = run.languages.indexOf(code);
    const n = run.n[place] == null ? "" : `, n = ${run.n[place].toLocaleString("en")} in ${run.groups.toLocaleString("en")} groups or more`;
    const table = make("table");
    const title = table.insertRow();
    const what = make("th", `${run.path}${n}`, "w");
    what.colSpan = 3;
    title.append(what);
    run.values[place].forEach((score, seed) => {
      const row = table.insertRow();
      row.append(make("td", run.seeds.length ? `seed ${run.seeds[seed]}` : "no seed", "w"), make("td", score.toFixed(1)));
      row.append(make("td", run.scores[place][seed] ?? "", "w step"));
    });
    const link = make("a", "weights and other steps");
    link.href = `#${run.anchor}`;
    link.addEventListener("click", () => box.close());
    body.append(table, link);
  }
  box.showModal();
}
box.querySelector(".close").addEventListener("click", () => box.close());
box.addEventListener("click", (event) => event.target === box && box.close());

// Charts take their colours from the page, so that they follow light, dark and paper.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function config() {
  const [ink, soft, grid] = ["--ink", "--soft", "--grid"].map(colour);
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent", font, view: {stroke: null}, padding: 2,
    axis: {labelColor: soft, titleColor: soft, titleFontWeight: 400, gridColor: grid, domain: false, ticks: false, labelFontSize: 12, titleFontSize: 12.5, labelPadding: 7, titlePadding: 10},
    axisY: {labelColor: soft}, header: {labelColor: ink, labelFontSize: 13, labelFontWeight: 600, title: null},
    legend: {labelColor: soft, labelFontSize: 12.5, symbolStrokeWidth: 2.5, columnPadding: 18, rowPadding: 4, offset: 14},
    title: {color: ink, fontSize: 13, fontWeight: 600, anchor: "start", frame: "group", offset: 14},
  };
}
function fitted(spec, width) {
  const copy = structuredClone(spec);
  const beside = copy.spacing?.column; // where a panel's axis labels stand
  if (copy.concat) {
    const wanted = copy.concat[0].width;
    copy.columns = Math.max(1, Math.min(copy.columns, copy.concat.length, Math.floor(width / (wanted + beside))));
    const panel = Math.min(Math.floor((width - 8) / copy.columns) - beside, wanted * 1.6);
    for (const one of copy.concat) one.width = panel;
  }
  const narrow = (node) => {
    for (const value of Object.values(node)) if (value && typeof value === "object") narrow(value);
    if (node.legend?.columns) Object.assign(node.legend, {columns: Math.max(1, Math.floor(width / 170)), labelLimit: 150});
    if (node.labelLimit) node.labelLimit = Math.min(node.labelLimit, width / 2.4);
  };
  narrow(copy);
  return copy;
}
async function charts() {
  for (const place of document.querySelectorAll(".chart")) {
    const spec = fitted(data.charts[place.dataset.chart], place.clientWidth);
    await vegaEmbed(place, spec, {actions: false, renderer: "svg", config: config()});
  }
}

choices();
draw();
picker.addEventListener("change", draw);
document.querySelectorAll("table.sortable").forEach(sortable);
const unfold = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.closest("details")) target.closest("details").open = true;
};
addEventListener("hashchange", unfold);
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#run-"]');
  if (link) document.getElementById("steps").open = true;
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
for (const media of ["(prefers-color-scheme: dark)", "print"]) matchMedia(media).addEventListener("change", charts);
unfold();
charts().then(() => { document.documentElement.dataset.ready = String(Math.round(performance.now())); });
})();
