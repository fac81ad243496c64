"use strict";
// Sorting: a click on a column's heading; another click turns the order round.
const number = (cell) => {
  if ("number" in cell.dataset) return Number(cell.dataset.number);
  const found = cell.textContent.replace(/,(?=\d{3})/g, "").match(/^\s*[+-]?(\d+(\.\d+)?(e[+-]?\d+)?|∞)/);
  return found ? Number(found[0].replace("∞", "Infinity")) : NaN;
};
const compare = (one, other) => {
  const numbers = [number(one), number(other)];
  if (numbers.every((value) => !Number.isNaN(value))) return numbers[0] - numbers[1];
  if (numbers.some((value) => !Number.isNaN(value))) return Number.isNaN(numbers[0]) ? 1 : -1;
  return one.textContent.localeCompare(other.textContent, "en", { numeric: true });
};
const sortable = (table) => {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      // what the label alone gives away stands below the model that predicted it, and goes with it
      const below = (row) => [...row.cells].some((cell) => cell.textContent === "predicted class mean");
      const rows = [];
      for (const row of body.rows) {
        if (below(row) && rows.length) rows.at(-1).push(row);
        else rows.push([row.cells[column], row]);
      }
      const missing = (cell) => /^\s*(–|failed|not run|$)/.test(cell.textContent);
      const place = (one, other) =>
        missing(one) || missing(other) ? missing(one) - missing(other) : (down ? -1 : 1) * compare(one, other);
      rows.sort(([one], [other]) => place(one, other));
      body.append(...rows.flatMap(([, ...block]) => block));
    });
  });
};
document.querySelectorAll("table.sortable, article table").forEach(sortable);

// Filters: of the images and of the table of all models.
const form = document.querySelector(".filters");
const filtered = [...document.querySelectorAll(".filtered")];
const filter = () => {
  const chosen = [...form.querySelectorAll("select")].filter((one) => one.value);
  // an honest model has no beta_R, and stays to be compared with
  const fits = (item) =>
    chosen.every((one) => item.dataset[one.name] === one.value || (one.name === "beta" && !item.dataset.beta));
  for (const item of filtered) item.hidden = !fits(item);
  for (const group of document.querySelectorAll(".group")) {
    group.hidden = group.querySelector(".filtered:not([hidden])") === null;
  }
  const shown = (kind) => filtered.filter((item) => item.matches(kind) && !item.hidden).length;
  const words = [["tr", "rows"], [".card", "galleries"]].filter(([kind]) => filtered.some((item) => item.matches(kind)));
  form.querySelector("output").value = words.map(([kind, word]) => `${shown(kind)} ${word}`).join(", ");
};
for (const select of form.querySelectorAll("select")) {
  const values = new Set(filtered.map((item) => item.dataset[select.name]).filter(Boolean));
  select.append(...[...values].map((value) => new Option(value, value)));
  const cards = filtered.filter((item) => item.matches(".card"));
  if (select.name === "attack" && values.has("best") && (!cards.length || cards.some((item) => item.dataset.attack === "best")))
    select.value = "best";
  select.addEventListener("change", filter);
}
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = filtered.length === 0;
filter();

// The slider: from all originals to all reconstructions.
const fade = document.getElementById("fade");
if (fade) {
  const show = () => {
    for (const image of document.querySelectorAll(".reconstruction")) image.style.opacity = fade.value / 100;
    fade.setAttribute("aria-valuetext", `${fade.value}% reconstruction`);
  };
  fade.addEventListener("input", show);
  for (const image of document.querySelectorAll(".under")) image.hidden = false;
  fade.closest(".slide").hidden = false;
  show();
}
