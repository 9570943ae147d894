"""Metadata of the trajectories in Croissant, by which catalogues and loaders of data sets know what a file holds.

Input: the trajectory files of a run; output: croissant.json beside them (JSON-LD, Croissant 1.0). Each task is a record
set with a field for every key of a decision; files are named by their SHA-256. For example,

    mlcroissant load --jsonld results/laptop/trajectories/croissant.json --record_set burger
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from taskreason.config.models import Config
from taskreason.durability.checksums import describe_file
from taskreason.durability.files import write_json

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""What the specification gives."""
FIELDS = {
    "layout_hash": ("sc:Text", "id of the world"),
    "t": ("sc:Integer", "step of the trajectory, from 0"),
    "prompt": ("sc:Text", "what the policy reads: the state, the possible actions and the goal"),
    "completion": ("sc:Text", "the expert's reply, one line of thought and one of action"),
    "action": ("sc:Text", "the expert's action"),
    "optimal_actions": ("sc:Text", "every action that begins a shortest plan"),
    "optimal_steps_left": ("sc:Integer", "steps of a shortest plan from here"),
}
"""Key of a decision -> its type, and what it means."""
REPEATED = ("optimal_actions",)
CITE = (
    "Hu, Liu, Li, Wang: Training Task Reasoning LLM Agents for Multi-turn Task Planning via Single-turn Reinforcement "
    "Learning, arXiv:2509.20616"
)
MIT = "https://spdx.org/licenses/MIT.html"


def write_croissant(path: Path, cfg: Config, trajectories: Sequence[Path]) -> None:
    """Write croissant.json; trajectories: TASK.jsonl in its folder."""
    write_json(path, describe_trajectories(cfg, trajectories))


def describe_trajectories(cfg: Config, trajectories: Sequence[Path]) -> dict[str, Any]:
    """The metadata as JSON values; without a date, so that equal runs have equal files."""
    expert = "an exact planner" if cfg.expert.policy == "planner" else cfg.expert.model
    made = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"expert-decisions-{cfg.environment}-{cfg.scale}",
        "description": (
            f"Decisions of {expert} in tasks of {cfg.environment}, one a line, for training language models on single "
            "turns."
        ),
        "version": version("taskreason"),
        "citeAs": CITE,
        "creator": {"@type": "sc:Organization", "name": "The taskreason authors"},
        "distribution": [_describe_file(path) for path in trajectories],
        "recordSet": [_describe_records(path) for path in trajectories],
    }
    # What another's model has written is under that model's licence.
    return made | ({"license": MIT} if cfg.expert.policy != "model" else {})


def _describe_file(path: Path) -> dict[str, Any]:
    known = describe_file(path)
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{known['bytes']} B",
        "encodingFormat": "application/jsonlines",
        "sha256": known["sha256"],
    }


def _describe_records(path: Path) -> dict[str, Any]:
    task = path.stem
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{task}/{key}",
            "name": f"{task}/{key}",
            "description": text,
            "dataType": kind,
            "source": {"fileObject": {"@id": path.name}, "extract": {"column": key}},
            **({"repeated": True} if key in REPEATED else {}),
        }
        for key, (kind, text) in FIELDS.items()
    ]
    about = f"The expert's decisions in the task {task}."
    return {
        "@type": "cr:RecordSet",
        "@id": task,
        "name": task,
        "description": about,
        "field": fields,
    }
