"""Image quality, against scikit-image and numpy in float64."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vicious.metrics.image import check_images, mse, psnr, ssim
from vicious.system.errors import MetricError


def pair(n=5, channels=3, height=32, width=32, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.random((n, channels, height, width))
    return x, np.clip(x + generator.normal(0, 0.2, x.shape), 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (11, 11), (28, 40)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ssim_agrees_with_scikit_image(channels, size, dtype):
    x, y = pair(4, channels, *size)
    expected = [
        structural_similarity(
            a, b, channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(x, y, strict=True)
    ]
    found = ssim(torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype))
    assert found.numpy() == pytest.approx(expected, abs=2e-5 if dtype == torch.float32 else 1e-12)


def test_psnr_agrees_with_scikit_image():
    x, y = pair()
    expected = [peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(x, y, strict=True)]
    assert psnr(torch.tensor(x), torch.tensor(y)).numpy() == pytest.approx(expected, abs=1e-9)


def test_mean_psnr_is_not_the_psnr_of_the_mean_error():
    x = torch.zeros(2, 1, 32, 32)
    y = torch.stack([torch.full((1, 32, 32), 0.1), torch.full((1, 32, 32), 0.8)])
    assert psnr(x, y).mean().item() == pytest.approx((20 + -20 * np.log10(0.8)) / 2, abs=1e-4)


@pytest.mark.parametrize("measure", [mse, psnr, ssim])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_batches_do_not_matter(measure, size):
    x, y = (torch.tensor(array) for array in pair(7))
    parts = [measure(x[i : i + size], y[i : i + size]) for i in range(0, 7, size)]
    assert torch.cat(parts).numpy() == pytest.approx(measure(x, y).numpy(), abs=1e-12)


def test_a_perfect_reconstruction_is_finite():
    x = torch.rand(2, 3, 32, 32)
    assert psnr(x, x).tolist() == pytest.approx([100.0, 100.0])
    assert ssim(x, x).tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_ssim_has_the_gradient_of_its_value():
    x = torch.rand(1, 1, 11, 12, dtype=torch.float64)
    y = torch.rand(1, 1, 11, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: ssim(x, z), (y,))


@pytest.mark.parametrize("value", [1.5, -0.01, float("nan")])
def test_values_outside_the_range_are_refused_by_name(value):
    x = torch.rand(2, 1, 32, 32)
    bad = x.clone()
    bad[0, 0, 0, 0] = value
    with pytest.raises(MetricError, match=r"minimum .* maximum"):
        check_images(x, bad)


def test_shapes_must_agree():
    with pytest.raises(MetricError, match="share one shape"):
        check_images(torch.rand(2, 1, 32, 32), torch.rand(2, 3, 32, 32))
    with pytest.raises(MetricError, match="no images"):
        check_images(torch.rand(0, 1, 32, 32), torch.rand(0, 1, 32, 32))
