// The page: what is chosen, the address that names it, and everything that is shown of it.
const $ = (id) => document.getElementById(id);

/** What is shown. data, world and episode follow from the names. */
const shown = { task: null, policy: null, train: null, step: 1, data: null, world: null, episode: null };
let filter = "all";
let playing = null;
let requests = 0;

const episodeName = () => `${shown.policy}/${shown.train}`;
const lastStep = () => shown.episode.steps.length + 1;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// ------------------------------------------------------------------ address

const addressOf = (task, policy, train, world, step, end) =>
  `#${[task, policy, train, world, step === end ? "end" : step].map(encodeURIComponent).join("/")}`;

function readAddress() {
  try {
    const [task, policy, train, world, step] = location.hash.slice(1).split("/").map(decodeURIComponent);
    return { task, policy, train, world, step };
  } catch {
    return {}; // a stray % names nothing
  }
}

function writeAddress() {
  const { task, policy, train, world, step } = shown;
  const address = addressOf(task, policy, train, world.number, step, lastStep());
  if (address !== location.hash) history.replaceState(null, "", address);
}

/** Show what an address names; what it leaves out or gets wrong falls back to the first there is. */
async function follow(address) {
  const tasks = Object.keys(ABOUT.tasks);
  const task = tasks.includes(address.task) ? address.task : tasks[0];
  const request = ++requests;
  const data = await loadTask(task);
  if (request !== requests) return; // something else was chosen meanwhile
  const names = Object.keys(data.policies);
  const trained = names.filter((name) => name.startsWith(`${address.policy}/`));
  const wanted = `${address.policy}/${address.train}`;
  const own = trained.find((name) => name === `${address.policy}/${task}`) ?? trained[0] ?? `sft_grpo/${task}`;
  const [policy, train] = (names.includes(wanted) ? wanted : own).split("/");
  const world = data.worlds.find((k) => [`${k.number}`, k.hash].includes(`${address.world}`)) ?? data.worlds[0];
  const episode = world.episodes[`${policy}/${train}`];
  const end = episode.steps.length + 1;
  const step = address.step === "end" ? end : Math.min(Math.max(parseInt(address.step, 10) || 1, 1), end);
  Object.assign(shown, { task, policy, train, data, world, episode, step });
  showEpisode();
}

// --------------------------------------------------------------- the choice

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = chosen;
}

function showChoice() {
  const { data, task, policy, train } = shown;
  fillSelect($("task"), Object.entries(ABOUT.tasks).map(([name, { title }]) => [name, title]), task);
  const names = Object.keys(data.policies).map((name) => name.split("/"));
  fillSelect($("policy"), [...new Set(names.map(([name]) => name))].map((name) => [name, ABOUT.policies[name]]), policy);
  const trainings = names.filter(([name]) => name === policy).map(([, from]) => from);
  $("train-label").hidden = trainings.length < 2;
  fillSelect($("train"), trainings.map((name) => [name, ABOUT.tasks[name]?.title ?? "nothing"]), train);
  showWorlds();
}

const nameWorld = (world) => `${ABOUT.world[0].toUpperCase()}${ABOUT.world.slice(1)} ${world.number}`;
const outcomeIn = (world) => readOutcome(world, world.episodes[episodeName()]);
const matches = (outcome) => filter === "all" || outcome.kind === filter;

function showWorlds() {
  const { data } = shown;
  const { episodes, solved, shortest } = data.policies[episodeName()];
  const all = data.worlds.length === episodes ? "" : ` Shown are ${data.worlds.length} of these ${ABOUT.worlds}, failures first.`;
  $("counts").textContent = `${solved} of ${plural(episodes, ABOUT.world)} solved, ${shortest} by a shortest plan.${all}`;
  const outcomes = data.worlds.map((world) => [world, outcomeIn(world)]);
  const found = outcomes.filter(([, outcome]) => matches(outcome));
  $("failure-next").disabled = !outcomes.some(([world, { kind }]) => kind === "failed" && world !== shown.world);
  const chips = found.map(([world, outcome]) => {
    const chosen = world === shown.world;
    const label = `${nameWorld(world)}: ${tellOutcome(outcome)}`;
    const chip = element("button", {
      type: "button", role: "radio", class: `chip ${outcome.kind}`, "aria-checked": chosen,
      "aria-label": label, title: label, tabindex: chosen ? 0 : -1, "data-world": world.number,
    }, `${world.number}`);
    chip.addEventListener("click", () => openWorld(world));
    return chip;
  });
  if (chips.length && !chips.some((chip) => chip.tabIndex === 0)) chips[0].tabIndex = 0;
  const none = { failed: `No failure among these ${ABOUT.worlds}.`, longer: "No detour that ends in success." }[filter];
  $("worlds").replaceChildren(...(chips.length ? chips : [element("p", { class: "note" }, none)]));
  showChip();
}

