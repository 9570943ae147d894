// The kitchen of one state, with the action that the policy takes in it. A cell is 100 wide; the layout's origin is
// at the bottom left. The record of a kitchen is described in gallery.py.
const picture = svg("svg");
const spots = new WeakMap();
const MOVE = /^Move \S+ from (\S+) to (\S+)$/;

const middle = (kitchen, x, y) => [100 * x + 50, 100 * (kitchen.size[1] - 1 - y) + 50];

/** Where the robot stands at every step: beside the station that it faces, as near as it can to where it stood.
 * The rules know only the station; where all cells around it are taken, it is drawn on a corner of the station (null). */
function placeRobot(kitchen, episode) {
  const taken = new Set(kitchen.stations.map(([, x, y]) => `${x},${y}`));
  let [here, at] = [kitchen.robot, kitchen.states[episode.steps.length ? episode.steps[0][0] : episode.end].at];
  let spot = here;
  const numbers = [...episode.steps.map(([before]) => before), episode.end];
  return numbers.map((number) => {
    const next = kitchen.states[number].at;
    if (next !== at) {
      const [, x, y] = kitchen.stations[next];
      const free = [[x, y - 1], [x - 1, y], [x + 1, y], [x, y + 1]].filter(([a, b]) =>
        a >= 0 && b >= 0 && a < kitchen.size[0] && b < kitchen.size[1] && !taken.has(`${a},${b}`));
      const far = ([a, b]) => Math.abs(a - here[0]) + Math.abs(b - here[1]);
      spot = free.length ? free.reduce((best, cell) => (far(cell) < far(best) ? cell : best)) : null;
      here = spot ?? [x, y];
      at = next;
    }
    return spot;
  });
}

/** Always the same element, so that the robot's moves can be seen. */
function drawState(kitchen, episode, number) {
  const [columns, rows] = kitchen.size;
  if (!spots.has(episode)) spots.set(episode, placeRobot(kitchen, episode));
  const [step, spot] = [readStep(kitchen, episode, number), spots.get(episode)[number - 1]];
  picture.setAttribute("viewBox", `-4 -4 ${100 * columns + 8} ${100 * rows + 8}`);
  picture.style.aspectRatio = `${columns} / ${rows}`;
  const layer = svg("g", { class: `scenery ${step.kind}` });
  for (let x = 0; x < columns; x++) {
    for (let y = 0; y < rows; y++) {
      layer.append(svg("rect", { x: 100 * x + 1, y: 100 * y + 1, width: 98, height: 98, rx: 6, class: "floor" }));
    }
  }
  kitchen.stations.forEach(([name, x, y], s) => {
    const [left, top] = middle(kitchen, x, y);
    const station = drawStation(name);
    station.setAttribute("transform", `translate(${left},${top})`);
    if (s === step.state.at && step.kind !== "end") station.classList.add("faced", step.kind);
    drawContents(station, kitchen, step.state, s);
    layer.append(station);
  });
  picture.querySelector(".scenery")?.remove();
  picture.prepend(layer);
  drawRobot(kitchen, step.state, spot);
  layer.append(...drawMoves(kitchen, step, spot));
  return picture;
}

/** What lies on a station, from the bottom up, and the timers that run there. */
function drawContents(station, kitchen, state, s) {
  const stack = state.stacks[s];
  const height = Math.min(19, 72 / Math.max(stack.length, 1));
  stack.forEach((item, level) => {
    const drawn = drawItem(kitchen.items[item], flagWords(state.flags[item]), 84, height);
    drawn.setAttribute("transform", `translate(0,${27 - level * height})`);
    station.append(drawn);
  });
  (state.containers ?? []).forEach(([place, meal], c) => {
    if (place !== s) return;
    const drawn = drawContainer(kitchen.containers[c], meal >= 0, state.meals?.[meal]);
    drawn.setAttribute("transform", "translate(0,26)");
    station.append(drawn);
  });
  for (const [kind, thing, place, count] of state.timers ?? []) {
    const word = ABOUT.timers[kind];
    const here = word === "cut" ? stack.includes(thing) : place === s;
    if (!here || word === "fryable") continue;
    const timer = drawTimer(word, count, word === "cut" ? ABOUT.cuts : ABOUT.ticks);
    timer.setAttribute("transform", "translate(31,-31)");
    station.append(timer);
  }
}

function drawRobot(kitchen, state, spot) {
  let robot = picture.querySelector(".robot");
  if (!robot) {
    robot = svg("g", { class: "robot" });
    picture.append(robot);
  }
  const station = kitchen.stations[state.at];
  const [x, y] = locateRobot(kitchen, station, spot);
  robot.style.transform = `translate(${x}px,${y}px)${spot ? "" : " scale(0.7)"}`;
  const [sx, sy] = station ? middle(kitchen, station[1], station[2]) : [x, y];
  const [dx, dy] = [Math.sign(sx - x), Math.sign(sy - y)];
  const [cx, cy] = [44 * dx, 10 + (dy > 0 ? 32 : 44) * dy];
  robot.replaceChildren(
    svg("title", {}, tellState(kitchen, state)[0]),
    svg("line", { x1: 0, y1: 10, x2: cx, y2: cy, class: "arm" }),
    svg("circle", { cx, cy, r: dx || dy ? 5 : 0, class: "claw" }),
    svg("line", { x1: 0, y1: -14, x2: 0, y2: -22, class: "arm thin" }),
    svg("circle", { cx: 0, cy: -23, r: 3, class: "claw" }),
    svg("rect", { x: -24, y: -14, width: 48, height: 42, rx: 12, class: "body" }),
    svg("rect", { x: -17, y: -6, width: 34, height: 17, rx: 8, class: "face" }),
    svg("circle", { cx: -7 + 2 * dx, cy: 2.5 + 2 * dy, r: 3.4, class: "eye" }),
    svg("circle", { cx: 7 + 2 * dx, cy: 2.5 + 2 * dy, r: 3.4, class: "eye" }),
    svg("text", { y: 20, class: "tag" }, "robot1"),
  );
  if (state.hand < 0) return;
  const container = state.hand - kitchen.items.length;
  const held = container < 0
    ? drawItem(kitchen.items[state.hand], flagWords(state.flags[state.hand]), 80, 19)
    : drawContainer(kitchen.containers[container], state.containers[container][1] >= 0);
  held.setAttribute("transform", "translate(0,-19)");
  robot.append(held);
}

