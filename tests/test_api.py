"""What ``import vicious`` gives in a notebook."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from audited import CLASSES, evidence
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import vicious
from vicious.system.errors import AuditError, DataError

GIVEN = evidence(80, 3.0)


def test_importing_it_is_instant_and_unknown_names_are_errors() -> None:
    code = "import sys, vicious; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    with pytest.raises(AttributeError, match="no attribute 'psrn'"):
        _ = vicious.psrn


def test_psnr_and_ssim_are_those_of_scikit_image() -> None:
    generator = np.random.default_rng(0)
    x = generator.random((3, 1, 20, 20))
    y = (x + 0.1 * generator.normal(size=x.shape)).clip(0, 1)
    expected = [peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(vicious.psnr(x, y), expected)
    expected = [
        structural_similarity(a[0], b[0], data_range=1, gaussian_weights=True, use_sample_covariance=False, sigma=1.5)
        for a, b in zip(x, y, strict=True)
    ]
    assert vicious.ssim(x, y) == pytest.approx(expected, abs=0.02)  # it averages over a margin more


def test_the_risk_of_the_mean_is_one_and_a_better_guess_has_more() -> None:
    covariance = vicious.fit_covariance(GIVEN.images)
    mean = np.broadcast_to(covariance.mean.reshape(1, 1, 16, 16), GIVEN.images.shape)
    for share in (0.95, 1, None):
        np.testing.assert_allclose(vicious.risk(GIVEN.images, mean, covariance, share), 1)
        half = (GIVEN.images + mean) / 2
        np.testing.assert_allclose(vicious.risk(GIVEN.images, half, covariance, share), 2, rtol=1e-5)


def test_detectors_have_scores() -> None:
    found = vicious.detectors()
    assert {"linear_decodability", "own_decoder"} <= set(found)
    assert found["linear_decodability"].score(GIVEN) > 0.3


def test_stored_outputs_are_audited() -> None:
    found = vicious.audit(None, GIVEN.images, outputs=GIVEN.logits)
    assert found.verdict.answer == "evidence"
    assert found.decoded.images.shape == (80, 256)


def test_of_many_images_outputs_and_labels_are_those_of_the_images_that_are_used() -> None:
    found = vicious.audit(None, GIVEN.images, GIVEN.labels, outputs=GIVEN.logits, most=20)
    rows = [int(name) for name in found.given.names]
    np.testing.assert_array_equal(found.given.evidence.logits, GIVEN.logits[rows])
    np.testing.assert_array_equal(found.given.evidence.labels, GIVEN.labels[rows])
    with pytest.raises(AuditError, match="80 images need as many labels"):
        vicious.audit(None, GIVEN.images, GIVEN.labels[:70], outputs=GIVEN.logits)


def test_a_function_is_audited_and_asked() -> None:
    """Its outputs follow the class, which the brightest quarter of an image tells."""

    def classifier(images: Any) -> Any:
        quarters = images.reshape(-1, 2, 8, 2, 8).mean((2, 4)).reshape(-1, CLASSES)
        return 100.0 * np.eye(CLASSES)[quarters.argmax(1)]

    found = vicious.audit(classifier, GIVEN.images, labels=GIVEN.labels)
    assert found.verdict.answer == "no evidence"
    assert next(one for one in found.scores if one.detector == "own_decoder").score is not None


def test_a_torch_module_is_audited() -> None:
    from torch import nn

    module = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    assert vicious.audit(module, GIVEN.images[:30]).given.evidence.logits.shape == (30, 3)


def test_a_detector_takes_evidence_of_ones_own() -> None:
    seen = vicious.Evidence(GIVEN.images, GIVEN.labels, GIVEN.logits)
    assert vicious.detectors()["linear_decodability"].score(seen) > 0.3


def _wants_tensors(images: Any) -> Any:
    raise RuntimeError("expected 3 channels")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (GIVEN.logits, "the model is a ndarray: give a file, a torch module, or a function"),
        (lambda images: images.mean((1, 2, 3))[:3], r"the model made \(3,\): give a function"),
        (_wants_tensors, "the model made RuntimeError: expected 3 channels. Give images of the size that it takes"),
        (lambda images: ["cat"] * len(images), "the model made ValueError"),
    ],
)
def test_a_function_that_cannot_be_asked_is_an_error_that_says_what_it_is_given(model: Any, words: str) -> None:
    with pytest.raises(AuditError, match=words) as raised:
        vicious.audit(model, GIVEN.images)
    assert "float32 (n, C, H, W) in [0, 1]" in str(raised.value)


def test_a_function_may_answer_with_tensors() -> None:
    import torch

    weights = torch.nn.Linear(256, CLASSES)
    found = vicious.audit(lambda images: weights(torch.from_numpy(images).flatten(1)), GIVEN.images)
    assert found.given.evidence.logits.shape == (len(GIVEN.images), CLASSES)


def test_what_cannot_be_audited_is_an_error() -> None:
    with pytest.raises(AuditError, match="not both"):
        vicious.audit(None, GIVEN.images)


def test_a_vicious_model_is_trained_on_own_arrays() -> None:
    images = np.concatenate([GIVEN.images, GIVEN.images[:40]])
    labels = np.concatenate([GIVEN.labels, GIVEN.labels[:40]])
    found = vicious.train_vicious(images, labels, epochs=1)
    import torch

    outputs = found.target(torch.zeros(2, 1, 32, 32))
    assert outputs.shape == (2, CLASSES)
    assert found.attack(outputs).shape == (2, 1, 32, 32)
    with pytest.raises(DataError, match="at least 20 images with a label each"):
        vicious.train_vicious(images[:5], labels[:5])
