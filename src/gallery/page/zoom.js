// Zoom and pan of the picture on the stage: wheel, drag, pinch, double click.

const zoom = {
  stage: null,
  paper: null,
  size: [1, 1],
  scale: 1,
  x: 0,
  y: 0,
  onchange: () => {},

  fitting() {
    const { clientWidth, clientHeight } = this.stage;
    return Math.min((clientWidth - 24) / this.size[0], (clientHeight - 24) / this.size[1], 1);
  },

  fit() {
    this.scale = this.fitting();
    this.place();
  },

  isFitting() {
    return this.scale <= this.fitting() * 1.001;
  },

  // Zooms by a factor and keeps what is under the point where it is.
  by(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const least = this.fitting();
    const next = Math.min(Math.max(this.scale * factor, least), Math.max(8, least * 8));
    const ratio = next / this.scale;
    this.x = x - (x - this.x) * ratio;
    this.y = y - (y - this.y) * ratio;
    this.scale = next;
    this.place();
  },

  // Between the whole picture and its pixels.
  toggle(x, y) {
    if (this.isFitting()) this.by((this.scale > 0.8 ? 2 : 1) / this.scale, x, y);
    else this.fit();
  },

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.place();
  },

  // A picture that is smaller than the stage is centred, a larger one covers it.
  place() {
    const [width, height] = this.size.map((edge) => edge * this.scale);
    const bounded = (at, length, room) => (length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at)));
    this.x = bounded(this.x, width, this.stage.clientWidth);
    this.y = bounded(this.y, height, this.stage.clientHeight);
    this.paper.style.width = `${width}px`;
    this.paper.style.height = `${height}px`;
    this.paper.style.transform = `translate(${this.x}px, ${this.y}px)`;
    this.paper.classList.toggle("pixels", this.scale >= 4);
    this.stage.classList.toggle("can-pan", !this.isFitting());
    this.onchange(this.scale);
  },

  attach(stage, paper, turn) {
    this.stage = stage;
    this.paper = paper;
    const pointers = new Map();
    let swipe = null;
    const local = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return { length: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
    };
    const onPicture = (event) => !event.target.closest("button, .card");
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (!paper.hidden) this.by(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0022)), ...local(event));
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => {
      if (onPicture(event) && !paper.hidden) this.toggle(...local(event));
    });
    stage.addEventListener("pointerdown", (event) => {
      if (!onPicture(event) || event.button > 0) return;
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, local(event));
      swipe = pointers.size === 1 && event.pointerType === "touch" && this.isFitting() ? local(event) : null;
      stage.classList.add("panning");
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = local(event);
      const was = pointers.size === 2 ? spread() : null;
      pointers.set(event.pointerId, now);
      if (was) {
        const is = spread();
        this.by(is.length / was.length, ...is.middle);
        this.move(is.middle[0] - was.middle[0], is.middle[1] - was.middle[1]);
      } else if (!swipe) {
        this.move(now[0] - before[0], now[1] - before[1]);
      }
    });
    const lift = (event) => {
      const end = pointers.get(event.pointerId);
      pointers.delete(event.pointerId);
      stage.classList.toggle("panning", pointers.size > 0);
      if (!end || !swipe) return;
      const [dx, dy] = [end[0] - swipe[0], end[1] - swipe[1]];
      swipe = null;
      if (Math.abs(dx) > 50 && Math.abs(dx) > 2 * Math.abs(dy)) turn(dx < 0 ? 1 : -1);
    };
    stage.addEventListener("pointerup", lift);
    stage.addEventListener("pointercancel", lift);
    new ResizeObserver(() => {
      if (stage.clientWidth > 0) this.isFitting() || this.scale < this.fitting() ? this.fit() : this.place();
    }).observe(stage);
  },
};
