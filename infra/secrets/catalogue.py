"""Which secrets the charts expect, and what their values are made of."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def password() -> str:
    """Forty letters and digits, 238 bits: safe in every URL, shell, INI file and SQL literal as it stands.

    >>> len(password()), password().isalnum(), password() == password()
    (40, True, False)
    """
    return "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(40))


def access_key() -> str:
    """Twenty capital letters and digits, as AWS forms its own; it names a user and is no secret by itself.

    >>> len(access_key()), access_key().startswith("DREAM")
    (20, True)
    """
    return "DREAM" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(15))


def always(value: str) -> Callable[[], str]:
    """What stays the same, such as a user's name."""
    return lambda: value


@dataclass(frozen=True)
class Kind:
    """A secret that the charts ask for.

    Attributes:
        what: what it opens.
        fixed: keys that a rotation leaves alone.
        random: keys that a rotation replaces.
        type: Kubernetes' type of the Secret.
        labels: labels beside those that all of them carry.
    """

    what: str
    random: Mapping[str, Callable[[], str]]
    fixed: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    type: str = "Opaque"
    labels: Mapping[str, str] = field(default_factory=dict)

    def keys(self) -> set[str]:
        """All keys of the Secret."""
        return {*self.fixed, *self.random}

    def new(self) -> dict[str, str]:
        """Values for a secret that does not exist yet."""
        return {key: make() for key, make in {**self.fixed, **self.random}.items()}

    def renewed(self) -> dict[str, str]:
        """New values for the keys that a rotation replaces."""
        return {key: make() for key, make in self.random.items()}


KINDS: Mapping[str, Kind] = {
    "dream-ray-auth": Kind("Ray's client, dashboard and Jobs API", {"auth_token": password}),
    "dream-minio": Kind(
        "MinIO's root user", {"root-password": password}, fixed={"root-user": always("dream-root")}
    ),
    "dream-s3": Kind(
        "the buckets, for everything but MinIO itself",
        # Both change: the former user stays beside the new one until nobody needs it any more.
        {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": password},
    ),
    "dream-postgres": Kind(
        "MLflow's database",
        {"password": password},
        fixed={"username": always("mlflow")},
        type="kubernetes.io/basic-auth",
        # CloudNativePG looks at Secrets with this label again when they change.
        labels={"cnpg.io/reload": "true"},
    ),
    "dream-jupyter": Kind("JupyterLab", {"token": password}),
    "dream-mlflow": Kind(
        "MLflow's administrator, where MLflow asks for a login",
        {"admin-password": password, "flask-secret-key": password},
        fixed={"admin-username": always("admin")},
    ),
}
