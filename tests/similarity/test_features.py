"""Every measure against an independent implementation, written from its formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.spatial import distance

from xstilts import similarity
from xstilts.errors import UserError
from xstilts.similarity import cka, fisher, logme, vectors, vocabulary

counts = st.lists(st.integers(0, 50), min_size=6, max_size=6).filter(any).map(np.array)


@given(counts, counts)
def test_vocabulary_is_scipys_jensen_shannon(one, two):
    expected = distance.jensenshannon(one, two, base=2) ** 2
    assert vocabulary.divergence(one, two) == pytest.approx(expected, abs=1e-9)
    assert 0 <= vocabulary.similarity(one, two) <= 1 + 1e-12


def test_vocabulary_of_nothing_shared_and_of_the_same():
    assert vocabulary.similarity(np.array([3.0, 0]), np.array([0, 2.0])) == pytest.approx(0)
    assert vocabulary.similarity(np.array([3.0, 1]), np.array([6.0, 2])) == pytest.approx(1)


def test_cosine_is_scipys():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 30))
    assert vectors.cosine(one, two) == pytest.approx(1 - distance.cosine(one, two))
    assert vectors.cosine(one, one * 0) == 0


def test_a_sketch_keeps_angles():
    rng = np.random.default_rng(1)
    one = rng.normal(size=40_000)
    two = one + rng.normal(size=40_000)
    sketches = [
        vectors.sketch([("a", v[:10_000].reshape(100, 100)), ("b", v[10_000:])], 2**14)
        for v in (one, two)
    ]
    assert vectors.cosine(*sketches) == pytest.approx(vectors.cosine(one, two), abs=0.03)
    # Few entries in many buckets: exactly the same numbers, but for their signs and places.
    small = vectors.sketch([("a", np.array([3.0, 4.0]))], 2**16)
    assert np.linalg.norm(small) == pytest.approx(5.0)


def test_task_embeddings_are_compared_as_in_task2vec():
    """1 - d_sym, entry by entry as the formula has it."""
    rng = np.random.default_rng(2)
    one, two = rng.random((2, 12))
    a = [x / (x + y) for x, y in zip(one, two, strict=True)]
    b = [y / (x + y) for x, y in zip(one, two, strict=True)]
    expected = sum(x * y for x, y in zip(a, b, strict=True))
    expected /= sum(x * x for x in a) ** 0.5 * sum(y * y for y in b) ** 0.5
    assert fisher.similarity(one, two) == pytest.approx(expected)
    assert fisher.similarity(one, one) == pytest.approx(1)
    assert fisher.similarity(np.append(one, 0), np.append(two, 0)) == pytest.approx(expected)
    assert fisher.by_unit(np.array([[1.0, 3], [5, 5]])).tolist() == [2, 5]
    assert fisher.by_unit(np.array([1.0, 3])).tolist() == [1, 3]


def test_cka_is_that_of_centred_gram_matrices():
    """Kornblith et al. 2019, equations 3 to 5: HSIC of Gram matrices, with H = I - 11'/n."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(20, 7)) + 4
    h = np.eye(20) - 1 / 20
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    expected = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    assert cka.linear(x, y) == pytest.approx(expected)
    turned = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert cka.linear(x, 3 * x @ turned + 2) == pytest.approx(1)
    assert cka.linear(x, np.ones((20, 2))) == 0


def test_logme_is_the_greatest_evidence_that_a_search_finds():
    """The marginal likelihood of y ~ N(0, I/beta + FF'/alpha), by a general optimiser."""
    rng = np.random.default_rng(4)
    f = rng.normal(size=(40, 6))
    labels = (f[:, 0] + f[:, 1] + rng.normal(size=40) > 0).astype(int) + (f[:, 2] > 1)
    expected = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)

        def minus(logs, y=y):
            alpha, beta = np.exp(logs)
            covariance = np.eye(40) / beta + f @ f.T / alpha
            return -stats.multivariate_normal(np.zeros(40), covariance).logpdf(y)

        found = optimize.minimize(minus, [0.0, 0.0], method="Nelder-Mead", tol=1e-9)
        expected.append(-found.fun / 40)
    assert logme.logme(f, labels) == pytest.approx(np.mean(expected), abs=1e-4)


def test_logme_with_more_columns_than_rows_and_with_one_class():
    rng = np.random.default_rng(5)
    f, labels = rng.normal(size=(10, 30)), np.arange(10) % 2
    y = labels.astype(float)
    assert np.isfinite(logme.logme(f, labels))
    assert logme.gain((f, labels), (f, labels)) == 0
    telling = f.copy()
    telling[:, 0] = 20 * (y - 0.5)
    assert logme.gain((telling, labels), (f, labels)) > 0
    with pytest.raises(ValueError, match="two classes"):
        logme.logme(f, labels * 0)


def test_every_feature_says_what_it_is_for():
    for name, one in similarity.FEATURES.items():
        assert one.name == name
        assert any(year in one.source for year in map(str, range(1990, 2026)))
        assert set(one.formats) <= {*similarity.LABELLED, "mlm"}
    with pytest.raises(UserError, match='did you mean "logme"'):
        similarity.get("logmee")
