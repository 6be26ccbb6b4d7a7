"""Whitening and contrast normalisation in plain NumPy, written from the formulas."""

import numpy as np


def matrix(images, method, epsilon):
    """(mean, matrix W): y = W (x - mean), through the singular values of the centred images."""
    rows = images.reshape(len(images), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(rows - mean, full_matrices=True)
    variances = np.zeros(rows.shape[1])
    variances[: len(singular)] = singular**2 / (len(rows) - 1)
    pca = directions / np.sqrt(variances + epsilon * variances.mean())[:, None]
    return mean, pca if method == "pca" else directions.T @ pca


def contrast(image, s, lambda_, epsilon):
    """Deep Learning, eq. 12.3, of one image (r, c, 3)."""
    rows, columns, channels = image.shape
    mean = image.sum() / (channels * rows * columns)
    total = 0.0
    for i in range(rows):
        for j in range(columns):
            for k in range(channels):
                total += (image[i, j, k] - mean) ** 2
    deviation = np.sqrt(lambda_ + total / (channels * rows * columns))
    return s * (image - mean) / max(epsilon, deviation)