/** The middle of the robot's cell or, where it has none, the inner corner of the station that it faces. */
function locateRobot(kitchen, station, spot) {
  if (spot) return middle(kitchen, ...spot);
  const [, column, row] = station;
  const [x, y] = middle(kitchen, column, row);
  return [x + (2 * column < kitchen.size[0] ? 50 : -50), y + (2 * row < kitchen.size[1] ? -50 : 50)];
}

/** Arrows: where the robot goes and, where that is no shortest way, where a shortest plan goes. */
function drawMoves(kitchen, step, spot) {
  if (step.kind === "end" || step.state.at < 0) return [];
  const moves = [];
  if (step.kind === "detour" || step.kind === "optimal") moves.push([step.action, step.kind]);
  if (step.kind !== "optimal" && step.state.optimal.length) {
    moves.unshift([kitchen.actions[step.state.optimal[0]], "better"]);
  }
  const from = locateRobot(kitchen, kitchen.stations[step.state.at], spot);
  return moves.flatMap(([action, kind]) => {
    const goal = kitchen.stations.find(([name]) => name === MOVE.exec(action)?.[2]);
    return goal ? [drawArrow(from, middle(kitchen, goal[1], goal[2]), kind)] : [];
  });
}

/** A bent arrow that ends at the edge of the cell that it points to. */
function drawArrow([x0, y0], [x1, y1], kind) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [sx, sy] = [x0 + 32 * ux, y0 + 32 * uy];
  const stop = 44 / Math.max(Math.abs(ux), Math.abs(uy));
  const [ex, ey] = [x1 - ux * stop, y1 - uy * stop];
  const bend = Math.min(26, length / 8);
  const [mx, my] = [(sx + ex) / 2 - uy * bend, (sy + ey) / 2 + ux * bend];
  const angle = (Math.atan2(ey - my, ex - mx) * 180) / Math.PI;
  return svg("g", { class: `arrow ${kind}` },
    svg("path", { d: `M${sx},${sy} Q${mx},${my} ${ex},${ey}`, class: "halo" }),
    svg("path", { d: `M${sx},${sy} Q${mx},${my} ${ex},${ey}`, class: "line" }),
    svg("path", { d: "M-15,-8 L2,0 L-15,8 Z", class: "head", transform: `translate(${ex},${ey}) rotate(${angle})` }));
}

/** The goal in words; where it is a stack, that as well, and what may come in any order. */
function drawGoal({ text, slots }) {
  const words = element("p", {}, text);
  if (!slots.length) return [words];
  const height = 17;
  const stack = svg("svg", { viewBox: `-47 ${-slots.length * height - 4} 94 ${slots.length * height + 8}`, "aria-hidden": "true" });
  slots.forEach((slot, level) => {
    const drawn = drawItem(slot.kind, flagWords(slot.flags), 84, height);
    drawn.setAttribute("transform", `translate(0,${-level * height})`);
    stack.append(drawn);
  });
  const free = slots.some((slot) => slot.free) ? [element("small", {}, "above the bottom: any order, the last on top")] : [];
  return [stack, words, ...free];
}

/** What lies where, as lines of text: the drawing for those who can't see it. */
function tellState(kitchen, state) {
  const name = (item) => [kitchen.items[item], ...flagWords(state.flags[item])].join(" ");
  const lines = kitchen.stations.map(([station], s) => {
    const things = state.stacks[s].map(name);
    (state.containers ?? []).forEach(([place, meal], c) => {
      if (place === s) things.push(tellContainer(kitchen, state, c, meal));
    });
    return `${station}: ${things.length ? things.join(", then ") : "empty"}`;
  });
  const held = state.hand < 0 ? "nothing" : state.hand < kitchen.items.length ? name(state.hand)
    : tellContainer(kitchen, state, state.hand - kitchen.items.length,
        state.containers[state.hand - kitchen.items.length][1]);
  const place = state.at < 0 ? "no station" : kitchen.stations[state.at][0];
  return [`robot1 at ${place}, holding ${held}`, ...lines];
}

function tellContainer(kitchen, state, container, meal) {
  return `${kitchen.containers[container]}${meal < 0 ? "" : state.meals[meal] ? " of boiling water" : " of water"}`;
}

/** The words for an item's flags that can be seen: what has been or is being done to it. */
function flagWords(flags) {
  return Object.entries(ABOUT.flags)
    .filter(([bit, word]) => flags & bit && !word.includes("able"))
    .map(([, word]) => word);
}
