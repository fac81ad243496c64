"""Image quality, against scikit-image and numpy in float64."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vicious.metrics import measures
from vicious.metrics.checks import check_images
from vicious.metrics.image import decibels
from vicious.metrics.measures.psnr import psnr
from vicious.metrics.measures.ssim import ssim
from vicious.system.errors import MetricError


def pair(n: int = 5, channels: int = 3, height: int = 32, width: int = 32, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    x = generator.random((n, channels, height, width))
    return x, np.clip(x + generator.normal(0, 0.2, x.shape), 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (11, 11), (28, 40)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ssim_agrees_with_scikit_image(channels: int, size: Any, dtype: Any) -> None:
    x, y = pair(4, channels, *size)
    expected = [
        structural_similarity(
            a, b, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(x, y, strict=True)
    ]
    found = ssim(torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype))
    assert found.numpy() == pytest.approx(expected, abs=2e-5 if dtype == torch.float32 else 1e-12)


def test_psnr_agrees_with_scikit_image() -> None:
    x, y = pair()
    expected = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(x, y, strict=True)]
    assert psnr(torch.tensor(x), torch.tensor(y)).numpy() == pytest.approx(expected, abs=1e-9)


def test_mean_psnr_is_not_the_psnr_of_the_mean_error() -> None:
    x = torch.zeros(2, 1, 32, 32)
    y = torch.stack([torch.full((1, 32, 32), 0.1), torch.full((1, 32, 32), 0.8)])
    assert psnr(x, y).mean().item() == pytest.approx((20 + -20 * np.log10(0.8)) / 2, abs=1e-4)


@pytest.mark.parametrize("measure", [measures.function(name) for name in measures.names()])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_batches_do_not_matter(measure: Any, size: int) -> None:
    x, y = (torch.tensor(array) for array in pair(7))
    parts = [measure(x[i : i + size], y[i : i + size]) for i in range(0, 7, size)]
    assert torch.cat(parts).numpy() == pytest.approx(measure(x, y).numpy(), abs=1e-12)


def test_a_perfect_reconstruction_is_finite() -> None:
    x = torch.rand(2, 3, 32, 32)
    assert psnr(x, x).tolist() == pytest.approx([100.0, 100.0])
    assert ssim(x, x).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_ssim_has_the_gradient_of_its_value() -> None:
    x = torch.rand(1, 1, 11, 12, dtype=torch.float64)
    y = torch.rand(1, 1, 11, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: ssim(x, z), (y,))


@pytest.mark.parametrize("value", [1.5, -0.01, float("nan")])
def test_values_outside_the_range_are_refused_by_name(value: Any) -> None:
    x = torch.rand(2, 1, 32, 32)
    bad = x.clone()
    bad[0, 0, 0, 0] = value
    with pytest.raises(MetricError, match=r"minimum .* maximum"):
        check_images(x, bad)


def test_shapes_must_agree() -> None:
    with pytest.raises(MetricError, match="share one shape"):
        check_images(torch.rand(2, 1, 32, 32), torch.rand(2, 3, 32, 32))
    with pytest.raises(MetricError, match="no images"):
        check_images(torch.rand(0, 1, 32, 32), torch.rand(0, 1, 32, 32))


@pytest.mark.parametrize("name", measures.names())
def test_a_measure_states_its_range_and_keeps_to_it(name: Any) -> None:
    x, y = (torch.tensor(array) for array in pair(7))
    facts = measures.facts(name)
    for values in (measures.function(name)(x, y), measures.function(name)(x, x), measures.function(name)(x, 1 - x)):
        assert values.shape == (7,)
        assert float(values.min()) >= facts.LOW
        assert float(values.max()) <= facts.HIGH + 1e-12
    assert isinstance(facts.UNIT, str)


def test_measures_are_listed_and_read_without_pytorch() -> None:
    program = (
        "import sys\nfrom vicious.metrics import measures\n"
        "print([measures.facts(name).HIGH for name in measures.names()], 'torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[1.0, 100.0, 1.0] False\n"


def test_decibels_are_the_same_of_tensors_arrays_and_numbers() -> None:
    errors = np.array([1.0, 0.1, 1e-3, 1e-12, 0.0])
    expected = [0.0, 10.0, 30.0, 100.0, 100.0]
    assert decibels(errors) == pytest.approx(expected)
    assert decibels(torch.tensor(errors)).tolist() == pytest.approx(expected)
    assert decibels(errors[1]) == pytest.approx(10.0)
    with np.errstate(divide="ignore"):
        assert np.isinf(decibels(errors, floor=0.0)[-1])


@pytest.mark.parametrize("level", [0.0, 0.3, 0.9, 0.99, 1.0])
def test_ssim_of_flat_images_is_at_most_one(level: float) -> None:
    x = torch.full((4, 3, 32, 32), level)
    y = (x - torch.tensor([0.0, 1e-7, 1e-5, 1e-4])[:, None, None, None]).clamp(0, 1)
    assert float(ssim(x, y).max()) <= 1.0
    assert ssim(x, y).tolist() == pytest.approx(ssim(x.double(), y.double()).tolist(), abs=1e-7)


BAD = {
    "bytes": np.zeros((2, 1, 32, 32), np.uint8),
    "zero to 255": np.full((2, 1, 32, 32), 128.0),
    "rows": np.zeros((2, 1024)),
    "other shape": np.zeros((2, 3, 32, 32)),
    "none": np.zeros((0, 1, 32, 32)),
    "not a number": np.full((2, 1, 32, 32), np.nan),
    "infinite": np.full((2, 1, 32, 32), np.inf),
    "complex": np.zeros((2, 1, 32, 32), complex),
}


@pytest.mark.parametrize("name", measures.names())
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("kept", [np.asarray, torch.from_numpy])
def test_each_measure_refuses_what_it_is_not_defined_for(name: Any, kind: Any, kept: Any) -> None:
    good, bad = kept(np.full((2, 1, 32, 32), 0.5)), kept(BAD[kind])
    for given in ((good, bad), (bad, good), (bad, bad)):
        if given[0] is given[1] and kind == "other shape":
            continue
        with pytest.raises(MetricError):
            measures.function(name)(*given)


@pytest.mark.parametrize("name", measures.names())
def test_arrays_and_tensors_measure_alike(name: Any) -> None:
    x, y = pair()
    found = measures.function(name)(x, y)
    assert found.tolist() == measures.function(name)(torch.from_numpy(x), torch.from_numpy(y)).tolist()


def test_images_smaller_than_the_window_have_no_ssim() -> None:
    with pytest.raises(MetricError, match="11x11"):
        ssim(torch.rand(1, 1, 10, 32), torch.rand(1, 1, 10, 32))


@pytest.mark.parametrize("errors", [-1.0, np.array([0.1, np.nan]), np.array([]), torch.tensor([np.inf])])
def test_decibels_of_what_is_no_error_are_refused(errors: Any) -> None:
    with pytest.raises(MetricError, match="mean squared errors"):
        decibels(errors)
