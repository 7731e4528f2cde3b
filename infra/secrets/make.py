"""Making the secrets that are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dream.cluster.access import Cluster
from dream.errors import DreamError
from infra.secrets.catalogue import KINDS
from infra.secrets.cluster import make_namespace, make_secret, read_secret


def given_by(environment: Mapping[str, str], name: str) -> dict[str, str]:
    """The values of a secret from variables called as its keys, for a store outside of the cluster.

    >>> sorted(given_by({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": "/"}, "dream-s3"))
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']

    Raises:
        DreamError: there is no such secret, or a variable is not set.
    """
    if name not in KINDS:
        raise DreamError(
            f"no secret is called {name!r}", "--from-environment", f"use one of {', '.join(KINDS)}"
        )
    keys = KINDS[name].keys()
    unset = sorted(key for key in keys if not environment.get(key))
    if unset:
        raise DreamError(f"{', '.join(unset)} not set", "environment", f"set what {name} shall hold")
    return {key: environment[key] for key in keys}


def make_missing(
    cluster: Cluster, given: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[tuple[str, bool]]:
    """Make the namespace and each secret that is not there; what is there is never changed.

    Args:
        cluster: where they belong.
        given: by the name of a secret, values that come from elsewhere, in place of random ones.

    Yields:
        name of the secret, and whether it was made now.

    Raises:
        DreamError: a secret is there and lacks keys that the charts read.
    """
    make_namespace(cluster)
    lacking: list[str] = []
    for name, kind in KINDS.items():
        made = make_secret(
            cluster, name, {**kind.new(), **(given or {}).get(name, {})}, kind.type, kind.labels
        )
        if not made:
            secret = read_secret(cluster, name)
            missing = kind.keys() - set((secret.data or {}) if secret else {})
            if missing:
                lacking.append(f"{name} lacks {', '.join(sorted(missing))}")
        yield name, made
    if lacking:
        raise DreamError(
            "; ".join(lacking),
            f"namespace {cluster.namespace}",
            "add the keys, or delete the Secret if nothing uses it yet and run this again",
        )
