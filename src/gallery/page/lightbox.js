// One picture, large, with all that is known of it.

const lightbox = {
  dialog: byId("lightbox"),
  list: [],
  item: null,
  // Set by main.js.
  onopen: () => {},
  onclose: () => {},
  onmark: () => {},

  build() {
    const button = (name, label, act, properties) => iconButton(name, label, act, properties);
    const mark = (kind, name, label) =>
      el("button", { type: "button", class: `mark to-${kind}`, "aria-pressed": "false", title: label, onclick: () => this.mark(kind) }, glyph(name), el("span", {}, kind === "pick" ? "Pick" : "Reject"));
    this.place = el("span", { class: "place" });
    this.percent = el("button", { type: "button", class: "percent zoom", title: "Whole picture or its pixels (0)", onclick: () => zoom.toggle() });
    this.picks = [mark("pick", "pick", "Pick (P)"), mark("reject", "reject", "Reject (X)")];
    const tools = el("div", { class: "tools" }, this.place, ...this.picks, el("span", { class: "spring" }), button("out", "Smaller (−)", () => zoom.by(1 / 1.4), { class: "icon zoom" }), this.percent, button("in", "Larger (+)", () => zoom.by(1.4), { class: "icon zoom" }), button("info", "Details (I)", () => this.bare()));
    this.small = el("img", { alt: "", draggable: "false" });
    this.full = el("img", { alt: "", draggable: "false", decoding: "async" });
    this.paper = el("div", { class: "paper" }, this.small, this.full);
    this.back = el("button", { type: "button", class: "turn back", "aria-label": "Previous", onclick: () => this.turn(-1) }, glyph("prev"));
    this.on = el("button", { type: "button", class: "turn on", "aria-label": "Next", onclick: () => this.turn(1) }, glyph("next"));
    this.reason = el("div", {});
    this.onlyThumb = el("p", { class: "only-thumb", hidden: true }, "Only the thumbnail is here");
    this.stage = el("div", { class: "stage", tabindex: "-1" }, this.paper, this.reason, this.onlyThumb, this.back, this.on);
    this.panel = el("div", { class: "panel", tabindex: "0", role: "region", "aria-label": "Details" });
    this.dialog.append(tools, this.stage, this.panel, iconButton("close", "Close (Escape)", () => this.dialog.close(), { class: "icon leave" }));
    zoom.attach(this.stage, this.paper, (by) => this.turn(by));
    zoom.onchange = (scale) => (this.percent.textContent = `${Math.round(scale * 100)} %`);
    this.full.addEventListener("load", () => { this.full.hidden = false; this.small.hidden = seenThrough(this.item); });
    this.full.addEventListener("error", () => { this.full.hidden = true; this.onlyThumb.hidden = this.paper.hidden; });
    this.dialog.addEventListener("close", () => { this.item = null; this.onclose(); });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    if (window.innerWidth <= 720 && window.innerHeight < 500) this.dialog.classList.add("bare");
  },

  open(item, list) {
    this.list = list;
    if (!this.dialog.open) this.dialog.showModal();
    this.show(item);
    this.stage.focus();
  },

  show(item) {
    const { job, picture } = item;
    this.item = item;
    const at = this.list.indexOf(item);
    this.place.textContent = `${number.format(at + 1)} / ${number.format(this.list.length)}`;
    this.back.disabled = at <= 0;
    this.on.disabled = at < 0 || at + 1 >= this.list.length;
    const seen = Boolean(picture && !picture.gone);
    this.paper.hidden = !seen;
    this.onlyThumb.hidden = true;
    this.reason.replaceChildren(...(seen ? [] : [card(item)]));
    if (seen) this.load(item);
    for (const button of this.picks) button.hidden = !picture;
    for (const button of this.dialog.querySelectorAll(".zoom")) button.hidden = !seen;
    this.panel.replaceChildren(...details(item));
    this.panel.scrollTop = 0;
    this.dialog.setAttribute("aria-label", item.label);
    this.drawMark();
    announce(`${at + 1} of ${this.list.length}: ${spoken(item)}`);
    this.onopen(item);
  },

  load(item) {
    zoom.size = item.picture.size;
    this.paper.classList.toggle("seen-through", seenThrough(item));
    this.small.hidden = false;
    this.small.src = thumbLink(item);
    this.full.hidden = true;
    this.full.alt = item.job.prompt;
    this.full.src = fullLink(item);
    zoom.fit();
    for (const by of [1, -1]) {
      const next = this.list[this.list.indexOf(item) + by];
      if (next?.picture && !next.picture.gone) new Image().src = fullLink(next);
    }
  },

  turn(by) {
    const next = this.list[this.list.indexOf(this.item) + by];
    if (next) this.show(next);
  },

  mark(kind, advance) {
    if (!this.item.picture) return;
    if (advance) marks.set(this.item, kind);
    else marks.toggle(this.item, kind);
    this.onmark(this.item);
    this.drawMark();
    if (advance) this.turn(1);
  },

  drawMark() {
    const mark = marks.of(this.item);
    this.picks[0].setAttribute("aria-pressed", mark === "pick");
    this.picks[1].setAttribute("aria-pressed", mark === "reject");
  },

  bare() {
    this.dialog.classList.toggle("bare");
  },

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      ArrowLeft: () => this.turn(-1),
      ArrowRight: () => this.turn(1),
      " ": () => this.turn(1),
      Home: () => this.list.length && this.show(this.list[0]),
      End: () => this.list.length && this.show(this.list.at(-1)),
      "+": () => zoom.by(1.4),
      "=": () => zoom.by(1.4),
      "-": () => zoom.by(1 / 1.4),
      0: () => zoom.toggle(),
      i: () => this.bare(),
      c: () => copy(this.item.job.prompt, "the prompt"),
      p: () => this.mark("pick", event.shiftKey),
      x: () => this.mark("reject", event.shiftKey),
    };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(acts, key) || (key === " " && event.target.closest("button"))) return;
    event.preventDefault();
    event.stopPropagation();
    acts[key]();
  },
};

