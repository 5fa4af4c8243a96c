// Where everything stands: rows of tiles that keep their shapes, headings of
// groups, or the grid of two axes. Numbers only; `sheet.js` draws them.

const GAP = 10;
const NARROW = 6;
const CAPTION = 28;
const HEADING = 44;

function arrange(found, view, width) {
  const scale = view.scale ?? usualScale();
  const edge = width < 600 ? 10 : 16;
  if (view.group && view.across) return plot(found, view, width, scale);
  const rows = [];
  let top = 0;
  for (const group of groupsOf(found, view.group)) {
    if (group.name !== undefined) {
      rows.push({ kind: "heading", top, height: HEADING, group });
      top += HEADING;
    }
    for (const row of justified(group.items, width - 2 * edge, scale)) {
      for (const place of row.places) place.left += edge;
      rows.push({ kind: "tiles", top, ...row });
      top += row.height + GAP;
    }
  }
  return { rows, width, height: top + 24 };
}

function groupsOf(found, key) {
  if (!key) return [{ items: found }];
  const by = column(key);
  const groups = Map.groupBy(found, (item) => by.of(item) ?? MISSING);
  return valuesOf(by).filter((value) => groups.has(value)).map((value) => ({ name: valueName(by, value), items: groups.get(value) }));
}

// Rows as wide as the sheet, as high as wanted or a little less; the last one
// is not stretched.
function* justified(list, width, scale) {
  let row = [];
  let sum = 0;
  const finish = (height) => {
    let left = 0;
    const places = row.map((item) => {
      const place = { item, left, width: item.aspect * height, height };
      left += place.width + GAP;
      return place;
    });
    row = [];
    sum = 0;
    return { places, height: height + CAPTION };
  };
  for (const item of list) {
    row.push(item);
    sum += item.aspect;
    const fitting = (width - GAP * (row.length - 1)) / sum;
    if (fitting <= scale) yield finish(Math.max(fitting, scale * 0.55));
  }
  if (row.length > 0) yield finish(Math.min(scale, (width - GAP * (row.length - 1)) / sum));
}

// Rows are the values of one axis, columns those of the other; a cell holds
// every picture that has both, in as many lines as it takes.
function plot(found, view, width, scale) {
  const [down, over] = [column(view.group), column(view.across)];
  const placed = found.filter((item) => down.of(item) !== null && over.of(item) !== null);
  const cells = Map.groupBy(placed, (item) => JSON.stringify([down.of(item), over.of(item)]));
  const present = (by) => {
    const values = new Set(placed.map((item) => by.of(item)));
    return valuesOf(by).filter((value) => values.has(value));
  };
  const [downs, overs] = [present(down), present(over)];
  const most = [...cells.values()].reduce((most, cell) => Math.max(most, cell.length), 1);
  const side = width < 600 ? 84 : 150;
  const roomy = (width - side - 16) / Math.max(overs.length, 1);
  const cell = Math.max(Math.min(roomy, scale * 1.7), scale * 0.75);
  const lanes = Math.min(Math.ceil(Math.sqrt(most)), Math.max(1, Math.floor(cell / 72)));
  const tileWidth = (cell - GAP - (lanes - 1) * NARROW) / lanes;
  const shapes = placed.map((item) => item.aspect).sort((a, b) => a - b);
  const tileHeight = tileWidth / (shapes[Math.floor(shapes.length / 2)] ?? 1);
  const rows = [];
  let top = 0;
  for (const value of downs) {
    const line = overs.map((other) => cells.get(JSON.stringify([value, other])) ?? []);
    const lines = line.reduce((most, cell) => Math.max(most, Math.ceil(cell.length / lanes)), 1);
    for (let nth = 0; nth < lines; nth += 1) {
      const [first, last] = [nth === 0, nth === lines - 1];
      const places = line.flatMap((list, at) => {
        const here = list.slice(nth * lanes, (nth + 1) * lanes);
        return (first && list.length === 0 ? [null] : here).map((item, lane) => ({
          item,
          left: side + at * cell + GAP / 2 + lane * (tileWidth + NARROW),
          top: first ? GAP / 2 : 0,
          width: tileWidth,
          height: tileHeight,
        }));
      });
      const height = tileHeight + (first ? GAP / 2 : 0) + (last ? GAP / 2 : NARROW);
      rows.push({ kind: "plot", top, height, places, last, name: first ? valueName(down, value) : "", side });
      top += height;
    }
  }
  const heads = { side, cell, corner: `${down.label} × ${over.label}`, names: overs.map((value) => valueName(over, value)) };
  return { rows, width: Math.max(width, side + cell * overs.length + 8), height: top + 24, heads, left: found.length - placed.length };
}
