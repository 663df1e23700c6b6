"""What an encoder knows before any fine-tuning, by language, as Markdown.

    XSTILTS_MIRROR=... python scripts/encoder_sheet.py [--corpus FOLDER] ENCODER...

For every language: sub-words per word and masked-LM perplexity on text that no corpus of ours holds
(treebank test sentences; where there is no treebank, Tatoeba or XCOPA), and Tatoeba accuracy by
layer. With a corpus, as ``xstilts corpus`` makes it, come the languages of `mini` that
have no such text, measured on lines that were trained on, and starred.
Perplexity is exp of the mean loss at 15 % hidden tokens, the same ones for every encoder with the
same tokenizer; it compares languages only together with sub-words per word.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from xstilts import formats, models, pretraining
from xstilts.corpus.cleaned import parallel_rows
from xstilts.formats.encoded import Template, token_ids
from xstilts.identity import stream_seed
from xstilts.model.packing import Batch
from xstilts.sources import Sources
from xstilts.steps import checkpoint, forward
from xstilts.steps.batches import hide_tokens
from xstilts.steps.desk import Desk
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from collections.abc import Collection

    from xstilts.model.encoder import Encoder
    from xstilts.model.tokenizer import LoadedTokenizer

SENTENCES = 300
MINI = Path(__file__).parents[1] / "studies/pretraining/mini.yaml"
BUDGET_TOKENS = 8192


class Sheet:
    """Reads the texts once; measures encoders."""

    def __init__(self, corpus: Path | None) -> None:
        self.catalogue, self.sources = Catalogue(), Sources.from_environment()
        self.desk = Desk(catalogue=self.catalogue, sources=self.sources, token_budget=BUDGET_TOKENS)
        self.pairs = self._examples("tatoeba")
        treebanks = self._examples("udpos")
        self.texts = {
            code: [" ".join(one.words) for one in treebanks[code]][:SENTENCES]
            if code in treebanks
            else [one.text for one in self.pairs[code]][:SENTENCES]
            for code in sorted({*treebanks, *self.pairs})
        }
        for code, examples in self._examples("xcopa").items():
            self.texts.setdefault(code, [one.prompt for one in examples][:SENTENCES])
        self.seen = _seen(corpus, self.texts) if corpus else {}

    def _examples(self, name: str) -> dict[str, list]:
        task, data = self.catalogue.get(name), self.catalogue.data(name, "mirror")
        return {
            code: self.sources.examples(task, data, "evaluate", code)
            for code in data.languages or task.languages
        }

    def perplexity(self, encoder: Encoder, tokenizer: LoadedTokenizer, texts: list[str]) -> float:
        """Of hidden tokens."""
        template = Template.of(tokenizer.backend)
        rows = [template.single(ids[:126]) for ids in token_ids(tokenizer.backend, texts) if ids]
        ids = sorted((np.array(row, np.int32) for row in rows), key=len)
        seeds = [stream_seed(7, number) for number in range(len(ids))]
        losses = []
        with torch.inference_mode():
            for start in range(0, len(ids), 100):
                part = slice(start, start + 100)
                hidden, targets = hide_tokens(ids[part], seeds[part], tokenizer)
                flat = torch.from_numpy(np.concatenate(hidden).astype(np.int64))
                batch = Batch(flat, torch.zeros_like(flat), tuple(map(len, hidden)))
                places = torch.from_numpy(targets["places"])
                logits = encoder.masked_lm_logits(encoder(batch)[places])
                gold = torch.from_numpy(targets["hidden_ids"])
                losses.append(functional.cross_entropy(logits, gold, reduction="none"))
        return float(torch.cat(losses).mean().exp())

    def retrieval(self, encoder: Encoder, tokenizer: LoadedTokenizer, code: str) -> list[float]:
        """Tatoeba accuracy at every layer, the embeddings first."""
        task, pairs = self.catalogue.get("tatoeba"), self.pairs[code]
        limits = formats.Limits(max_length=128)
        encoded = formats.encode(task, pairs, tokenizer.backend, limits)
        ranked = forward.neighbours(encoder, encoded, self.desk)[:, :, 0]
        return [float(np.mean(layer == np.arange(len(pairs)))) for layer in ranked]


def _seen(corpus: Path, others: Collection[str]) -> dict[str, list[str]]:
    """Lines of the corpus in languages that have no other text, marked with a star."""
    missing = {*pretraining.load(MINI).languages}.difference(others)
    found: dict[str, list[str]] = {}
    for row in parallel_rows(corpus):
        for code in missing.intersection(row):
            if len(texts := found.setdefault(f"{code}*", [])) < SENTENCES:
                texts.append(row[code])
    return dict(sorted(found.items()))


def words(texts: list[str]) -> int:
    """Words, as spaces have them."""
    return sum(len(text.split()) for text in texts)


def main(names: list[str], corpus: Path | None) -> None:
    """Print the tables."""
    sheet = Sheet(corpus)
    for name in names:
        model = models.find(name)
        encoder, tokenizer = checkpoint.load(model.location, model.revision)
        encoder.eval()
        depth = encoder.config.num_hidden_layers
        print(f"## {name}\n\n| language | sub-words a word | perplexity |", end="")
        print("".join(f" Tatoeba {layer} |" for layer in range(depth + 1)))
        print("|---" * (depth + 4) + "|")
        found = []
        for code, texts in (sheet.texts | sheet.seen).items():
            pieces = sum(map(len, token_ids(tokenizer.backend, texts)))
            perplexity = sheet.perplexity(encoder, tokenizer, texts)
            scores = sheet.retrieval(encoder, tokenizer, code) if code in sheet.pairs else []
            found += [scores] if scores else []
            cells = "".join(f" {score:.1%} |" for score in scores) or " - |" * (depth + 1)
            ratio = pieces / words(texts)
            print(f"| {code} | {ratio:.2f} | {perplexity:,.0f} |{cells}", flush=True)
        means = "".join(f" {score:.1%} |" for score in np.mean(found, axis=0))
        print(f"| mean | | |{means}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("encoder", nargs="+")
    given = parser.parse_args()
    main(given.encoder, given.corpus)
