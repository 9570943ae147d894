// The data: unpacking a task's episodes, and what is said of a step.
"use strict";

const ABOUT = JSON.parse(document.getElementById("about").textContent);
const unpacked = new Map();

/** A task's data; each task is unpacked once, when it is first shown. */
async function loadTask(name) {
  if (!unpacked.has(name)) {
    const packed = atob(document.getElementById(`data-${name}`).textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    unpacked.set(name, JSON.parse(await new Response(stream).text()));
  }
  return unpacked.get(name);
}

/** Everything about one step, from 1; the one after the last action is the end of the episode. */
function readStep(kitchen, episode, number) {
  const step = episode.steps[number - 1];
  if (!step) {
    const state = kitchen.states[episode.end];
    return { kind: "end", state, left: state.left };
  }
  const [before, action, thought, reply] = step;
  const state = kitchen.states[before];
  const next = episode.steps[number];
  const after = kitchen.states[next ? next[0] : episode.end];
  return {
    kind: judge(state, action),
    state,
    action: action < 0 ? null : kitchen.actions[action],
    number: action,
    thought: kitchen.texts[thought],
    reply: reply === undefined ? null : kitchen.texts[reply],
    left: state.left,
    leftAfter: after.left,
  };
}

function judge(state, action) {
  if (action < 0) return "malformed";
  if (state.optimal.includes(action)) return "optimal";
  return state.valid.includes(action) ? "detour" : "invalid";
}

const JUDGEMENTS = {
  optimal: "On a shortest plan",
  detour: "A longer way",
  invalid: "Not a valid action",
  malformed: "No action",
};

/** How an episode ended: failed, longer than a shortest plan, or shortest. */
function readOutcome(kitchen, episode) {
  const steps = episode.steps.length;
  const optimal = kitchen.states[episode.steps.length ? episode.steps[0][0] : episode.end].left;
  const solved = kitchen.states[episode.end].left === 0;
  const mistake = episode.steps.findIndex(([before, action]) => judge(kitchen.states[before], action) !== "optimal");
  const counts = { optimal: 0, detour: 0, invalid: 0, malformed: 0 };
  for (const [before, action] of episode.steps) counts[judge(kitchen.states[before], action)] += 1;
  return {
    kind: !solved ? "failed" : steps > optimal ? "longer" : "shortest",
    steps,
    optimal,
    mistake: mistake < 0 ? null : mistake + 1,
    counts,
  };
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** An outcome in a few words. */
function tellOutcome(outcome) {
  if (outcome.kind === "failed") return `failed after ${plural(outcome.steps, "step")}`;
  const extra = outcome.steps - outcome.optimal;
  return `${plural(outcome.steps, "step")}, ${extra ? `${extra} more than needed` : "the fewest"}`;
}

/** What lies where, as lines of text: the drawing for those who can't see it. */
function tellKitchen(kitchen, state) {
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
