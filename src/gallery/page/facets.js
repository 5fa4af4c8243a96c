// The sidebar: how to arrange, and what to filter by.

const FIRST_VALUES = 8;
const unfolded = new Set();
const expanded = new Set();

function choice(id, label, options, value, onchange) {
  const select = el("select", { id, onchange: (event) => onchange(event.target.value) });
  for (const [key, name] of options) select.append(el("option", { value: key, selected: key === value }, name));
  return [el("label", { for: id }, label), select];
}

function drawArrange(view, change) {
  const groups = columns.filter((column) => column.table || ["state", "mark", "size", "quality"].includes(column.key));
  const names = groups.filter((column) => valuesOf(column).length > 1).map((column) => [column.key, column.label]);
  const [sortLabel, sort] = choice("sort", "Sort by", Object.entries(SORTS).map(([key, { label }]) => [key, label]), view.sort, (value) => change({ sort: value }));
  const direction = iconButton(view.down ? "down" : "up", view.down ? "Descending" : "Ascending", () => change({ down: !view.down }));
  direction.classList.add("direction");
  direction.id = "direction";
  const parts = [
    ...choice("group", "Group by", [["", "Nothing"], ...names], view.group, (value) => change({ group: value, across: value ? view.across : "" })),
    ...(view.group ? choice("across", "Across", [["", "Nothing"], ...names.filter(([key]) => key !== view.group)], view.across, (value) => change({ across: value })) : []),
    sortLabel,
    el("div", { class: "pair" }, sort, direction),
  ];
  keepFocus(() => byId("arrange").replaceChildren(...parts));
}

function drawFacets(view, tallies, change) {
  const shown = columns.filter((column) => {
    if (column.key === "note") return [...tallies.get(column).keys()].some((value) => value !== MISSING);
    return column.key === "state" || column.key === "mark" || valuesOf(column).length > 1 || view.filters.has(column.key);
  });
  keepFocus(() => byId("facets").replaceChildren(...shown.map((column) => facet(column, view, tallies.get(column), change)), costFacet(view, change)));
}

function facet(column, view, tally, change) {
  const chosen = view.filters.get(column.key) ?? new Set();
  const values = valuesOf(column).filter((value) => tally.has(value) || chosen.has(value));
  const all = expanded.has(column.key) || values.length <= FIRST_VALUES + 2;
  const shown = all ? values : values.filter((value, at) => at < FIRST_VALUES || chosen.has(value));
  // Many values are a list to search, not to read: closed until wanted.
  const open = chosen.size > 0 || (unfolded.has(column.key) ? !unfolded.has(`-${column.key}`) : values.length <= 12);
  const details = el("details", { class: "facet", open }, el("summary", {}, column.label, column.table === "meta" && el("small", {}, "meta")));
  details.addEventListener("toggle", () => {
    unfolded.add(column.key);
    if (details.open) unfolded.delete(`-${column.key}`);
    else unfolded.add(`-${column.key}`);
  });
  const list = el("ul", {}, ...shown.map((value) => facetValue(column, value, tally.get(value) ?? 0, chosen.has(value), change)));
  details.append(list);
  if (!all) {
    const more = el("button", { type: "button", class: "more", id: `more.${column.key}` }, `Show all ${values.length}`);
    more.addEventListener("click", () => {
      expanded.add(column.key);
      change({});
    });
    details.append(more);
  }
  return details;
}

function facetValue(column, value, amount, checked, change) {
  const box = el("input", { type: "checkbox", id: `f.${column.key}.${value}`, checked });
  box.addEventListener("change", () => change((view) => toggleFilter(view, column.key, value, box.checked)));
  const name = valueName(column, value);
  return el("li", {}, el("label", { class: value === MISSING && "none", title: name }, box, el("span", { class: "name" }, name), el("span", { class: "count" }, number.format(amount))));
}

function costFacet(view, change) {
  const field = (id, label, value) => {
    const input = el("input", { class: "number", id, type: "number", min: 0, step: "any", inputmode: "decimal", "aria-label": label, placeholder: label, value });
    input.addEventListener("change", () => change({ [id]: input.value === "" ? null : Number(input.value) }));
    return input;
  };
  return el(
    "details",
    { class: "facet", open: true },
    el("summary", {}, "Cost of the job", el("small", {}, "credits")),
    el("div", { class: "range" }, field("least", "from", view.least), el("span", {}, "to"), field("most", "to", view.most)),
  );
}

// Redrawing what holds the focus gives it back.
function keepFocus(draw) {
  const id = document.activeElement?.id;
  const scroll = byId("side").scrollTop;
  draw();
  byId("side").scrollTop = scroll;
  if (id && document.activeElement?.id !== id) byId(id)?.focus({ preventScroll: true });
}

function drawChips(view, found, change) {
  const chips = [];
  const chip = (name, remove) =>
    chips.push(el("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${name}`, onclick: () => change(remove) }, el("span", {}, name), glyph("close")));
  if (view.q) chip(`“${view.q}”`, { q: "" });
  for (const [key, values] of view.filters) {
    for (const value of values) {
      const name = `${column(key).label}: ${valueName(column(key), value)}`;
      chip(name, (view) => toggleFilter(view, key, value, false));
    }
  }
  if (view.least !== null) chip(`from ${credits(view.least)}`, { least: null });
  if (view.most !== null) chip(`up to ${credits(view.most)}`, { most: null });
  if (chips.length > 1) {
    chips.push(el("button", { type: "button", class: "clear", onclick: () => change({ q: "", filters: new Map(), least: null, most: null }) }, "Clear all"));
  }
  byId("chips").replaceChildren(el("span", { class: "found" }, found), ...chips);
}
