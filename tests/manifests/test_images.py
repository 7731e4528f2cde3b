"""Every image and every foreign chart is named by an exact version."""

from __future__ import annotations

import re

import pytest

from .pods import images
from .render import Case, applications, describe, from_here, overlay_sets, title

# 1.2, 1.2.3, v1.2.3-debian-1, RELEASE.2025-09-07T16-13-09Z; 17 alone is a moving tag.
EXACT_TAG = re.compile(r"(v?\d+\.\d+(\.\d+)*([-.+_][\w.+-]*\w)?|RELEASE\.\d{4}-\d\d-\d\dT[\d-]+Z)")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def exact(image: str) -> bool:
    """Whether an image reference means one image only.

    >>> exact("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"), exact("postgres:17"), exact("ray")
    (True, False, False)
    """
    name, _, digest = image.partition("@")
    if digest:
        return bool(DIGEST.fullmatch(digest))
    _, colon, tag = name.rpartition(":")
    return bool(colon) and "/" not in tag and bool(EXACT_TAG.fullmatch(tag))


def test_images_are_exact(cases: tuple[Case, ...]) -> None:
    named = {
        f"{case.name}: {describe(document)}{path}": image
        for case in cases
        for document in case.documents
        for path, image in images(document)
    }
    assert named
    assert not {where: image for where, image in named.items() if not exact(image)}


@pytest.mark.parametrize("names", overlay_sets(), ids=title)
def test_foreign_charts_are_exact(names: tuple[str, ...]) -> None:
    for application in applications(names):
        if not from_here(application):
            version = application["spec"]["source"]["targetRevision"]
            assert re.fullmatch(r"v?\d+\.\d+\.\d+", version), describe(application)


@pytest.mark.parametrize(
    "image",
    [
        "ray", "ray:latest", "ray:stable", "ray:2", "ghcr.io:5000/ray", "ray:2.x", "ray@sha256:abc",
        "ray:2.60.0-", "ray:main-2.60.0",
    ],
)  # fmt: skip
def test_a_moving_image_is_found(image: str) -> None:
    assert not exact(image)


@pytest.mark.parametrize("image", ["ray:2.60.0", "r.io:5000/a/b:v1.2-debian", f"ray@sha256:{'0' * 64}"])
def test_an_exact_image_passes(image: str) -> None:
    assert exact(image)
