"""Evaluate one policy: episodes in unseen worlds, greedy and sampled, and single replies on unseen expert states."""

from itertools import islice

from job import by_task, configure, folder, logged

with logged(snakemake):
    from taskreason.rollouts.evaluate import evaluate

    given, output, params = snakemake.input, snakemake.output, snakemake.params
    # A policy's model is named where the workflow did not make it; rules of thumb have none.
    files = given.get("model")
    model = params.get("model") or (folder(files) if files else None)
    # A file for each of the temperatures and tasks; of one temperature they stand together.
    drawn = params.get("sampled_tasks", [])
    files = iter(output.get("sampled", []))
    sampled = {t: by_task(drawn, islice(files, len(drawn))) for t in params.get("temperatures", [])}
    evaluate(
        params.policy,
        params.train_task,
        model,
        configure(snakemake),
        worlds=by_task(params.eval_tasks, given.worlds),
        episodes=by_task(params.eval_tasks, output.episodes),
        single_turn=by_task(params.eval_tasks, output.single_turn),
        sampled=sampled,
    )
