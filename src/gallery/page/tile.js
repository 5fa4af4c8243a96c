// One tile: a picture, or a card that says why there is none.

function tile(item) {
  const { job, picture } = item;
  const image = picture && !picture.gone ? thumbImage(item) : null;
  const open = el("button", { type: "button", class: `open ${image ? (seenThrough(item) ? "seen-through" : "") : "reason"}`, "aria-label": spoken(item) }, image ?? card(item));
  const element = el("div", { class: "tile", role: "listitem" }, open);
  if (picture) {
    element.append(el("span", { class: "stamp", "aria-hidden": "true" }, glyph("pick")), judge());
  }
  element.append(caption(item));
  element.item = item;
  drawMark(element);
  return element;
}

function thumbImage(item) {
  const image = el("img", { alt: "", decoding: "async", draggable: "false", src: thumbLink(item) });
  image.addEventListener("error", () => {
    // A page that lost its thumbnails still has the pictures.
    if (image.src.startsWith("data:") || image.getAttribute("src") === fullLink(item)) image.replaceWith(card(item, "Can’t be shown"));
    else image.src = fullLink(item);
  });
  return image;
}

function judge() {
  const button = (mark, name, label) =>
    el("button", { type: "button", class: `to-${mark}`, "data-mark": mark, tabindex: "-1", title: label, "aria-label": label }, glyph(name));
  return el("div", { class: "judge" }, button("pick", "pick", "Pick (P)"), button("reject", "reject", "Reject (X)"));
}

function caption(item) {
  const remarks = notes(item);
  const several = item.picture && item.job.params.n > 1;
  return el(
    "div",
    { class: "caption", title: item.label },
    el("span", { class: "id" }, item.short),
    several && el("span", { class: "take" }, `${item.picture.number}/${item.job.params.n}`),
    remarks.length > 0 && el("span", { class: "note", title: remarks.map((note) => note.long).join("\n") }, glyph("warn")),
  );
}

// Shows the mark that an item has now.
function drawMark(element) {
  const mark = marks.of(element.item);
  element.classList.toggle("pick", mark === "pick");
  element.classList.toggle("reject", mark === "reject");
  const stamp = element.querySelector(".stamp use");
  stamp?.setAttribute("href", mark === "reject" ? "#i-reject" : "#i-pick");
  element.querySelector(".open").setAttribute("aria-label", spoken(element.item));
}

// An item in words.
function spoken(item) {
  const { job, picture } = item;
  const mark = marks.of(item);
  const parts = [item.label, STATES[job.state]];
  if (picture) parts.push(`${picture.size[0]} by ${picture.size[1]} pixels`);
  if (job.failure) parts.push(job.failure.message);
  if (mark) parts.push(MARKS[mark]);
  parts.push(...notes(item).map((note) => note.short));
  return parts.join(", ");
}

const BILLED = { yes: "Billed", no: "Not billed", unknown: "It is not known whether it was billed" };

// Why there is no picture.
function card(item, instead) {
  const { job, picture } = item;
  const money = job.credits > 0 ? ` · ${credits(job.credits)}` : "";
  const lines = {
    failed: () => [job.failure?.code, job.failure?.message, `${BILLED[job.failure?.billed] ?? "Billing unknown"}${money}`],
    unknown: () => [null, job.why || "Nobody knows whether the provider took it.", `${credits(job.credits)} at risk`],
    pending: () => [null, null, job.estimate ? `at most ${credits(job.estimate)}` : null],
    in_flight: () => [null, null, job.credits > 0 ? `${credits(job.credits)} reserved` : null],
  };
  const state = picture ? "gone" : job.state;
  const title = instead ?? (picture ? "File is missing" : STATES[job.state]);
  const [code, why, bill] = picture ? [null, picture.path, null] : (lines[state]?.() ?? [null, null, null]);
  const icon = { failed: "failed", unknown: "unknown", gone: "gone", skipped: "skipped", removed: "skipped" }[state] ?? "pending";
  return el(
    "div",
    { class: `card ${state}` },
    el("div", { class: "what" }, glyph(icon), el("span", {}, title)),
    code && el("div", { class: "code" }, code),
    why && el("div", { class: "why" }, why),
    !why && !code && el("div", { class: "prompt" }, job.prompt),
    bill && el("div", { class: "money" }, bill),
  );
}
