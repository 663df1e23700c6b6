"""Packed rows give what padding gives in every packed architecture; folders round-trip."""

from __future__ import annotations

import gc
import json
import shutil
import weakref

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel, AutoModelForMaskedLM

from xstilts.errors import UserError
from xstilts.model import encoder as encoders
from xstilts.model import packing
from xstilts.model.dropout import KeyedDropout, row_keys
from xstilts.model.encoder import Encoder
from xstilts.model.packing import Batch
from xstilts.steps import checkpoint

SIZES = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
SPECIALS = {
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "cls_token_id": 0,
    "sep_token_id": 2,
}


def xlm_roberta(**more):
    config = transformers.XLMRobertaConfig(
        max_position_embeddings=130, type_vocab_size=1, **SIZES, **more
    )
    return transformers.XLMRobertaForMaskedLM(config)


def bert(**more):
    return transformers.BertForMaskedLM(transformers.BertConfig(**SIZES, **more))


def roberta(**more):
    config = transformers.RobertaConfig(max_position_embeddings=130, **SIZES, **more)
    return transformers.RobertaForMaskedLM(config)


def modernbert(**more):
    config = transformers.ModernBertConfig(
        local_attention=16, max_position_embeddings=128, **SIZES, **SPECIALS, **more
    )
    return transformers.ModernBertForMaskedLM(config)


def deberta(**more):
    config = transformers.DebertaV2Config(
        relative_attention=True, pos_att_type=["p2c", "c2p"], **SIZES, **more
    )
    return transformers.DebertaV2ForMaskedLM(config)


def distilbert():
    config = transformers.DistilBertConfig(
        vocab_size=99, dim=32, n_layers=2, n_heads=4, hidden_dim=48
    )
    return transformers.DistilBertForMaskedLM(config)


def mt5(**more):
    sizes = {n: SIZES[n] for n in SIZES if n != "intermediate_size"}
    return transformers.MT5ForConditionalGeneration(
        transformers.MT5Config(d_ff=48, d_kv=8, **sizes, **more)
    )


def made(make, **more):
    """A network whose every weight matters: the usual initial ones are too small to tell errors."""
    torch.manual_seed(0)
    network = make(**more)
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1 or name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


PACKED = {
    "xlm-roberta": (xlm_roberta, 2),
    "bert": (bert, 0),
    "roberta": (roberta, 2),
    "modernbert": (modernbert, 0),
}
LENGTHS = (1, 3, 5, 5, 40, 90)  # 40 and 90 are longer than ModernBERT's window of 16


