"""How far predicted training memory is from what a process really takes, at its peak.

    python benchmarks/training_memory.py [--layers 6] [--hidden 384]

Each case trains a random encoder in a process of its own: two micro-batches a step, two steps, as a
stage does them. Measured is the most that PyTorch's allocator had given out at a time, by its
profiler, as `max_memory_allocated` is on a GPU; predicted is `xstilts.footprint`. The whole
vocabulary is held here; a stage without masked LM holds the embeddings of its rows alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xstilts.sizes import Architecture

TOKENS, VOCABULARY = 2048, 8000
CASES = [
    (kind, lora, precision, dropout, length)
    for kind in ("bert", "t5")
    for lora in (False, True)
    for precision in ("fp32", "bf16")
    for dropout, length in ((0.0, 64), (0.1, 256))
]


def main() -> None:
    """Print a table of all cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measured(*json.loads(asked.case), asked.layers, asked.hidden)))
        return
    print("kind trained   precision dropout length  predicted  measured  predicted/measured")
    for case in CASES:
        command = [sys.executable, __file__, "--case", json.dumps(case)]
        command += ["--layers", str(asked.layers), "--hidden", str(asked.hidden)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        predicted, peak = json.loads(ran.stdout.splitlines()[-1])
        kind, lora, precision, dropout, length = case
        trained = "adapters" if lora else "everything"
        print(
            f"{kind:4} {trained:10} {precision:9} {dropout:7} {length:6}  "
            f"{predicted / 2**20:6.0f} MiB {peak / 2**20:5.0f} MiB  {predicted / peak:.2f}",
            flush=True,
        )


def measured(
    kind: str, lora: bool, precision: str, dropout: float, length: int, layers: int, hidden: int
) -> tuple[float, float]:
    """Bytes predicted and at the peak."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    from xstilts import footprint

    torch.set_num_threads(1)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        shape = _train(kind, lora, precision, dropout, length, TOKENS, layers, hidden)
    events = (e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]")
    held = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    predicted = footprint.of(shape, TOKENS, length, precision, rank=16 * lora).total
    return predicted, peak


def _train(
    kind: str,
    lora: bool,
    precision: str,
    dropout: float,
    length: int,
    tokens: int,
    layers: int,
    hidden: int,
) -> Architecture:
    """Two steps of two micro-batches; returns the encoder's shape."""
    import torch
    from peft import LoraConfig, inject_adapter_in_model
    from transformers import MT5Config, MT5EncoderModel, XLMRobertaConfig, XLMRobertaModel

    from xstilts import sizes
    from xstilts.model import packing
    from xstilts.model.encoder import Encoder
    from xstilts.steps import optimizers

    ids = torch.arange(tokens) % (VOCABULARY - 10) + 5
    count = tokens // length
    if kind == "bert":
        config = XLMRobertaConfig(
            vocab_size=VOCABULARY,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=hidden // 64,
            intermediate_size=4 * hidden,
            max_position_embeddings=514,
            type_vocab_size=1,
            pad_token_id=1,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        model = Encoder(XLMRobertaModel(config, add_pooling_layer=False))
        network, names = model.network, ["query", "value"]
        keys = torch.arange(tokens) if dropout else None
        batch = packing.Batch(ids, torch.zeros_like(ids), (length,) * count, keys)

        def states() -> torch.Tensor:
            return model(batch)
    else:
        config = MT5Config(
            vocab_size=VOCABULARY,
            d_model=hidden,
            d_ff=2 * hidden,
            num_layers=layers,
            num_heads=hidden // 64,
            d_kv=64,
            dropout_rate=dropout,
        )
        network = model = MT5EncoderModel(config)
        names, rows = ["q", "v"], ids.view(count, length)

        def states() -> torch.Tensor:
            return network(input_ids=rows, attention_mask=torch.ones_like(rows)).last_hidden_state

    if lora:
        inject_adapter_in_model(LoraConfig(r=16, lora_alpha=32, target_modules=names), network)
    model.train()
    options = {"learning_rate": 1e-4, "weight_decay": 0.01, "epsilon": 1e-8}
    optimizer = optimizers.build(model, options)
    for _ in range(2):
        for _ in range(2):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                loss = states().float().square().mean()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    found = sizes.of_config(config.to_dict())
    assert found is not None
    return found


if __name__ == "__main__":
    main()
