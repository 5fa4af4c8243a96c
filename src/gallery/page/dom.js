// Elements without markup: what a stranger wrote becomes text or an
// attribute's value, and never anything else.

const byId = (id) => document.getElementById(id);

function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function glyph(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const iconButton = (name, label, onclick, properties = {}) =>
  el("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick, ...properties }, glyph(name));

// Says something to people who listen.
function announce(words) {
  byId("status").textContent = words;
}

let toastTimer = 0;
function toast(words) {
  const element = byId("toast");
  element.textContent = words;
  // A dialog covers the page; what it says must stand inside it.
  (document.querySelector("dialog[open]") ?? document.body).append(element);
  element.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element.classList.remove("shown"), 1800);
  announce(words);
}

async function copy(words, what) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    // Pages from disk may not have a clipboard of their own.
    const area = el("textarea", { class: "unseen", readonly: true });
    area.value = words;
    const before = document.activeElement;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    before?.focus();
  }
  toast(`Copied ${what}`);
}

function download(name, words) {
  const href = URL.createObjectURL(new Blob([words], { type: "text/plain;charset=utf-8" }));
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

const memory = {
  get(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  set(key, value) {
    try { localStorage.setItem(key, value); return true; } catch { return false; }
  },
};
