// What the page knows: the run, its jobs, and one item a picture. A job that
// has no picture to show is one item as well.

const [run, ...jobs] = JSON.parse(document.getElementById("data").textContent);

const STATES = {
  succeeded: "Succeeded",
  failed: "Failed",
  unknown: "Unknown outcome",
  in_flight: "Under way",
  pending: "Waiting",
  skipped: "Skipped",
  removed: "Removed from the manifest",
};

const items = jobs.flatMap((job) => {
  const shown = job.pictures.map((picture) => ({ job, picture }));
  const complete = job.state === "succeeded" || job.state === "removed" || job.state === "skipped";
  return complete && shown.length > 0 ? shown : [...shown, { job, picture: null }];
});

items.forEach((item, place) => {
  const { job, picture } = item;
  item.place = place;
  item.key = JSON.stringify([job.id, picture ? picture.number : 0]);
  item.haystack = `${job.id}\n${job.prompt}`.toLowerCase();
  item.short = shortId(job);
  item.label = job.params.n > 1 && picture ? `${job.id} (${picture.number})` : job.id;
  const size = picture ? picture.size : job.size;
  // A card needs room for its reason; a picture is never wider than a banner.
  const shape = size ? size[0] / size[1] : 1;
  item.aspect = picture && !picture.gone ? Math.min(Math.max(shape, 0.4), 3) : Math.max(Math.min(shape, 1.8), 1.15);
});

// The id without what the names of axes repeat on every tile.
function shortId({ id, axes }) {
  return Object.keys(axes ?? {}).reduce((short, axis) => short.replace(`${axis}=`, ""), id);
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const own = (table, name) => (table && Object.hasOwn(table, name) ? text(table[name]) : null);
const pixels = (size) => (size ? `${size[0]} × ${size[1]}` : null);

// The picture came in another size than the rules promise.
const otherSize = ({ job, picture }) =>
  Boolean(picture && job.size && (job.size[0] !== picture.size[0] || job.size[1] !== picture.size[1]));

// What items can be filtered and grouped by; `of` is null where it has none.
const columns = [
  { key: "state", label: "State", of: (item) => item.job.state, name: (value) => STATES[value] ?? value },
  { key: "mark", label: "Marks", of: (item) => (item.picture ? (marks.of(item) ?? "open") : null), name: (value) => MARKS[value] ?? value, none: "No picture" },
  ...tableColumns("axes", "axis"),
  ...tableColumns("meta", "meta"),
  { key: "size", label: "Size", of: (item) => pixels(item.picture ? item.picture.size : item.job.size) },
  { key: "quality", label: "Quality", of: (item) => item.job.params.quality },
  { key: "note", label: "Notes", of: (item) => notes(item)[0]?.short ?? null },
];

function tableColumns(table, prefix) {
  const names = new Set(jobs.flatMap((job) => Object.keys(job[table] ?? {})));
  return [...names].map((name) => ({
    key: `${prefix}.${name}`,
    label: name,
    table,
    of: (item) => own(item.job[table], name),
  }));
}

const column = (key) => columns.find((candidate) => candidate.key === key);
const named = (column, value) => (value === null ? (column.none ?? "none") : column.name ? column.name(value) : value);

// What is remarkable about an item.
function notes({ job, picture }) {
  const found = [];
  if (otherSize({ job, picture })) {
    found.push({ short: "Another size", long: `Promised ${pixels(job.size)} pixels, received ${pixels(picture.size)}.` });
  }
  if (picture?.gone) {
    found.push({ short: "File is missing", long: `${picture.path} is not beside this page's ledger any more. The next run fetches it again while its link lives.` });
  }
  for (const { kind, detail, like, distance } of picture?.found ?? []) {
    const similar = () => `Nearly the same as ${like}: ${count(distance ?? 0, "bit")} of 64 differ to the eye.`;
    const words = {
      damaged: () => ({ short: "Damaged", long: `imgbatch check: ${detail ?? "the file is not what was recorded"}.` }),
      blank: () => ({ short: "Blank", long: `imgbatch check: ${detail ?? "the picture is one colour, or nearly"}.` }),
      similar: () => ({ short: "Similar", long: similar() }),
    };
    if (Object.hasOwn(words, kind)) found.push(words[kind]());
  }
  if (job.state === "succeeded" && job.pictures.length < job.params.n) {
    found.push({ short: "Fewer pictures", long: `${job.params.n} pictures were ordered and ${job.pictures.length} came.` });
  }
  return found;
}

// Links, relative to this page. Every part of a path is a name, whatever it holds.
const link = (path) => run.base.split("/").concat(path.split("/")).filter(Boolean).map(encodeURIComponent).join("/");
const fullLink = (item) => link(item.picture.path);
function thumbLink(item) {
  const { thumb } = item.picture;
  if (!thumb) return fullLink(item);
  return thumb.startsWith("data:image/") ? thumb : link(thumb);
}

const seenThrough = ({ job }) => job.params.background === "transparent";

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const count = (amount, word) => `${number.format(amount)} ${word}${amount === 1 ? "" : "s"}`;
const credits = (amount) => `${number.format(amount)} credit${amount === 1 ? "" : "s"}`;
const time = (ms) => new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(ms);
const bytes = (size) => (size < 1e6 ? `${number.format(size / 1e3)} kB` : `${number.format(size / 1e6)} MB`);
