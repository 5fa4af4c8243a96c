// What is shown and how: a plain value, its form in the page's address, and
// the items that it lets through. Nothing here touches the page.

const MISSING = "\u0000none";

const SORTS = {
  order: { label: "Manifest", of: (item) => item.place },
  id: { label: "Id", of: (item) => item.job.id },
  time: { label: "Time", of: (item) => item.picture?.saved_at ?? null },
  cost: { label: "Cost", of: (item) => item.job.credits },
  bytes: { label: "File size", of: (item) => item.picture?.bytes ?? null },
  prompt: { label: "Prompt", of: (item) => item.job.prompt },
};

const usualScale = () => (window.innerWidth <= 720 ? 150 : 210);

const emptyView = () => ({
  q: "",
  filters: new Map(),
  least: null,
  most: null,
  group: "",
  across: "",
  sort: "order",
  down: false,
  scale: null,
  open: null,
});

function viewOf(fragment) {
  const view = emptyView();
  const amount = (value) => (value !== "" && Number.isFinite(Number(value)) ? Number(value) : null);
  for (const [key, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (key === "q") view.q = value;
    else if (key === "group" && column(value)) view.group = value;
    else if (key === "across" && column(value)) view.across = value;
    else if (key === "sort" && Object.hasOwn(SORTS, value)) view.sort = value;
    else if (key === "down") view.down = value === "1";
    else if (key === "least") view.least = amount(value);
    else if (key === "most") view.most = amount(value);
    else if (key === "scale") view.scale = Math.min(Math.max(amount(value) ?? 210, 90), 420);
    else if (key === "open") view.open = value;
    else if (key.startsWith("f.") && column(key.slice(2))) toggleFilter(view, key.slice(2), value === "" ? MISSING : value, true);
  }
  if (!view.group || view.across === view.group) view.across = "";
  return view;
}

function fragmentOf(view) {
  const parts = new URLSearchParams();
  if (view.q) parts.set("q", view.q);
  for (const [key, values] of view.filters) {
    for (const value of values) parts.append(`f.${key}`, value === MISSING ? "" : value);
  }
  for (const key of ["least", "most", "scale"]) if (view[key] !== null) parts.set(key, view[key]);
  for (const key of ["group", "across"]) if (view[key]) parts.set(key, view[key]);
  if (view.sort !== "order") parts.set("sort", view.sort);
  if (view.down) parts.set("down", "1");
  if (view.open) parts.set("open", view.open);
  const written = parts.toString();
  return written ? `#${written}` : "#";
}

function toggleFilter(view, key, value, on) {
  const values = view.filters.get(key) ?? new Set();
  if (on) values.add(value);
  else values.delete(value);
  if (values.size > 0) view.filters.set(key, values);
  else view.filters.delete(key);
}

const isNarrowed = (view) => Boolean(view.q) || view.filters.size > 0 || view.least !== null || view.most !== null;

// The items that pass, and how many of each value would pass if its own
// column's filter were not there.
function sift(view) {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  const filters = [...view.filters].map(([key, values]) => ({ column: column(key), values }));
  // What the manifest no longer names is shown on request.
  const quiet = !view.filters.has("state");
  const tallies = new Map(columns.map((column) => [column, new Map()]));
  const passing = [];
  for (const item of items) {
    if (!words.every((word) => item.haystack.includes(word))) continue;
    if (view.least !== null && item.job.credits < view.least) continue;
    if (view.most !== null && item.job.credits > view.most) continue;
    const failing = filters.filter(({ column, values }) => !values.has(column.of(item) ?? MISSING)).map(({ column }) => column);
    const hidden = quiet && item.job.state === "removed";
    if (failing.length === 0 && !hidden) passing.push(item);
    if (failing.length > 1) continue;
    for (const column of columns) {
      if (failing.length === 1 && failing[0] !== column) continue;
      if (hidden && column.key !== "state") continue;
      const value = column.of(item) ?? MISSING;
      const tally = tallies.get(column);
      tally.set(value, (tally.get(value) ?? 0) + 1);
    }
  }
  return { items: sorted(passing, view), tallies };
}

const collator = new Intl.Collator(undefined, { numeric: true });

function sorted(passing, view) {
  if (view.sort === "order") return view.down ? passing.reverse() : passing;
  const { of } = SORTS[view.sort];
  const sign = view.down ? -1 : 1;
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  return passing
    .map((item) => [of(item), item])
    .sort(([a, x], [b, y]) => {
      // What has no such value stands at the end either way.
      if (a === null || b === null) return (a === null) - (b === null) || x.place - y.place;
      return sign * compare(a, b) || x.place - y.place;
    })
    .map(([, item]) => item);
}

// The values of a column, in the order of the manifest.
function valuesOf(column) {
  if (column.key === "state") return Object.keys(STATES);
  if (column.key === "mark") return [...Object.keys(MARKS), MISSING];
  column.values ??= [...new Set(items.map((item) => column.of(item) ?? MISSING))].sort(
    (a, b) => (a === MISSING) - (b === MISSING) || (column.table === "axes" ? 0 : collator.compare(a, b)),
  );
  return column.values;
}

const valueName = (column, value) => named(column, value === MISSING ? null : value);