/** Scrolls the list of worlds, and not the page, to the one that is shown. */
function showChip() {
  const list = $("worlds");
  const chip = list.querySelector('[aria-checked="true"]');
  if (!chip) return;
  const top = chip.offsetTop - list.offsetTop;
  if (top < list.scrollTop || top + chip.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top - 4;
}

function openWorld(world, step = 1) {
  stop();
  const focused = $("worlds").contains(document.activeElement);
  follow({ ...shown, world: world.number, step }).then(() => {
    if (focused) $("worlds").querySelector('[aria-checked="true"]')?.focus({ preventScroll: true });
  });
}

/** The next world that passes the test in this direction, round the corner if need be. */
function walkWorlds(direction, test) {
  const { worlds } = shown.data;
  const start = worlds.indexOf(shown.world);
  for (let n = 1; n <= worlds.length; n++) {
    const world = worlds[(start + direction * n + n * worlds.length) % worlds.length];
    if (world !== shown.world && test(outcomeIn(world))) return openWorld(world);
  }
}

// -------------------------------------------------------------- the episode

const VERDICTS = { shortest: "Solved by a shortest plan", longer: "Solved with a detour", failed: "Failed" };

function showEpisode() {
  const { task, policy, train, world, episode, data } = shown;
  const outcome = readOutcome(world, episode);
  showChoice();
  const trained = train !== "-" && train !== task ? `, trained on ${ABOUT.tasks[train].title.toLowerCase()}` : "";
  $("title").textContent = `${ABOUT.tasks[task].title}, ${ABOUT.world} ${world.number}: ${ABOUT.policies[policy]}${trained}`;
  document.title = `${$("title").textContent} · Episode gallery`;
  $("verdict").textContent = VERDICTS[outcome.kind];
  $("verdict").className = `verdict ${outcome.kind}`;
  const wrong = ["detour", "invalid", "malformed"].filter((kind) => outcome.counts[kind])
    .map((kind) => `${outcome.counts[kind]} ${{ detour: "valid but not optimal", invalid: "invalid", malformed: "without an action" }[kind]}`);
  const ended = outcome.kind === "failed"
    ? `The goal is not reached within ${outcome.steps} steps` : `The goal is reached in ${plural(outcome.steps, "step")}`;
  $("summary").textContent = `${ended}; a shortest plan has ${outcome.optimal}.${wrong.length ? ` Steps: ${wrong.join(", ")}.` : ""}`;
  const goal = drawGoal(data.goal);
  $("goal").replaceChildren(...(goal.length ? [element("h3", {}, "Goal"), ...goal] : []));
  $("mistake").hidden = outcome.mistake === null;
  $("mistake").textContent = `First mistake: step ${outcome.mistake}`;
  showBars();
  showOthers();
  showStep();
}

/** One bar a step, as high as the steps that are still needed; the last place is the end. */
function showBars() {
  const { world, episode } = shown;
  const steps = Array.from({ length: lastStep() }, (_, n) => readStep(world, episode, n + 1));
  const most = Math.max(...steps.map((step) => step.left ?? 0), 1);
  $("bars").replaceChildren(...steps.map((step, n) => {
    const solved = step.kind === "end" && step.left === 0;
    const bar = element("span", { class: `bar ${step.kind}${solved ? " solved" : ""}`, "data-step": n + 1 });
    bar.style.setProperty("--height", `${(100 * (step.left ?? most)) / most}%`);
    return bar;
  }));
  const slider = $("slider");
  slider.max = steps.length;
  slider.style.setProperty("--thumb", `${100 / steps.length}%`);
}

/** What the other policies did in the same world, as links. */
function showOthers() {
  const { task, world } = shown;
  $("others").replaceChildren(...Object.entries(world.episodes).map(([name, episode]) => {
    const [policy, train] = name.split("/");
    const outcome = readOutcome(world, episode);
    const from = policy === "sft_grpo" ? ` (${ABOUT.tasks[train].title.toLowerCase()})` : "";
    const link = element("a", {
      href: addressOf(task, policy, train, world.number, 1), class: outcome.kind,
    }, element("b", {}, `${ABOUT.policies[policy]}${from}`), ` ${tellOutcome(outcome)}`);
    if (name === episodeName()) link.setAttribute("aria-current", "true");
    return element("li", {}, link);
  }));
}

// ----------------------------------------------------------------- the step

function goTo(step) {
  shown.step = Math.min(Math.max(step, 1), lastStep());
  showStep();
}

function showStep() {
  const { world, episode, step } = shown;
  const now = readStep(world, episode, step);
  const end = step === lastStep();
  const [drawn, words] = [drawState(world, episode, step), tellState(world, now.state)];
  if (drawn.parentNode !== $("state")) $("state").replaceChildren(drawn);
  $("state").setAttribute("aria-label", `The ${ABOUT.world} at step ${step}: ${words[0]}`);
  $("words").replaceChildren(...words.map((line) => element("li", {}, line)));
  const place = end ? `End, after ${plural(step - 1, "step")}` : `Step ${step} of ${step < lastStep() ? lastStep() - 1 : step}`;
  const slider = $("slider");
  slider.value = step;
  const judgement = JUDGEMENTS[now.kind] ?? (now.left === 0 ? "Goal reached" : "Goal not reached");
  slider.setAttribute("aria-valuetext", `${place}. ${judgement}`);
  for (const bar of $("bars").children) bar.classList.toggle("now", Number(bar.dataset.step) === step);
  $("place").textContent = end ? "End" : `${step} / ${lastStep() - 1}`;
  for (const id of ["first", "back"]) $(id).disabled = step === 1;
  for (const id of ["forward", "last"]) $(id).disabled = end;
  $("decision-title").textContent = place;
  $("judgement").textContent = judgement;
  $("judgement").className = `verdict ${end ? (now.left === 0 ? "shortest" : "failed") : now.kind}`;
  $("remaining").replaceChildren(...tellRemaining(now));
  $("decision").replaceChildren(...(end ? [] : tellDecision(world, now)));
  $("live").textContent = `${place}. ${now.action ?? ""} ${judgement}. ${$("remaining").textContent}`;
  writeAddress();
}

/** How far the goal is, and what the action has changed about it. */
function tellRemaining(now) {
  const count = (left) => (left === null ? "no plan" : plural(left, "step"));
  if (now.kind === "end") {
    return [now.left === 0 ? "The goal is reached." : `A shortest plan would still need ${count(now.left)}.`];
  }
  const lost = now.leftAfter - now.left + 1;
  const change = now.leftAfter === null ? "; after this action the goal is out of reach."
    : `; after this action ${lost ? `${now.leftAfter}: ${plural(lost, "step")} lost.` : `${now.leftAfter}.`}`;
  return ["A shortest plan needs ", element("b", {}, count(now.left)), change];
}

function tellDecision(world, now) {
  const parts = [];
  if (now.kind !== "malformed" || now.thought) {
    const sentences = now.thought.split(/(?<=\.)\s+/).filter(Boolean);
    parts.push(element("h3", {}, "Thought"), sentences.length
      ? element("ul", { class: "thought" }, ...sentences.map((text) => element("li", {}, ...markNames(text))))
      : element("p", { class: "note" }, "none"));
  }
  parts.push(element("h3", {}, "Action"), element("p", { class: `action ${now.kind}` }, now.action ?? "none in the reply"));
  if (now.reply !== null) {
    parts.push(element("details", now.kind === "malformed" ? { open: "" } : {},
      element("summary", {}, "The reply as it was written"), element("pre", { tabindex: 0 }, now.reply || "(empty)")));
  }
  parts.push(element("h3", {}, "Valid actions"), element("ul", { class: "valid" }, ...now.state.valid.map((action) => {
    const optimal = now.state.optimal.includes(action);
    const chosen = action === now.number;
    const row = element("li", { class: `${optimal ? "best" : ""} ${chosen ? "chosen" : ""}` }, world.actions[action]);
    if (optimal) row.append(element("span", { class: "tag" }, "shortest"));
    if (chosen) row.append(element("span", { class: "tag" }, "chosen"));
    return row;
  })));
  return parts;
}

/** A sentence in which the names of drawn things are marked; pointing at one shows it in the drawing. */
function markNames(text) {
  return text.split(/([a-z]+[0-9]+)/).map((part) => {
    const things = $("state").querySelectorAll(`[data-name="${part}"]`);
    if (!things.length) return part;
    const mark = element("span", { class: "thing" }, part);
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false]]) {
      mark.addEventListener(event, () => things.forEach((thing) => thing.classList.toggle("lit", on)));
    }
    return mark;
  });
}

