"""A tiny model with random weights and a small tokenizer: a stand-in to test with, nothing more.

The same texts give the same folder, byte for byte, on any machine. That is why the vocabulary is
counted here: the library's trainers break ties differently in every process.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LONGEST_PIECE = 6  # characters, "▁" not counted


def vocabulary_of(texts: Iterable[str], size: int) -> list[tuple[str, float]]:
    """Pieces with their log frequencies: all characters, then whatever covers most text."""
    counts: Counter[str] = Counter()
    for text in texts:
        for word in unicodedata.normalize("NFKC", text).split():
            spelled = f"▁{word}"
            for start in range(len(spelled)):
                for end in range(start + 1, min(start + LONGEST_PIECE + 1, len(spelled)) + 1):
                    counts[spelled[start:end]] += 1
    characters = sorted(piece for piece in counts if len(piece) == 1)
    longer = sorted(
        (piece for piece in counts if len(piece) > 1), key=lambda p: (-counts[p] * len(p), p)
    )
    total = counts.total()
    pieces = [*characters, *longer][: size - len(SPECIALS)]
    return [(name, 0.0) for name in SPECIALS] + [(p, math.log(counts[p] / total)) for p in pieces]


def make(
    folder: Path,
    texts: Iterable[str],
    *,
    vocabulary: int = 800,
    hidden: int = 32,
    layers: int = 2,
    heads: int = 2,
    seed: int = 0,
    architecture: str = "xlm-roberta",
    **more: object,
) -> Path:
    """Write config, random weights and a Unigram tokenizer for ``texts`` to ``folder``.

    Any architecture with a masked-LM head, or T5's whole encoder-decoder.
    """
    import torch
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import (
        AutoConfig,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        BertConfig,
        BertForMaskedLM,
        PreTrainedTokenizerFast,
        XLMRobertaConfig,
        XLMRobertaForMaskedLM,
    )
    from transformers.utils import logging

    logging.disable_progress_bar()
    pieces = vocabulary_of(texts, vocabulary)
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=SPECIALS.index("<unk>")))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    if architecture == "mt5":
        sentinels = [AddedToken(f"<extra_id_{n}>", special=True) for n in range(20)]
        fast.add_tokens(sentinels, special_tokens=True)
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": len(fast),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    if architecture == "bert":
        model = BertForMaskedLM(BertConfig(max_position_embeddings=512, **sizes))
    elif architecture == "mt5":
        sizes |= {"d_ff": 4 * hidden, "d_kv": hidden // heads, "decoder_start_token_id": 1}
        sizes["num_decoder_layers"] = layers
        model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("mt5", **sizes))
    elif architecture != "xlm-roberta":
        model = AutoModelForMaskedLM.from_config(
            AutoConfig.for_model(architecture, **sizes, **more)
        )
    else:
        config = XLMRobertaConfig(max_position_embeddings=514, type_vocab_size=1, **sizes)
        model = XLMRobertaForMaskedLM(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def main() -> None:
    """``python tests/tiny_encoder.py FOLDER TEXT...``: random weights, said plainly."""
    import sys
    from pathlib import Path

    if len(sys.argv) < 3:
        sys.stderr.write("usage: tiny_encoder.py FOLDER TEXT...\n")
        raise SystemExit(2)
    lines = [line for name in sys.argv[2:] for line in Path(name).read_text().splitlines()]
    lines = lines[:: len(lines) // 10_000 + 1]  # some of every file: the tokenizer takes seconds
    folder = make(Path(sys.argv[1]), lines, vocabulary=8000, hidden=128, layers=4, heads=4)
    sys.stdout.write(
        f"{folder}: 4 layers x 128, RANDOM weights, tokenizer from {len(lines)} lines\n"
    )


if __name__ == "__main__":
    main()
