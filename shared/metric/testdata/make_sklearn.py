#!/usr/bin/env python3
"""Makes sklearn.json: figures of scikit-learn for outputs and labels.

    python3 make_sklearn.py [sklearn.json]

Debian's python3-sklearn 1.2.1 made the file kept here. z is the outputs, row by
row; y is classes, or numbers row by row.
"""

import json
import sys

import numpy as np
import sklearn
import torch
from sklearn import metrics as m


def softmax(z):
    e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def calibration_error(p, y, bins=15):
    """The expected calibration error of probabilities [rows, classes], as ECELoss in
    https://github.com/gpleiss/temperature_scaling computes it (Guo et al., 2017)."""
    p = torch.from_numpy(np.asarray(p))
    confidence, predicted = torch.max(p, 1)
    right = predicted.eq(torch.from_numpy(np.asarray(y)))
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    error = torch.zeros(1, dtype=torch.float64)
    for low, high in zip(edges[:-1], edges[1:]):
        inside = confidence.gt(low) & confidence.le(high)
        share = inside.double().mean()
        if share.item() > 0:
            error += (confidence[inside].mean() - right[inside].double().mean()).abs() * share
    return error.item()


def means(y, predicted):
    options = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": m.accuracy_score(y, predicted),
        "precision": m.precision_score(y, predicted, **options),
        "recall": m.recall_score(y, predicted, **options),
        "f1": m.f1_score(y, predicted, **options),
    }


def confused(y, predicted, classes):
    """The confusion matrix, and precision, recall, F1 and rows of each class."""
    each = m.precision_recall_fscore_support(y, predicted, labels=range(classes), zero_division=0)
    return {"matrix": m.confusion_matrix(y, predicted, labels=range(classes)).tolist(), "each": np.stack(each, axis=1).tolist()}


def many(rng, rows, classes, never):
    """Outputs of some classes; the class `never` is not predicted."""
    y = rng.integers(0, classes, rows)
    z = rng.standard_normal((rows, classes)).astype(np.float32)
    z[np.arange(rows), y] += 1
    if never is not None:
        z[:, never] = -9
    figures = means(y, z.argmax(axis=1))
    figures["log_loss"] = m.log_loss(y, softmax(z), labels=range(classes))
    figures["expected_calibration_error"] = calibration_error(softmax(z), y)
    figures["top_5_accuracy"] = m.top_k_accuracy_score(y, z, k=5, labels=range(classes))
    return dict(confused(y, z.argmax(axis=1), classes), loss="softmax_cross_entropy", outputs=classes, z=z, y=y, figures=figures)


def binary(rng, rows, steps=None):
    """Outputs of two classes; with steps, they are multiples of 1/steps, so that many are equal."""
    y = rng.integers(0, 2, rows)
    z = (rng.standard_normal(rows) + y - 0.5).astype(np.float32)
    if steps:
        z = np.round(z * steps) / np.float32(steps)
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    figures = means(y, (z > 0).astype(int))
    figures.update(brier=m.brier_score_loss(y, p), auc=m.roc_auc_score(y, z), log_loss=m.log_loss(y, p))
    figures["expected_calibration_error"] = calibration_error(np.stack([1 - p, p], axis=1), y)
    figures["average_precision"] = m.average_precision_score(y, z)
    return dict(confused(y, (z > 0).astype(int), 2), loss="sigmoid_cross_entropy", outputs=1, z=z, y=y, figures=figures)


def numbers(rng, rows, outputs):
    y = (rng.standard_normal((rows, outputs)) + 3).astype(np.float32)
    z = (y + rng.standard_normal((rows, outputs)) / 4).astype(np.float32)
    a, b = y.astype(np.float64).ravel(), z.astype(np.float64).ravel()
    figures = {
        "mape": m.mean_absolute_percentage_error(a, b),
        "mae": m.mean_absolute_error(a, b),
        "rmse": m.mean_squared_error(a, b, squared=False),
    }
    return {"loss": "mse", "outputs": outputs, "z": z, "y": y, "figures": figures}


def main():
    rng = np.random.default_rng(4)
    cases = {
        "seven classes": many(rng, 90, 7, None),
        "a class that is never predicted": many(rng, 60, 8, 3),
        "two classes": binary(rng, 50),
        "numbers": numbers(rng, 40, 2),
        "scores with ties": binary(rng, 60, 4),
    }
    out = {"sklearn": sklearn.__version__, "cases": []}
    for name, case in cases.items():
        case = dict(case, name=name, z=case["z"].ravel().tolist(), y=case["y"].ravel().tolist())
        out["cases"].append(case)
    with open(sys.argv[1] if len(sys.argv) > 1 else "sklearn.json", "w") as f:
        json.dump(out, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