// ------------------------------------------------------------------ controls

function stop() {
  clearInterval(playing);
  playing = null;
  $("play").textContent = "Play";
  $("play").setAttribute("aria-pressed", "false");
}

function play() {
  if (playing) return stop();
  if (shown.step === lastStep()) goTo(1);
  $("play").textContent = "Pause";
  $("play").setAttribute("aria-pressed", "true");
  playing = setInterval(() => {
    goTo(shown.step + 1);
    if (shown.step === lastStep()) stop();
  }, 900);
}

function walk(step) {
  stop();
  goTo(step);
}

const ACTIONS = {
  ArrowRight: () => walk(shown.step + 1),
  ArrowLeft: () => walk(shown.step - 1),
  Home: () => walk(1),
  End: () => walk(lastStep()),
  " ": play,
  n: () => walkWorlds(1, matches),
  p: () => walkWorlds(-1, matches),
  f: () => walkWorlds(1, (outcome) => outcome.kind === "failed"),
  m: () => {
    const { mistake } = readOutcome(shown.world, shown.episode);
    if (mistake) walk(mistake);
  },
};

/** Keys work anywhere but where they mean something else: in lists, on buttons (space), in the list of worlds. */
function pressKey(event) {
  const action = ACTIONS[event.key];
  const letter = /^[a-z]$/.test(event.key);
  if (!action || !shown.episode || event.ctrlKey || event.metaKey || event.altKey) return;
  if (letter && !$("letters").checked) return;
  if (event.target.matches('select, input:not([type="range"]), [role="radio"]') && !letter) return;
  if (event.target.matches("select")) return;
  if (event.key === " " && event.target.matches("button, summary, a")) return;
  event.preventDefault();
  action();
}

