"""Measures: image quality (MSE, PSNR, SSIM), the reconstruction risk, and summaries with their spread."""
