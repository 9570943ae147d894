// Ingredients, containers and stations as SVG. An item is drawn on its underside's middle (0, 0) and grows upwards.

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const kindOf = (name) => name.replace(/[0-9]+$/, "");

const SHAPES = {
  topbun: (w, h) => `M${-w / 2},0 C${-w / 2},${-h * 0.9} ${-w / 3},${-h} 0,${-h} C${w / 3},${-h} ${w / 2},${-h * 0.9} ${w / 2},0 Z`,
  bottombun: (w, h) => `M${-w / 2},${-h} H${w / 2} V${-h * 0.5} Q${w / 2},0 ${w / 2 - 9},0 H${-w / 2 + 9} Q${-w / 2},0 ${-w / 2},${-h * 0.5} Z`,
  bread: (w, h) => rounded(w, h, h * 0.35),
  cheese: (w, h) => `M${-w / 2},${-h} H${w / 2} V${-h * 0.3} H${w * 0.34} L${w * 0.24},0 L${w * 0.14},${-h * 0.3} H${-w * 0.2} L${-w * 0.28},${-h * 0.05} L${-w * 0.36},${-h * 0.3} H${-w / 2} Z`,
  lettuce: (w, h) => wavy(w, h),
};
const rounded = (w, h, r) =>
  `M${-w / 2 + r},${-h} H${w / 2 - r} Q${w / 2},${-h} ${w / 2},${-h + r} V${-r} Q${w / 2},0 ${w / 2 - r},0 H${-w / 2 + r} Q${-w / 2},0 ${-w / 2},${-r} V${-h + r} Q${-w / 2},${-h} ${-w / 2 + r},${-h} Z`;

/** A leaf: its upper and its lower edge are rows of small bulges. */
function wavy(w, h) {
  const bulges = (sign) => `q${(sign * w) / 12},${-sign * h * 0.45} ${(sign * w) / 6},0 `.repeat(6);
  return `M${-w / 2},${-h * 0.75} ${bulges(1)} L${w / 2},${-h * 0.25} ${bulges(-1)} Z`;
}

/** One item, w wide and h high; flags are its words (cooked, cut, …). */
function drawItem(name, flags, w, h) {
  const kind = kindOf(name);
  const shape = (SHAPES[kind] ?? ((a, b) => rounded(a, b, b / 2)))(w, h - 1);
  const group = svg("g", { class: ["item", kind, ...flags].join(" "), "data-name": name });
  group.append(svg("title", {}, [name, ...flags].join(" ")), svg("path", { d: shape, class: "body" }));
  const marks = [];
  if (flags.includes("cooked")) marks.push(...[-0.42, -0.36, 0.36, 0.42].map((x) => stroke(x * w, h, "grill")));
  if (flags.includes("cut")) marks.push(...[-0.44, -0.37, 0.37, 0.44].map((x) => stroke(x * w, h, "slice")));
  if (kind === "topbun") {
    marks.push(...[-0.3, -0.22, 0.22, 0.3].map((x) =>
      svg("ellipse", { cx: x * w, cy: -h * (0.72 - Math.abs(x) * 0.5), rx: 2.2, ry: 1.2, class: "sesame" })));
  }
  const label = svg("text", { y: -h / 2, class: "name", "font-size": Math.min(13.5, h * 0.8) }, name);
  group.append(...marks, label);
  return group;
}

const stroke = (x, h, kind) => svg("line", { x1: x, x2: x, y1: -h * 0.82, y2: -h * 0.2, class: kind });

/** A pot or a bowl, with its water. */
function drawContainer(name, filled, boiling) {
  const pot = kindOf(name) === "pot";
  const group = svg("g", { class: "container", "data-name": name });
  group.append(svg("path", {
    d: pot ? "M-30,-26 H30 V-6 Q30,0 24,0 H-24 Q-30,0 -30,-6 Z" : "M-32,-22 H32 Q28,0 10,0 H-10 Q-28,0 -32,-22 Z",
    class: "body",
  }));
  if (pot) group.append(svg("path", { d: "M-30,-18 h-8 M30,-18 h8", class: "handle" }));
  if (filled) group.append(svg("ellipse", { cy: pot ? -26 : -22, rx: pot ? 29 : 31, ry: 4, class: "water" }));
  if (boiling) group.append(...[-14, 0, 14].map((x) => svg("path", { d: `M${x},-30 q4,-5 0,-10`, class: "steam" })));
  group.append(svg("text", { y: -11, class: "name", "font-size": 12.5 }, name));
  return group;
}

/** What tells the kinds of stations apart, behind whatever lies on them; (0, 0) is the middle. */
const FITTINGS = {
  table: () => [svg("path", { d: "M-34,-20 H34 M-34,0 H34", class: "fitting" })],
  stove: () => [svg("circle", { r: 27, cy: -8, class: "fitting" }), svg("circle", { r: 15, cy: -8, class: "fitting" })],
  board: () => [
    svg("rect", { x: -36, y: -34, width: 72, height: 54, rx: 8, class: "fitting" }),
    svg("circle", { cx: 27, cy: -26, r: 4, class: "fitting" }),
  ],
  fryer: () => [
    svg("rect", { x: -34, y: -34, width: 68, height: 54, rx: 4, class: "fitting" }),
    svg("path", { d: "M-17,-34 V20 M0,-34 V20 M17,-34 V20 M-34,-16 H34 M-34,2 H34", class: "fitting" }),
  ],
  sink: () => [
    svg("rect", { x: -36, y: -26, width: 72, height: 48, rx: 14, class: "fitting" }),
    svg("path", { d: "M0,-40 V-22 M0,-40 H12 V-33", class: "fitting" }),
  ],
};

function drawStation(name) {
  const group = svg("g", { class: `station ${kindOf(name)}`, "data-name": name });
  group.append(
    svg("rect", { x: -47, y: -47, width: 94, height: 94, rx: 9, class: "body" }),
    ...FITTINGS[kindOf(name)](),
    svg("text", { y: 38, class: "label" }, name),
  );
  return group;
}

/** How far a timer or a counter has come: a ring that closes. */
function drawTimer(kind, count, total) {
  const around = 2 * Math.PI * 11;
  return svg("g", { class: "timer" },
    svg("title", {}, `${kind}: ${count} of ${total}`),
    svg("circle", { r: 13, class: "plate" }),
    svg("circle", { r: 11, class: "ring" }),
    svg("circle", {
      r: 11, class: "done", transform: "rotate(-90)",
      "stroke-dasharray": `${(around * count) / total} ${around}`,
    }),
    svg("text", { class: "count" }, `${count}/${total}`));
}
