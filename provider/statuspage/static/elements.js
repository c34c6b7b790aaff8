// Elements out of data. Whatever others wrote becomes a text node: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  for (const each of children.flat()) {
    if (each !== null && each !== undefined && each !== false) element.append(each);
  }
  return element;
}

// Make `old` like `now`, element by element, so that what has the focus or a selection keeps it.
export function morph(old, now) {
  if (old.nodeName !== now.nodeName) return old.replaceWith(now);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const after = [...now.childNodes];
  for (const each of [...old.childNodes].slice(after.length)) each.remove();
  const before = [...old.childNodes];
  after.forEach((each, at) => (at < before.length ? morph(before[at], each) : old.append(each)));
}

export function words(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  return value === null || value === undefined ? "" : String(value);
}

export function sign(health, text) {
  return el("span", { class: `sign ${health ?? "unknown"}` }, text);
}

// Roles are said, for in a narrow window the cells of a row stand one below another.
export function table(caption, columns, rows, cell = (row, key) => words(row[key])) {
  const heads = columns.map(({ heading }) => el("th", { scope: "col", role: "columnheader" }, heading));
  const lines = rows.map((row) =>
    el("tr", { role: "row" }, columns.map(({ heading, key }) => {
      const inside = cell(row, key);
      return el("td", { role: "cell", "data-heading": heading, class: inside === "" ? "empty" : null }, inside);
    })));
  return el("table", { role: "table" },
    el("caption", {}, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
    el("tbody", { role: "rowgroup" }, lines));
}
