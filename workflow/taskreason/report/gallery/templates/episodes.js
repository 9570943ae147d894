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
function readStep(world, episode, number) {
  const step = episode.steps[number - 1];
  if (!step) {
    const state = world.states[episode.end];
    return { kind: "end", state, left: state.left };
  }
  const [before, action, thought, reply] = step;
  const state = world.states[before];
  const next = episode.steps[number];
  const after = world.states[next ? next[0] : episode.end];
  return {
    kind: judge(state, action),
    state,
    action: action < 0 ? null : world.actions[action],
    number: action,
    thought: world.texts[thought],
    reply: reply === undefined ? null : world.texts[reply],
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
function readOutcome(world, episode) {
  const steps = episode.steps.length;
  const optimal = world.states[episode.steps.length ? episode.steps[0][0] : episode.end].left;
  const solved = world.states[episode.end].left === 0;
  const mistake = episode.steps.findIndex(([before, action]) => judge(world.states[before], action) !== "optimal");
  const counts = { optimal: 0, detour: 0, invalid: 0, malformed: 0 };
  for (const [before, action] of episode.steps) counts[judge(world.states[before], action)] += 1;
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
