// Puts the parts together: one view, drawn whenever it changes.

let view = viewOf(location.hash);
let found = [];

// Changes the view by some of its fields, or by a function.
function change(how) {
  if (typeof how === "function") how(view);
  else Object.assign(view, how);
  if (!view.group) view.across = "";
  remember();
  refresh();
}

// The address carries the view, so that it can be shared and reloaded.
function remember(push) {
  const fragment = fragmentOf(view);
  if (fragment === (location.hash || "#")) return;
  const state = push ? { opened: true } : history.state;
  history[push ? "pushState" : "replaceState"](state, "", fragment);
}

function refresh(stay) {
  const sifted = sift(view);
  found = sifted.items;
  sheet.show(found, view, stay);
  drawArrange(view, change);
  drawFacets(view, sifted.tallies, change);
  drawChips(view, foundWords(), change);
  const empty = found.length === 0;
  byId("empty").hidden = !empty;
  byId("canvas").hidden = empty;
  if (empty) drawEmpty();
  if (document.activeElement !== byId("search")) byId("search").value = view.q;
  byId("scale").value = view.scale ?? usualScale();
  announce(foundWords());
}

function foundWords() {
  const pictures = found.filter((item) => item.picture).length;
  const others = found.length - pictures;
  const all = isNarrowed(view) ? ` of ${number.format(items.filter((item) => item.picture).length)}` : "";
  const left = sheet.layout.left ?? 0;
  return [
    `${number.format(pictures)}${all} picture${pictures === 1 && !all ? "" : "s"}`,
    others > 0 && `${count(others, "job")} without one`,
    left > 0 && `${number.format(left)} have no place in this grid`,
  ].filter(Boolean).join(", ");
}

function drawEmpty() {
  const clear = el("button", { type: "button", class: "plain", onclick: () => change(emptyView()) }, "Show everything");
  const words = items.length === 0 ? "This run has no jobs yet." : "Nothing here fits all of these filters.";
  byId("empty").replaceChildren(el("span", {}, words), isNarrowed(view) ? clear : "");
}

// A mark was set, here or in another window.
function marksChanged(item) {
  drawMarksMenu();
  const matters = view.filters.has("mark") || view.group === "mark" || view.across === "mark";
  if (item && !matters) {
    sheet.redrawMark(item);
    drawFacets(view, sift(view).tallies, change);
    return;
  }
  const next = item && document.activeElement?.closest?.(".tile") ? sheet.neighbour(item, "ArrowRight") ?? sheet.neighbour(item, "ArrowLeft") : null;
  refresh(true);
  if (item && next && !lightbox.dialog.open) sheet.focus(found.includes(item) ? item : next);
}

function mark(item, kind) {
  if (!item?.picture) return;
  marks.toggle(item, kind);
  marked(item);
}

function marked(item) {
  if (!marks.save()) toast("This browser keeps no marks: save them as a file");
  const now = marks.of(item);
  announce(`${item.label}: ${MARKS[now ?? "open"]}`);
  marksChanged(item);
}

function sheetKeys(event) {
  const typing = event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (byId("side").classList.contains("out")) drawer(false);
    byId("marks-menu").open = false;
    if (event.target === byId("search")) byId("search").blur();
    return;
  }
  if (typing && typing.type !== "checkbox" && typing.type !== "range") return;
  const focused = event.target.closest(".tile")?.item;
  const acts = {
    "/": () => byId("search").select(),
    "?": () => byId("help").showModal(),
    t: nextTheme,
    p: () => mark(focused ?? sheet.hovered, "pick"),
    x: () => mark(focused ?? sheet.hovered, "reject"),
  };
  const key = event.key.toLowerCase();
  if (Object.hasOwn(acts, key)) {
    event.preventDefault();
    acts[key]();
  } else if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key) && !typing) {
    const target = focused ? sheet.neighbour(focused, event.key) : event.target === document.body ? sheet.current : null;
    if (focused || target) event.preventDefault();
    if (target) sheet.focus(target);
  }
}

function openItem(item) {
  sheet.current = item;
  lightbox.open(item, sheet.order);
}

function followFragment() {
  const next = viewOf(location.hash);
  const same = fragmentOf({ ...next, open: null }) === fragmentOf({ ...view, open: null });
  view = next;
  if (!same) refresh();
  const item = view.open === null ? null : items.find((candidate) => candidate.key === view.open);
  if (item && lightbox.item !== item) lightbox.open(item, sheet.order.includes(item) ? sheet.order : [item]);
  else if (!item && lightbox.dialog.open) lightbox.dialog.close();
}

function connectLightbox() {
  lightbox.build();
  lightbox.onmark = marked;
  lightbox.onopen = (item) => {
    const fresh = view.open === null;
    view.open = item.key;
    remember(fresh);
  };
  lightbox.onclose = () => {
    const last = items.find((item) => item.key === view.open);
    if (view.open !== null) {
      view.open = null;
      // The Back of a phone closes the picture; closing it takes that step back.
      if (history.state?.opened) history.back();
      else remember();
    }
    if (last) sheet.focus(last);
  };
}

function connectSheet() {
  let waiting = false;
  sheet.scroller.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      sheet.draw();
    });
  }, { passive: true });
  sheet.canvas.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    const judged = event.target.closest("[data-mark]");
    if (!tile) return;
    if (judged) mark(tile.item, judged.dataset.mark);
    else openItem(tile.item);
  });
  sheet.canvas.addEventListener("pointerover", (event) => (sheet.hovered = event.target.closest(".tile")?.item ?? null));
  sheet.canvas.addEventListener("pointerleave", () => (sheet.hovered = null));
  let width = sheet.scroller.clientWidth;
  new ResizeObserver(() => {
    if (sheet.scroller.clientWidth !== width) {
      width = sheet.scroller.clientWidth;
      sheet.show(found, view, true);
    }
  }).observe(sheet.scroller);
}

function start() {
  document.title = `${run.run} – imgbatch gallery`;
  byId("run").textContent = run.run;
  const pictures = jobs.reduce((sum, job) => sum + job.pictures.length, 0);
  const spent = jobs.reduce((sum, job) => sum + job.credits, 0);
  byId("summary").textContent = `${count(pictures, "picture")} · ${credits(spent)}`;
  byId("summary").title = `As of ${time(run.made_at)}`;
  marks.load();
  buildToolbar();
  connectLightbox();
  connectSheet();
  drawMarksMenu();
  refresh();
  byId("search").addEventListener("input", (event) => change({ q: event.target.value.trim() }));
  byId("scale").addEventListener("input", (event) => {
    view.scale = Number(event.target.value);
    remember();
    sheet.show(found, view, true);
  });
  document.addEventListener("keydown", sheetKeys);
  window.addEventListener("hashchange", followFragment);
  window.addEventListener("storage", (event) => {
    if (event.key !== marks.storageKey) return;
    marks.load();
    marksChanged();
  });
  if (view.open !== null) followFragment();
}

start();