// The panel beside the picture.
function details(item) {
  const { job, picture } = item;
  const copying = (label, words, what) => el("button", { type: "button", class: "plain", onclick: () => copy(words, what) }, glyph("copy"), label);
  return [
    el("h2", {}, item.label),
    el("p", { class: "state" }, STATES[job.state]),
    ...notes(item).map((note) => el("p", { class: "remark" }, glyph("warn"), note.long)),
    job.state === "unknown" && el("p", { class: "remark" }, glyph("warn"), "imgbatch resolve decides what became of it; nothing is sent again by itself."),
    job.failure && picture && el("p", { class: "remark failed" }, glyph("failed"), `${job.failure.code}: ${job.failure.message}`),
    el("p", { class: "prompt" }, job.prompt),
    el("div", { class: "copies" }, copying("Prompt", job.prompt, "the prompt"), copying("Id", job.id, "the id"), picture && copying("Path", filePath(item), "the path"), copying("JSON", JSON.stringify(record(item), null, 2), "the JSON")),
    ...table("Axes", Object.entries(job.axes ?? {})),
    ...table("Meta", Object.entries(job.meta ?? {})),
    ...table("Picture", picture ? pictureFacts(item) : []),
    ...table("Order", orderFacts(job)),
  ].filter(Boolean);
}

function pictureFacts({ job, picture }) {
  const file = el("a", { href: link(picture.path), target: "_blank", rel: "noreferrer" }, picture.path);
  return [
    ["Size", `${pixels(picture.size)} pixels`],
    job.size && ["Promised", `${pixels(job.size)} pixels`],
    ["File", picture.gone ? picture.path : file],
    ["Weight", `${bytes(picture.bytes)}, ${picture.format.toUpperCase()}`],
    ["Saved", time(picture.saved_at)],
    ["SHA-256", picture.sha256],
  ];
}

function orderFacts(job) {
  const { params } = job;
  return [
    ["Cost", `${credits(job.credits)}${job.params.n > 1 ? `, ${count(job.params.n, "picture")}` : ""}`],
    job.estimate !== undefined && ["Estimate", credits(job.estimate)],
    ["Model", params.model],
    ["Size", [params.size, params.resolution].filter(Boolean).join(" at ")],
    ["Quality", params.quality],
    params.background && ["Background", params.background],
    ...(params.images ?? []).map((name) => ["Reference", name]),
    params.mask && ["Mask", params.mask],
    ["Submissions", number.format(job.attempts)],
    job.task && ["Task", job.task],
  ];
}

function table(title, rows) {
  const found = rows.filter(Boolean);
  if (found.length === 0) return [];
  const mono = new Set(["SHA-256", "Task", "File"]);
  const cells = found.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: mono.has(name) && "mono" }, value instanceof Node ? value : text(value))]);
  return [el("h3", {}, title), el("dl", {}, ...cells)];
}

// Where the picture lies: for a page from disk the whole path.
function filePath(item) {
  const url = new URL(fullLink(item), location.href);
  return url.protocol === "file:" ? decodeURIComponent(url.pathname) : item.picture.path;
}

// The job as data, without what only the page needs.
function record(item) {
  const pictures = item.job.pictures.map(({ thumb, ...picture }) => picture);
  return { ...item.job, pictures };
}