/** The arrow keys choose among the worlds, as among the buttons of a radio group. */
function pressKeyInWorlds(event) {
  const chips = [...$("worlds").querySelectorAll("button")];
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const number = chips.indexOf(event.target);
  if (!step || number < 0) return;
  event.preventDefault();
  const next = chips[(number + step + chips.length) % chips.length];
  next.focus();
  next.click();
}

function listen() {
  const click = (id, action) => $(id).addEventListener("click", action);
  $("task").addEventListener("change", (event) => {
    const task = event.target.value;
    const train = shown.train === shown.task ? task : shown.train;
    stop();
    follow({ ...shown, task, train, world: shown.world.number, step: 1 });
  });
  const choosePolicy = () =>
    follow({ ...shown, policy: $("policy").value, train: $("train").value, world: shown.world.number, step: 1 });
  for (const id of ["policy", "train"]) $(id).addEventListener("change", () => (stop(), choosePolicy()));
  for (const radio of document.getElementsByName("filter")) {
    radio.addEventListener("change", () => {
      filter = radio.value;
      const first = shown.data.worlds.find((world) => matches(outcomeIn(world)));
      if (first && !matches(outcomeIn(shown.world))) openWorld(first);
      else showWorlds();
    });
  }
  $("slider").addEventListener("input", (event) => walk(Number(event.target.value)));
  click("first", ACTIONS.Home);
  click("back", ACTIONS.ArrowLeft);
  click("forward", ACTIONS.ArrowRight);
  click("last", ACTIONS.End);
  click("play", play);
  click("mistake", ACTIONS.m);
  click("world-next", ACTIONS.n);
  click("world-back", ACTIONS.p);
  click("failure-next", ACTIONS.f);
  click("skip", (event) => {
    event.preventDefault(); // the address is the episode's
    $("episode").focus();
  });
  $("worlds").addEventListener("keydown", pressKeyInWorlds);
  document.addEventListener("keydown", (event) => event.defaultPrevented || pressKey(event));
  window.addEventListener("hashchange", () => {
    stop();
    follow(readAddress());
  });
}

const linked = location.hash !== "";
if (typeof DecompressionStream === "undefined") {
  $("title").textContent = "This browser is too old for this page: it needs one of 2023 or later.";
} else {
  follow(readAddress()).then(listen).then(() => {
    // A link to an episode shows it, where it would begin below the fold.
    if (linked && $("episode").getBoundingClientRect().top > innerHeight / 2) $("episode").scrollIntoView();
  });
}