def batch(segments=False, keys=False):
    total = sum(LENGTHS)
    stream = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 99, (total,), generator=stream)
    types = torch.zeros_like(ids)
    if segments:
        types = torch.cat([(torch.arange(n) >= n // 2).long() for n in LENGTHS])
    seeds = range(len(LENGTHS))
    return Batch(ids, types, LENGTHS, row_keys(seeds, LENGTHS) if keys else None)


def padded_reference(network, given, with_types):
    """All layers' states from transformers itself, padded and masked as its pages show."""
    rows = list(zip(given.ids.split(LENGTHS), given.types.split(LENGTHS), strict=True))
    width = max(LENGTHS)
    pad = network.config.pad_token_id
    ids = torch.stack([torch.nn.functional.pad(i, (0, width - len(i)), value=pad) for i, _ in rows])
    types = torch.stack([torch.nn.functional.pad(t, (0, width - len(t))) for _, t in rows])
    real = torch.arange(width) < torch.tensor(LENGTHS)[:, None]
    extra = {"token_type_ids": types} if with_types else {}
    with torch.no_grad():
        output = network.base_model(
            input_ids=ids, attention_mask=real.long(), output_hidden_states=True, **extra
        )
        logits = network(input_ids=ids, attention_mask=real.long(), **extra).logits
    return torch.stack([layer[real] for layer in output.hidden_states]), logits[real]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("segments", [False, True])
def test_packed_states_of_all_layers_equal_padded_ones(name, segments):
    make, first = PACKED[name]
    segments = segments and name == "bert"  # the others have one segment, or none
    given = batch(segments)
    expected, _ = padded_reference(made(make), given, with_types=segments)
    encoder = Encoder(made(make)).eval()
    assert (encoder.packed, encoder.first_position) == (True, first)
    with torch.no_grad():
        found = torch.stack(encoder.layers(given))
        last = encoder(given)
    assert found.shape == (SIZES["num_hidden_layers"] + 1, sum(LENGTHS), SIZES["hidden_size"])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(last, expected[-1], atol=1e-4, rtol=1e-5)


def test_segments_matter_to_bert_and_not_to_xlm_roberta():
    with torch.no_grad():
        encoder = Encoder(made(bert)).eval()
        assert not torch.allclose(encoder(batch()), encoder(batch(segments=True)), atol=0.1)
        encoder = Encoder(made(xlm_roberta)).eval()  # one row in its table: clamped
        assert torch.equal(encoder(batch()), encoder(batch(segments=True)))


def test_deberta_runs_padded_and_gives_the_same():
    given = batch()
    expected, _ = padded_reference(made(deberta), given, with_types=False)
    encoder = Encoder(made(deberta)).eval()
    assert not encoder.packed
    with torch.no_grad():
        torch.testing.assert_close(
            torch.stack(encoder.layers(given)), expected, atol=1e-4, rtol=1e-5
        )


# --- the proof ---------------------------------------------------------------------------------


def test_local_attention_that_ignored_its_window_would_not_be_packed(monkeypatch):
    """On short sequences a window makes no difference; the proof must look beyond it."""
    assert Encoder(made(modernbert)).packed
    monkeypatch.setattr(packing, "_band", lambda *_: None)
    encoder = Encoder(made(modernbert)).eval()
    assert not encoder.packed
    expected, _ = padded_reference(made(modernbert), batch(), with_types=False)
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch()), expected[-1], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({}, 8),
        ({"local_attention": 128}, 136),
        ({"sliding_window": 64, "local_attention": 128, "max_position_embeddings": 8192}, 136),
        ({"sliding_window": 4096, "max_position_embeddings": 512}, 508),
        ({"sliding_window": None}, 8),
    ],
)
def test_the_proof_is_longer_than_any_window_and_fits_the_positions(config, length):
    assert encoders._longer_than_windows(transformers.PretrainedConfig(**config)) == length


def test_attention_across_sequences_would_not_be_packed(monkeypatch):
    def across(module, query, key, value, _mask, **_):
        scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
        return (scores.softmax(-1) @ value).transpose(1, 2), None

    monkeypatch.setitem(transformers.AttentionInterface()._global_mapping, packing.NAME, across)
    assert not Encoder(made(bert)).packed


def test_wrong_positions_would_not_be_packed(monkeypatch):
    monkeypatch.setattr(Batch, "positions", lambda self, first: torch.arange(len(self.ids)) + first)
    assert not Encoder(made(bert)).packed


def test_an_encoder_in_training_stays_in_training():
    network = made(bert).train()
    assert Encoder(network).training


# --- dropout inside an encoder -----------------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
def test_in_training_a_sequence_gives_the_same_alone_and_packed(name):
    more = {"attention_dropout": 0.2, "embedding_dropout": 0.2, "mlp_dropout": 0.2}
    more = more if name == "modernbert" else {"attention_probs_dropout_prob": 0.2}
    encoder = Encoder(made(PACKED[name][0], **more)).train()
    given = batch(keys=True)
    with torch.no_grad():
        whole, again = encoder(given), encoder(given)
        assert torch.equal(whole, again)
        for row, part in enumerate(whole.split(LENGTHS)):
            ids, types, keys = (t.split(LENGTHS)[row] for t in (given.ids, given.types, given.keys))
            alone = encoder(Batch(ids, types, (LENGTHS[row],), keys))
            torch.testing.assert_close(part, alone, atol=1e-3, rtol=1e-4)
        other = Batch(given.ids, given.types, LENGTHS, row_keys(range(9, 15), LENGTHS))
        assert not torch.allclose(encoder(other), whole, atol=0.1)


