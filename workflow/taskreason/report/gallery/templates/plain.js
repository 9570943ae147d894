// What the page shows of an environment that draws nothing: the text that a model reads.
const drawState = (world, episode, number) => element("pre", {}, readStep(world, episode, number).state.text);
const drawGoal = () => [];
const tellState = (world, state) => state.text.split("\n").filter(Boolean);
