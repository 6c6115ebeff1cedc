"""Which images an object is about: what evidence is looked up for."""

from __future__ import annotations

from pratique.image import parse_image
from pratique.subject import ImageRef, Subject, Workload


def images_of(subject: Subject) -> dict[str, ImageRef]:
    """The images of `subject` by reference, and its models that are OCI artifacts by URI; those that can be read."""
    if not isinstance(subject, Workload):
        return {}
    images = {image.reference: image for image in subject.content.images}
    for model in subject.content.models:
        if model.scheme == "oci" and not model.unresolved:
            images[model.uri] = parse_image(reference_of(model.uri), model.path)
    return {reference: image for reference, image in images.items() if not image.error}


def reference_of(uri: str) -> str:
    """The image reference of `oci://registry/repository:tag`, or of what is one already."""
    return uri.partition("://")[2] if "://" in uri else uri
