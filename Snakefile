# Entry point: `snakemake` from here makes the rule below. The workflow itself is in workflow/Snakefile.
include: "workflow/Snakefile"


# An included rule is never the default target, so the default is named here.
rule reproduce:
    default_target: True
    input:
        rules.all.input,
