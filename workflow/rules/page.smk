# results/index.html: the whole run on one page that opens from a file.
PAGE = "results/index.html"
LINKED = {"Paper (PDF)": PAPER, "Episode gallery": GALLERY}


rule make_page:
    input:
        tables=[file for file in [*TABLES, *THEORY, *ABLATIONS] if file.endswith(".csv")],
        figures=[file for file in [*FIGURES, *THEORY, *ABLATIONS] if file.endswith(".png")],
        provenance=TRAININGS["provenance"],
        linked=list(LINKED.values()),
        templates=[
            from_project(f"workflow/taskreason/report/page/templates/index.{kind}")
            for kind in ("html.j2", "css", "js")
        ],
        captions=sorted(map(from_project, (WORKFLOW_DIR / "taskreason/report/captions_rst").glob("*/*.rst"))),
        code=library_files(
            "report/page/*.py",
            "report/render/templates.py",
            "report/numbers/settings.py",
            "report/captions.py",
            "report/labels.py",
            "report/numbers/verdicts.py",
        ),
    output:
        report(
            PAGE,
            caption="../taskreason/report/captions_rst/page.rst",
            category="Overview",
            labels={"Title": "The run on one page"},
        ),
    log:
        "results/logs/make_page.log",
    benchmark:
        "results/benchmarks/make_page.tsv"
    conda:
        LIGHT_ENV
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config={key: value for key, value in config.items() if key != "resources"},
        links={title: file for title, files in LINKED.items() for file in files},
    message:
        "Making the page of the run"
    script:
        "../scripts/make_page.py"
