"""Put a pretrained encoder among those that come with xstilts.

    python scripts/ship_encoder.py STEP_FOLDER NAME CONFIG

STEP_FOLDER is what ``xstilts pretrain CONFIG`` printed. Weights become fp16; config, tokenizer, the
training curve and the record of the run lie beside them, with a model card. Of an encoder that
other runs began, their files and records are copied to ``first/``, ``second/``. ``SHA256SUMS``
is written anew: a test holds the files to it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xstilts.corpus.licences import sources
from xstilts.languages import table
from xstilts.models import SHIPPED
from xstilts.steps.pretrain import OBJECTIVES

CURVE_POINTS = 200
# Folders of the runs that an encoder went through before.
RUNS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
CARD = Path(__file__).with_name("model_card.md")


def ship(step: Path, name: str, config: Path) -> Path:
    """Write ``encoders/<name>``."""
    import torch
    from safetensors.torch import load_file, save_file

    out = SHIPPED / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    weights = load_file(step / "model.safetensors")
    half = {key: tensor.to(torch.float16) for key, tensor in weights.items()}
    assert all(torch.isfinite(tensor).all() for tensor in half.values())
    save_file(half, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    shape = json.loads((step / "config.json").read_text()) | {"dtype": "float16"}
    write_json(out / "config.json", shape)
    tokenizer = json.loads((step / "tokenizer_config.json").read_text())
    # Known to every version of transformers; the tokenizer itself is in tokenizer.json.
    write_json(
        out / "tokenizer_config.json", tokenizer | {"tokenizer_class": "PreTrainedTokenizerFast"}
    )
    shutil.copy(step / "tokenizer.json", out)
    shutil.copy(config, out / "pretraining.yaml")
    record = json.loads((step / "step.json").read_text())
    log = {key: record[key] for key in ("inputs", "provenance", "result")}
    log["curve"] = thinned(json.loads((step / "curve.json").read_text()))
    write_json(out / "pretraining.json", log)
    declared = yaml.safe_load(config.read_text())
    earlier = []
    if (begun := Path(declared.get("start", ""))).joinpath("pretraining.json").is_file():
        earlier = [*(begun / one for one in RUNS if (begun / one).is_dir()), begun]
    for folder, run in zip(earlier, RUNS, strict=False):
        (out / run).mkdir()
        for file in ("pretraining.json", "pretraining.yaml"):
            shutil.copy(folder / file, out / run)
    logs = [json.loads((folder / "pretraining.json").read_text()) for folder in earlier] + [log]
    (out / "README.md").write_text(card(name, declared, logs, shape))
    return out


def thinned(curve: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Mean losses of each objective over stretches of the run, as [last step, loss]."""
    objective, loss = np.array(curve["objective"]), np.array(curve["loss"])
    bounds = np.unique(np.linspace(0, len(loss), CURVE_POINTS + 1).astype(int))
    found: dict[str, list[list[float]]] = {}
    for number, name in enumerate(OBJECTIVES):
        rows = []
        for first, last in pairwise(bounds):
            chosen = loss[first:last][objective[first:last] == number]
            if len(chosen):
                rows.append([int(last), round(float(chosen.mean()), 4)])
        if rows:
            found[name] = rows
    return found


def card(
    name: str, declared: dict[str, Any], logs: list[dict[str, Any]], shape: dict[str, Any]
) -> str:
    """The model card; ``logs`` are the records of the runs, the last one's file ``declared``."""
    log = logs[-1]
    result = log["result"]
    total = {key: sum(one["result"][key] for one in logs) for key in ("steps", "tokens", "seconds")}
    shares = {"mlm": 1.0} | declared.get("objectives", {})
    starts = {"factorised": "embeddings factorised from parallel text", "random": "random weights"}
    start = starts.get(declared.get("start", "factorised"), "other runs, in the folders here")
    what = {
        "mlm": "masked LM",
        "tlm": "translation LM",
        "ranking": "translation ranking",
        "dictionary": "ranking of dictionary entries",
        "matching": "matching of random pieces",
        "cloze": "questions made of running text",
    }
    used = [source for source in sources().values() if not source.excluded]
    return CARD.read_text().format(
        name=name,
        kind="aligned with parallel text" if shares.get("ranking") else "masked LM only",
        layers=shape["num_hidden_layers"],
        hidden=shape["hidden_size"],
        vocabulary=shape["vocab_size"],
        objectives=", ".join(f"{what[k]} {v:.0%}" for k, v in shares.items() if v),
        start=start,
        steps=f"{total['steps']:,}",
        tokens=f"{total['tokens'] / 1e6:.1f}",
        hours=f"{total['seconds'] / 3600:.1f}",
        tokens_per_s=f"{total['tokens'] / total['seconds']:,.0f}",
        share=f"{result['share_of_peak']:.0%}",
        machine=machine(log["provenance"]),
        languages=", ".join(
            f"{table()[code].name} ({code})" if code in table() else code
            for code in result["languages"]
        ),
        codes="\n".join(f"- {code}" for code in result["languages"]),
        sources="\n".join(f"| {s.name} | {s.origin} | {s.licence} |" for s in used),
        losses=", ".join(f"{what[k]} {v:.2f}" for k, v in result["loss"].items()),
    )


def machine(provenance: dict[str, Any]) -> str:
    """What it was trained on."""
    if provenance["device"] != "cpu":
        return str(provenance["device"])
    return f"{provenance['threads']} CPU core(s), {provenance['machine']}"


def write_json(path: Path, value: Any) -> None:
    """Readable and stable."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def sums() -> None:
    """``SHA256SUMS`` of everything shipped."""
    files = sorted(p for p in SHIPPED.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(SHIPPED)}" for p in files
    ]
    (SHIPPED / "SHA256SUMS").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.stdout.write(f"{ship(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))}\n")
    sums()
