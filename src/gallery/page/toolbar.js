// The bar at the top: search, thumbnails' size, marks, theme, help, and the
// drawer that holds the sidebar on a phone.

function drawMarksMenu() {
  const [picks, rejects] = [marks.all("pick").length, marks.all("reject").length];
  byId("marks-count").textContent = picks + rejects > 0 ? `${count(picks, "pick")}${rejects > 0 ? `, ${count(rejects, "reject")}` : ""}` : "Picks";
  const entry = (label, act, disabled, hint) => {
    const button = el("button", { type: "button", disabled }, el("span", {}, label), hint && el("kbd", {}, hint));
    button.addEventListener("click", () => {
      byId("marks-menu").open = false;
      act();
    });
    return button;
  };
  const file = (mark) => `${run.run.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-${mark}s.txt`;
  byId("marks-list").replaceChildren(
    el("p", {}, picks + rejects > 0 ? "Kept in this browser, for this run." : "Press P on a picture to pick it and X to reject it. Marks are kept in this browser, for this run."),
    entry("Save picks as a file", () => download(file("pick"), selectionText("pick")), picks === 0),
    entry("Save rejects as a file", () => download(file("reject"), selectionText("reject")), rejects === 0),
    entry("Copy picks", () => copy(selectionText("pick"), count(picks, "pick")), picks === 0),
    el("hr"),
    entry("Load picks from a file…", () => byId("load").click(), false),
    entry("Clear all marks", () => clearMarks(), picks + rejects === 0),
  );
}

function clearMarks() {
  if (!window.confirm(`Clear ${count(marks.table.size, "mark")}?`)) return;
  marks.table.clear();
  marks.save();
  marksChanged();
}

async function loadSelection(input) {
  const [file] = input.files;
  input.value = "";
  if (!file) return;
  try {
    const found = selected(await file.text());
    for (const item of found) marks.set(item, "pick");
    marks.save();
    marksChanged();
    toast(found.length > 0 ? `Picked ${count(found.length, "picture")}` : `${file.name} names no picture of this run`);
  } catch {
    toast(`${file.name} is not a selection file`);
  }
}

const THEMES = { auto: "Colours of the system", light: "Light", dark: "Dark" };

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  memory.set("imgbatch-theme", theme);
  byId("theme").setAttribute("aria-label", `Colours: ${THEMES[theme]}`);
  byId("theme").title = `Colours: ${THEMES[theme]} (T)`;
}

function nextTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const order = dark ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = order[(order.indexOf(now) + 1) % order.length];
  setTheme(next);
  toast(THEMES[next]);
}

const KEYS = [
  ["/", "Search"],
  ["← → ↑ ↓", "Move between pictures"],
  ["Enter", "Open, Escape closes"],
  ["P  X", "Pick or reject; again takes it back"],
  ["Shift P  Shift X", "In a large picture: mark it and go on"],
  ["+  −  0", "Larger, smaller, whole picture or its pixels"],
  ["I", "Details of a large picture"],
  ["C", "Copy its prompt"],
  ["T", "Light, dark, as the system"],
  ["?", "This list"],
];

function buildHelp() {
  const rows = KEYS.flatMap(([keys, what]) => [el("dt", {}, ...keys.split("  ").flatMap((key) => [el("kbd", {}, key), " "])), el("dd", {}, what)]);
  byId("help").append(el("h2", { id: "help-title" }, "Keyboard"), el("dl", {}, ...rows), el("button", { type: "button", class: "plain", onclick: () => byId("help").close() }, "Close"));
}

function drawer(open) {
  byId("side").classList.toggle("out", open);
  byId("shade").hidden = !open;
  byId("drawer-switch").setAttribute("aria-expanded", open);
  if (open) byId("side").querySelector("select, input")?.focus();
}

function buildToolbar() {
  byId("drawer-switch").append(glyph("filter"));
  byId("theme").append(glyph("theme"));
  byId("help-open").append(glyph("help"));
  byId("drawer-switch").addEventListener("click", () => drawer(!byId("side").classList.contains("out")));
  byId("shade").addEventListener("click", () => drawer(false));
  byId("theme").addEventListener("click", nextTheme);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("load").addEventListener("change", (event) => loadSelection(event.target));
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#marks-menu")) byId("marks-menu").open = false;
  });
  buildHelp();
  setTheme(Object.hasOwn(THEMES, memory.get("imgbatch-theme") ?? "") ? memory.get("imgbatch-theme") : "auto");
}
