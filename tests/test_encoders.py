"""The encoders that come with xstilts: what is shipped is what was made."""

from __future__ import annotations

import hashlib
import json

import pytest

from xstilts import models
from xstilts.languages import table
from xstilts.models import SHIPPED

MOST_BYTES = 25_000_000  # of one encoder's weights
XTREME = {row.code for row in table().values() if row.xtreme}
LEAST_SHARE = 0.003  # of the tokens, in each language of XTREME


def test_every_file_has_the_hash_that_is_written_down():
    lines = (SHIPPED / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = [path for path in SHIPPED.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert {str(path.relative_to(SHIPPED)) for path in files} == listed.keys()
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest == listed[str(path.relative_to(SHIPPED))], path.name


@pytest.mark.parametrize("name", models.shipped())
def test_an_encoder_is_a_plain_hugging_face_folder(name):
    """Weights, tokenizer, card, and how it was made; nothing missing from the weights."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    folder = SHIPPED / name
    assert (folder / "model.safetensors").stat().st_size <= MOST_BYTES
    network, report = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == network.config.vocab_size
    assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 1, 2)
    card = (folder / "README.md").read_text()
    assert "licence" in card
    assert "Limits" in card


@pytest.mark.parametrize("name", models.shipped())
def test_it_runs_packed_and_knows_every_language_of_xtreme(name):
    from xstilts.steps import checkpoint

    found = models.find(name)
    assert found.location == SHIPPED / name
    encoder, tokenizer = checkpoint.load(found.location, found.revision)
    assert encoder.packed
    assert encoder.has_masked_lm
    log = json.loads((SHIPPED / name / "pretraining.json").read_text())
    seen = log["result"]["languages"]
    assert seen.keys() >= XTREME
    least = LEAST_SHARE * log["result"]["tokens"]
    assert all(seen[code]["tokens_seen"] > least for code in XTREME)
    unknown = tokenizer.backend.token_to_id("<unk>")
    for text in ("Where is it?", "Где это?", "これはどこ?", "它在哪里?", "यह कहाँ है?", "இது எங்கே?"):
        assert unknown not in tokenizer.backend.encode(text).ids


def test_mini_is_the_default_of_studies():
    from xstilts.study import Study

    assert Study(name="a", targets=["xnli"]).models == ("mini",)
    assert "mini" in models.shipped()
