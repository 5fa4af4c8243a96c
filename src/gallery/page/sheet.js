// The contact sheet on the page: of ten thousand tiles only those near the
// window exist.

const sheet = {
  scroller: byId("scroller"),
  canvas: byId("canvas"),
  items: [],
  layout: { rows: [], height: 0 },
  drawn: new Map(),
  current: null,
  hovered: null,

  // Shows these items in this view. With `stay`, what was at the top stays there.
  show(found, view, stay) {
    const anchor = stay ? this.topItem() : null;
    this.items = found;
    this.layout = arrange(found, view, this.scroller.clientWidth);
    this.index();
    this.drawn.clear();
    this.canvas.replaceChildren();
    if (this.layout.heads) this.canvas.append(plotHeads(this.layout.heads));
    this.headHeight = this.canvas.firstChild?.offsetHeight ?? 0;
    this.canvas.style.height = `${this.layout.height + this.headHeight}px`;
    this.canvas.style.width = this.layout.heads ? `${this.layout.width}px` : "";
    if (!found.includes(this.current)) this.current = found[0] ?? null;
    if (anchor) this.scroller.scrollTop = anchor.offset + (this.rowOf(anchor.item)?.top ?? 0);
    else if (!stay) this.scroller.scrollTop = 0;
    this.draw();
  },

  // Finds an item's row, and its neighbours in reading order.
  index() {
    this.rows = new Map();
    this.order = [];
    this.layout.rows.forEach((row) => {
      for (const { item } of row.places ?? []) {
        if (!item) continue;
        this.rows.set(item, row);
        this.order.push(item);
      }
    });
    this.places = new Map(this.order.map((item, at) => [item, at]));
  },

  rowOf(item) {
    return this.rows?.get(item);
  },

  topItem() {
    const row = this.layout.rows[this.firstRow(this.scroller.scrollTop)];
    const item = row?.places?.find((place) => place.item)?.item;
    return item && this.scroller.scrollTop > 0 ? { item, offset: this.scroller.scrollTop - row.top } : null;
  },

  // The first row that ends below `y`.
  firstRow(y) {
    let [low, high] = [0, this.layout.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = this.layout.rows[middle];
      if (row.top + row.height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  },

  draw() {
    const { scrollTop, clientHeight } = this.scroller;
    const wanted = new Set();
    const ahead = clientHeight * 0.75;
    for (let at = this.firstRow(scrollTop - ahead); at < this.layout.rows.length; at += 1) {
      if (this.layout.rows[at].top > scrollTop + clientHeight + ahead) break;
      wanted.add(this.layout.rows[at]);
    }
    for (const [row, element] of this.drawn) {
      // What has the focus stays, wherever it is.
      if (wanted.has(row) || element.contains(document.activeElement)) continue;
      element.remove();
      this.drawn.delete(row);
    }
    for (const row of wanted) {
      if (this.drawn.has(row)) continue;
      const element = this.drawRow(row);
      this.drawn.set(row, element);
      this.canvas.append(element);
    }
  },

  drawRow(row) {
    const element = el("div", { class: `row ${row.kind === "plot" ? "plot-row" : ""} ${row.last ? "last" : ""}`, role: "presentation" });
    element.style.top = `${row.top + this.headHeight}px`;
    element.style.height = `${row.height}px`;
    if (row.kind === "heading") element.append(groupHeading(row.group));
    if (row.kind === "plot") {
      const side = el("div", { class: "plot-side" }, row.name);
      side.style.width = `${row.side}px`;
      element.append(side);
    }
    for (const place of row.places ?? []) element.append(this.drawPlace(place, row));
    return element;
  },

  drawPlace(place, row) {
    const element = place.item ? tile(place.item) : el("div", { class: "void", "aria-hidden": "true" });
    element.style.left = `${place.left}px`;
    element.style.width = `${place.width}px`;
    if (place.top !== undefined) element.style.top = `${place.top}px`;
    if (!place.item) {
      element.style.height = `${place.height}px`;
      return element;
    }
    const open = element.querySelector(".open");
    open.style.height = `${place.height}px`;
    // A card ends with a whole line.
    element.style.setProperty("--lines", Math.max(1, Math.floor((place.height - 96) / 18)));
    open.tabIndex = place.item === this.current ? 0 : -1;
    element.setAttribute("aria-setsize", this.order.length);
    element.setAttribute("aria-posinset", this.places.get(place.item) + 1);
    if (row.kind === "plot" && place.width < 130) element.querySelector(".card")?.classList.add(place.width < 90 ? "tiny" : "small");
    return element;
  },

  tileOf(item) {
    const row = this.drawn.get(this.rowOf(item));
    return row && [...row.children].find((child) => child.item === item);
  },

  // Makes an item the one that the keyboard is at.
  focus(item) {
    const row = this.rowOf(item);
    if (!row) return;
    const before = this.current && this.tileOf(this.current);
    if (before) before.querySelector(".open").tabIndex = -1;
    this.current = item;
    const { scrollTop, clientHeight } = this.scroller;
    const [top, bottom] = [row.top - 8, row.top + this.headHeight + row.height + 8];
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.scroller.scrollTop = bottom - clientHeight;
    this.draw();
    const open = this.tileOf(item).querySelector(".open");
    open.tabIndex = 0;
    open.focus({ preventScroll: !this.layout.heads });
  },

  // The item that an arrow leads to.
  neighbour(item, key) {
    const at = this.places.get(item) ?? 0;
    if (key === "ArrowLeft") return this.order[at - 1];
    if (key === "ArrowRight") return this.order[at + 1];
    if (key === "Home") return this.order[0];
    if (key === "End") return this.order.at(-1);
    const here = this.rowOf(item);
    const rows = this.layout.rows.filter((row) => row.places?.some((place) => place.item));
    const next = rows[rows.indexOf(here) + (key === "ArrowDown" ? 1 : -1)];
    if (!next) return undefined;
    const mine = here.places.find((place) => place.item === item);
    const distance = (place) => Math.abs(place.left + place.width / 2 - mine.left - mine.width / 2);
    return next.places.filter((place) => place.item).sort((a, b) => distance(a) - distance(b))[0].item;
  },

  redrawMark(item) {
    const element = this.tileOf(item);
    if (element) drawMark(element);
  },
};

function groupHeading(group) {
  return el("h2", { class: "group" }, el("span", {}, group.name), el("span", { class: "of" }, number.format(group.items.length)));
}

function plotHeads(heads) {
  const cells = heads.names.map((name) => el("div", { class: "plot-head", title: name }, name));
  const element = el("div", { class: "plot-heads", role: "presentation" }, el("div", { class: "plot-corner" }, heads.corner), ...cells);
  element.style.gridTemplateColumns = `${heads.side}px repeat(${cells.length}, ${heads.cell}px)`;
  return element;
}
