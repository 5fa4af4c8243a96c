// Picks and rejects, kept in this browser for this run, and the selection
// files that carry them elsewhere (src/job/selection.rs reads them).

const MARKS = { pick: "Picked", reject: "Rejected", open: "Unmarked" };

const marks = {
  storageKey: `imgbatch-marks-${run.key}`,
  table: new Map(),

  // A mark is about one picture: another picture under the same id has none.
  of(item) {
    const found = item.picture && this.table.get(item.key);
    return found && found.sha256 === item.picture.sha256 ? found.mark : null;
  },

  set(item, mark) {
    if (!item.picture) return;
    if (mark) this.table.set(item.key, { mark, sha256: item.picture.sha256 });
    else this.table.delete(item.key);
  },

  toggle(item, mark) {
    this.set(item, this.of(item) === mark ? null : mark);
  },

  all(mark) {
    return items.filter((item) => this.of(item) === mark);
  },

  load() {
    this.table = new Map();
    try {
      for (const [key, entry] of JSON.parse(memory.get(this.storageKey) ?? "[]")) this.table.set(key, entry);
    } catch {
      // What is not ours is left alone until the next mark.
    }
  },

  save() {
    return memory.set(this.storageKey, JSON.stringify([...this.table]));
  },
};

// One job id a line. Where only some pictures of a job are meant, a tab and
// their numbers follow. An id that could be taken for something else is
// written as a JSON string.
function selectionText(mark) {
  const chosen = Map.groupBy(marks.all(mark), (item) => item.job);
  const lines = [...chosen].map(([job, some]) => {
    const id = /^["#\s]|\s$|[\u0000-\u001f]/.test(job.id) ? JSON.stringify(job.id) : job.id;
    const numbers = some.length < job.pictures.length ? `\t${some.map((item) => item.picture.number).join(",")}` : "";
    return `${id}${numbers}\n`;
  });
  const title = `${run.run}: ${mark === "pick" ? "picked" : "rejected"}, ${count(lines.length, "job")}`;
  return `# ${title.replace(/[\u0000-\u001f]/g, " ")}\n${lines.join("")}`;
}

// The items that a selection file names.
function selected(file) {
  const wanted = new Map();
  for (const line of file.replace(/^\ufeff/, "").split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [id, numbers] = line.split("\t");
    const name = id.startsWith('"') ? JSON.parse(id) : id.trimEnd();
    wanted.set(name, numbers ? numbers.split(",").map(Number) : null);
  }
  return items.filter(({ job, picture }) => {
    if (!picture || !wanted.has(job.id)) return false;
    const numbers = wanted.get(job.id);
    return numbers === null || numbers.includes(picture.number);
  });
}
