# The PDF, whose text is about the default environment's own tasks. Without a TeX installation, or on other tasks, the
# workflow makes everything else and says why.
PAPER, PAPER_MISSING = [], ""
# What the studies give that it has a section on (report.theory and its like).
STUDIED = [*THEORY, *ABLATIONS, *MAP, *COMPARED_STATES]
if not shutil.which("latexmk"):
    latex = (PROJECT_DIR / "envs" / "latex-packages.txt").read_text().split()
    PAPER_MISSING = (
        "paper/main.pdf is left out because latexmk is missing; "
        f"install it with: apt-get install --no-install-recommends {' '.join(latex)}"
    )
elif cfg.environment != "robotouille" or set(TASKS) != set(cfg.env.default_tasks):
    PAPER_MISSING = (
        "paper/main.pdf is left out because its text is about the four tasks of robotouille; "
        "list these, and no other, under tasks in config.yaml"
    )
else:
    PAPER = ["paper/main.pdf"]
if PAPER_MISSING:
    logger.warning(PAPER_MISSING)


# Said again at the end, where it is not lost above the messages of a long run.
onsuccess:
    if PAPER_MISSING:
        logger.warning(PAPER_MISSING)


rule compile_paper:
    input:
        main=from_project("paper/main.tex"),
        # What main.tex may read in its own folder: parts, style and bibliography.
        parts=sorted(
            from_project(path)
            for kind in ("tex", "bib", "bst", "cls", "sty")
            for path in (PROJECT_DIR / "paper").rglob(f"*.{kind}")
            if path.name != "main.tex"
        ),
        tables=[table for table in TABLES if table.endswith(".tex")],
        figures=[figure for figure in FIGURES if figure.endswith(".pdf")],
        macros="results/macros.tex",
        studies=STUDIED,
    output:
        report(
            "paper/main.pdf",
            caption="../taskreason/report/captions/paper.rst",
            category="Overview",
            labels={"Title": "The paper"},
        ),
    log:
        "results/logs/compile_paper.log",
    benchmark:
        "results/benchmarks/compile_paper.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        sources=lambda wildcards, input: os.path.dirname(input.main),
    message:
        "Compiling the paper"
    shell:
        # The text names its inputs from the working directory; only its own parts and bibliography are searched.
        # What a killed LaTeX has left torn it can't read, so it starts from nothing, and from no one's settings
        # (-norc) or own versions of packages (TEXMFHOME).
        "rm -rf results/paper-build;"
        " TEXINPUTS={params.sources:q}: BIBINPUTS={params.sources:q}: BSTINPUTS={params.sources:q}:"
        " TEXMFHOME=results/paper-build"
        " latexmk -norc -pdf -interaction=nonstopmode -halt-on-error -file-line-error -outdir=results/paper-build"
        " {input.main:q} > {log} 2>&1 && cp results/paper-build/main.pdf {output}"