def test_packed_and_padded_drop_the_same_outside_attention():
    encoder = Encoder(made(bert, attention_probs_dropout_prob=0.0)).train()
    given = batch(keys=True)
    with torch.no_grad():
        packed = encoder(given)
        encoder.packed = False
        encoder.network.set_attn_implementation("eager")
        torch.testing.assert_close(encoder(given), packed, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("make", [xlm_roberta, distilbert], ids=["xlm-roberta", "distilbert"])
def test_every_layers_attention_drops_other_weights(make, monkeypatch):
    """DistilBERT's attention has no layer number of its own."""
    encoder = Encoder(made(make)).train()
    sites = []
    original = packing.apply_dropout

    def spy(x, keys, site, p):
        sites.append(site)
        return original(x, keys, site, p)

    monkeypatch.setattr(packing, "apply_dropout", spy)
    with torch.no_grad():
        encoder(Batch(torch.arange(5) + 9, torch.zeros(5).long(), (5,), row_keys([1], [5])))
    elsewhere = [m.site for m in encoder.modules() if isinstance(m, KeyedDropout)]
    assert len(sites) == encoder.config.num_hidden_layers
    assert len({*sites, *elsewhere}) == len(sites) + len(elsewhere)


def test_no_plain_dropout_is_left():
    for make in (xlm_roberta, bert, roberta, modernbert, deberta):
        encoder = Encoder(made(make))
        assert not [m for m in encoder.modules() if type(m) is torch.nn.Dropout]


# --- the last layer, at some tokens only -------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("training", [False, True])
def test_states_of_some_tokens_are_those_of_all_gathered(name, training):
    """In states, and in the gradients of all parameters; dropout drops the same."""
    encoder = Encoder(made(PACKED[name][0])).train(training)
    assert encoder.cuts_last is (name != "modernbert")
    given = batch(keys=training)
    places = torch.tensor([3, 0, 17, 90, sum(LENGTHS) - 1])
    weights = torch.randn(5, 32, generator=torch.Generator().manual_seed(3))
    found = []
    for states in (encoder(given)[places], encoder(given, places)):
        encoder.zero_grad()
        (states * weights).sum().backward()
        gradients = {n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None}
        found.append((states.detach(), gradients))
    (expected, wanted), (states, gradients) = found
    torch.testing.assert_close(states, expected, atol=1e-4, rtol=1e-5)
    assert gradients.keys() == wanted.keys()
    for key, value in wanted.items():
        scale = float(value.abs().max())
        torch.testing.assert_close(gradients[key], value, atol=1e-4 * scale, rtol=1e-4, msg=key)
    with torch.no_grad():
        torch.testing.assert_close(encoder(given)[places], expected, atol=1e-4, rtol=1e-5)


def test_a_last_layer_that_went_wrong_is_not_cut(monkeypatch):
    monkeypatch.setattr(encoders, "_only_asked", lambda _holder, _m, inputs: (inputs[0], inputs[0]))
    encoder = Encoder(made(xlm_roberta)).eval()
    assert (encoder.packed, encoder.cuts_last) == (True, False)
    with torch.no_grad():
        assert torch.equal(encoder(batch(), torch.tensor([1])), encoder(batch())[[1]])


# --- the masked-LM head ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [f for f, _ in PACKED.values()] + [deberta], ids=[*PACKED, "deb"])
def test_masked_positions_only_equal_the_full_logits_gathered(make):
    given = batch()
    _, logits = padded_reference(made(make), given, with_types=False)
    encoder = Encoder(made(make)).eval()
    places = torch.tensor([0, 4, 17, 90, sum(LENGTHS) - 1])
    with torch.no_grad():
        found = encoder.masked_lm_logits(encoder(given)[places])
    assert encoder.has_masked_lm
    torch.testing.assert_close(found, logits[places], atol=1e-3, rtol=1e-4)


def test_a_head_of_an_unknown_shape_is_refused_in_one_line():
    encoder = Encoder(made(distilbert))  # its modules do not stand in the order they are run in
    assert (encoder.packed, encoder.has_masked_lm) == (True, False)
    with pytest.raises(UserError, match="distilbert has no masked-LM head that can be trained"):
        encoder.masked_lm_logits(torch.zeros(1, 32))


def test_a_bare_encoder_has_no_masked_lm_head():
    encoder = Encoder(made(bert).bert)
    assert encoder.packed
    assert not encoder.has_masked_lm
    with pytest.raises(UserError, match="no masked-LM head"):
        encoder.masked_lm_logits(torch.zeros(1, 32))


# --- folders -----------------------------------------------------------------------------------


@pytest.fixture(params=[*PACKED, "deberta", "distilbert"])
def folder(request, tmp_path):
    """A checkpoint without a pooler, as transformers writes it."""
    make = {**{n: f for n, (f, _) in PACKED.items()}, "deberta": deberta, "distilbert": distilbert}
    made(make[request.param]).save_pretrained(tmp_path / "given")
    return tmp_path / "given"


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_load_save_load_is_the_same_and_transformers_reads_it(folder, tmp_path):
    encoder = encoders.load(folder)
    assert encoder.pooler is None
    for round_ in ("one", "two"):
        (tmp_path / round_).mkdir()
        encoders.save(encoder, tmp_path / round_)
        again = encoders.load(tmp_path / round_)
        assert same(encoder.state_dict(), again.state_dict())
        assert (again.packed, again.first_position) == (encoder.packed, encoder.first_position)
        encoder = again
    first, second = ((tmp_path / r / "model.safetensors").read_bytes() for r in ("one", "two"))
    assert first == second
    network, report = AutoModelForMaskedLM.from_pretrained(
        tmp_path / "two", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert same(network.state_dict(), AutoModelForMaskedLM.from_pretrained(folder).state_dict())
    assert network.config._attn_implementation != packing.NAME
    AutoModel.from_pretrained(tmp_path / "two")


def test_of_a_whole_t5_the_encoder_is_taken_and_padded(tmp_path):
    network = made(mt5).eval()
    network.save_pretrained(tmp_path / "given")
    encoder = encoders.load(tmp_path / "given").eval()
    assert not encoder.packed
    assert not any("decoder" in name for name, _ in encoder.named_parameters())
    given = batch()
    rows = pad_sequence(given.ids.split(given.lengths), batch_first=True)
    mask = pad_sequence([torch.ones(n) for n in given.lengths], batch_first=True)
    with torch.no_grad():
        expected = network.encoder(input_ids=rows, attention_mask=mask).last_hidden_state
        found = encoder(given)
    torch.testing.assert_close(found, expected[mask.bool()], atol=1e-5, rtol=1e-4)
    (tmp_path / "saved").mkdir()
    encoders.save(encoder, tmp_path / "saved")
    again = encoders.load(tmp_path / "saved")
    assert same(encoder.state_dict(), again.state_dict())
    assert again.pools_mean


@pytest.mark.parametrize("name", ["bert", "xlm-roberta"])
def test_the_pooler_is_kept_where_the_checkpoint_has_one(name, tmp_path):
    network = made(PACKED[name][0])
    network.save_pretrained(tmp_path / "given")
    weights = load_file(tmp_path / "given" / "model.safetensors")
    stream = torch.Generator().manual_seed(5)
    prefix = f"{network.base_model_prefix}.pooler.dense"
    pooler = {
        f"{prefix}.weight": torch.randn(32, 32, generator=stream),
        f"{prefix}.bias": torch.randn(32, generator=stream),
    }
    save_file(weights | pooler, tmp_path / "given" / "model.safetensors", {"format": "pt"})
    encoder = encoders.load(tmp_path / "given")
    for round_ in ("one", "two"):
        assert torch.equal(encoder.pooler.weight, pooler[f"{prefix}.weight"])
        assert torch.equal(encoder.pooler.bias, pooler[f"{prefix}.bias"])
        (tmp_path / round_).mkdir()
        encoders.save(encoder, tmp_path / round_)
        encoder = encoders.load(tmp_path / round_)
    ids = torch.arange(9, 15)
    model = AutoModel.from_pretrained(tmp_path / "two").eval()
    with torch.no_grad():
        expected = model(input_ids=ids[None]).pooler_output
        encoder.eval()
        found = encoder.pooled(encoder(Batch(ids, torch.zeros(6).long(), (6,)))[:1])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_without_a_pooler_the_first_state_is_taken_as_it_is():
    encoder = Encoder(made(bert))
    states = torch.randn(2, 32)
    assert encoder.pooled(states) is states


# --- broken folders ----------------------------------------------------------------------------


@pytest.fixture
def sound(tmp_path):
    made(bert).save_pretrained(tmp_path / "sound")
    return tmp_path / "sound"


def refused(folder):
    with pytest.raises(UserError) as caught:
        encoders.load(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_no_folder(tmp_path):
    assert str(tmp_path / "absent") in refused(tmp_path / "absent")


def test_truncated_weights(sound):
    file = sound / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert f"cannot load model {sound}" in refused(sound)


def test_a_checkpoint_without_the_encoders_weights(sound):
    weights = load_file(sound / "model.safetensors")
    kept = {n: t for n, t in weights.items() if "layer.2" not in n}
    save_file(kept, sound / "model.safetensors", {"format": "pt"})
    message = refused(sound)
    assert f"lacks {len(weights) - len(kept)} of the encoder's weights" in message
    assert "bert.encoder.layer.2" in message


def test_a_config_that_does_not_fit_its_weights(sound):
    config = json.loads((sound / "config.json").read_text())
    (sound / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    message = refused(sound)
    assert f"checkpoint {sound}: bert.embeddings." in message
    assert message.endswith("config and weights are not of the same model")


def test_an_unknown_architecture(sound):
    (sound / "config.json").write_text(json.dumps({"model_type": "tomorrow"}))
    assert f"cannot load model {sound}" in refused(sound)


def test_a_folder_of_another_place_is_the_same_encoder(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "copy")
    one, other = encoders.load(sound), encoders.load(tmp_path / "copy")
    assert same(one.state_dict(), other.state_dict())


def test_an_encoder_goes_as_soon_as_nothing_needs_it(tiny):
    """Its memory is the next stage's: no circle may hold it until the collector comes by."""
    gc.disable()
    try:
        encoder, _ = checkpoint.load(tiny)
        assert encoder.cuts_last
        gone = weakref.ref(encoder.network)
        del encoder
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["XLMRobertaForSequenceClassification", "XLMRobertaModel"])
def test_a_masked_lm_head_that_was_drawn_is_none(kind, tmp_path):
    """A classifier's checkpoint has none; what transformers puts there differs at every load."""

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.XLMRobertaConfig(vocab_size=50, intermediate_size=16, **sizes)
    getattr(transformers, kind)(config).save_pretrained(tmp_path / "one")
    first = encoders.load(tmp_path / "one")
    assert not first.has_masked_lm
    (tmp_path / "two").mkdir()
    encoders.save(first, tmp_path / "two")
    again = encoders.load(tmp_path / "two")
    assert not again.has_masked_lm
    assert (again.pooler is None) == (first.pooler is None)
    mine, theirs = first.backbone.state_dict(), again.backbone.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_deberta_classifier_is_an_encoder(tmp_path):
    """Its pooler is of its classifier, not of its backbone."""
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = DebertaV2Config(vocab_size=50, intermediate_size=16, **sizes)
    DebertaV2ForSequenceClassification(config).save_pretrained(tmp_path)
    assert encoders.load(tmp_path).pooler is None
