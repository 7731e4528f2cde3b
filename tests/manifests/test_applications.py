"""The root application: one Application per part, in waves, that never costs data; and the overlays."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from .programs import ROOT
from .render import (
    OVERLAYS,
    REPOSITORY,
    Document,
    applications,
    chart_cases,
    documents,
    from_here,
    kustomize,
    overlay_cases,
    overlay_sets,
    overlays,
    title,
    wave,
)

OPERATOR_OF = {"ray.io": "kuberay-operator", "postgresql.cnpg.io": "cloudnative-pg",
               "barmancloud.cnpg.io": "barman-cloud", "external-secrets.io": "external-secrets",
               "cert-manager.io": "cert-manager"}  # fmt: skip

# What ends with its resource.
HOLDS_DATA = {
    ("v1", "PersistentVolumeClaim"),
    ("postgresql.cnpg.io/v1", "Cluster"),
    ("apps/v1", "StatefulSet"),
}

every_overlay = pytest.mark.parametrize("names", overlay_sets(), ids=title)


def part(names: tuple[str, ...], name: str) -> Any:
    found = [a for a in applications(names) if a["metadata"]["name"] == name]
    assert found, f"{title(names)} has no part {name}"
    return found[0]


def resources(names: tuple[str, ...], name: str) -> dict[str, Document]:
    """The resources of a part by ``Kind/name``."""
    (case,) = (c for c in overlay_cases(names) if c.name == f"{title(names)}: {name}")
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in case.deployed}


def test_the_base_has_every_part() -> None:
    names = [a["metadata"]["name"] for a in applications(())]
    assert set(names) == {
        "kuberay-operator", "cloudnative-pg", "minio", "postgres", "mlflow", "models", "dream-ray", "jupyter",
    }  # fmt: skip
    paths = {a["spec"]["source"]["path"] for a in applications(()) if from_here(a)}
    assert paths == {f"charts/{chart.parent.name}" for chart in ROOT.glob("charts/*/Chart.yaml")}


@every_overlay
def test_every_part_syncs_by_the_same_rules(names: tuple[str, ...]) -> None:
    for application in applications(names):
        policy = application["spec"]["syncPolicy"]
        assert {"ServerSideApply=true", "CreateNamespace=true", "RespectIgnoreDifferences=true"} <= set(
            policy["syncOptions"]
        )
        assert "SkipDryRunOnMissingResource=true" in policy["syncOptions"]
        assert policy["automated"]["selfHeal"] and policy["retry"]["limit"] >= 10
        assert policy["managedNamespaceMetadata"]["labels"] == {
            "pod-security.kubernetes.io/enforce": "restricted"
        }


@every_overlay
def test_parts_of_this_repository_come_from_the_one_address(names: tuple[str, ...]) -> None:
    for application in filter(from_here, applications(names)):
        source = application["spec"]["source"]
        assert (source["repoURL"], source["targetRevision"]) == (REPOSITORY, "main")


@every_overlay
def test_data_is_never_pruned(names: tuple[str, ...]) -> None:
    for application in applications(names):
        name, spec = application["metadata"]["name"], application["spec"]
        holds = not from_here(application) or any(
            (d["apiVersion"], d["kind"]) in HOLDS_DATA
            and not (d["kind"] == "StatefulSet" and "volumeClaimTemplates" not in d["spec"])
            for d in resources(names, name).values()
        )
        if not holds:
            continue
        assert spec["syncPolicy"]["automated"]["prune"] is False, name
        assert "finalizers" not in application["metadata"], f"{name}: deleting it would delete its data"
        options = application["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]
        assert options == "Prune=false,Delete=false", name
        # Left out by an overlay it stays, and the root application is not OutOfSync for it.
        compare = application["metadata"]["annotations"]["argocd.argoproj.io/compare-options"]
        assert "IgnoreExtraneous" in compare.split(","), name


def test_what_holds_data_says_so_itself() -> None:
    for case in chart_cases():
        for document in case.deployed:
            if document["kind"] == "PersistentVolumeClaim" or document["apiVersion"].startswith(
                "postgresql.cnpg.io"
            ):
                options = (
                    document["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
                )
                expected = {"Prune=false", "Delete=false"} if document["kind"] != "ScheduledBackup" else set()
                assert expected <= set(options.split(",")), f"{case.name}: {document['kind']}"


@every_overlay
def test_operators_come_before_their_resources_and_apart(names: tuple[str, ...]) -> None:
    waves = {a["metadata"]["name"]: wave(a) for a in applications(names)}
    for application in filter(from_here, applications(names)):
        name = application["metadata"]["name"]
        for document in resources(names, name).values():
            operator = OPERATOR_OF.get(document["apiVersion"].rpartition("/")[0])
            assert operator is None or waves[operator] < waves[name], f"{name} needs {operator} first"


@every_overlay
def test_consumers_come_after_what_they_call(names: tuple[str, ...]) -> None:
    waves = {a["metadata"]["name"]: wave(a) for a in applications(names)}
    store = {"minio", "seaweedfs"} & set(waves)
    for first, then in [*((s, "mlflow") for s in store), ("postgres", "mlflow"), ("mlflow", "jupyter")]:
        assert waves[first] < waves[then]
    if "secrets" in waves:
        assert waves["secrets"] < min(
            waves[name] for name in waves if name in {"minio", "postgres", "seaweedfs"}
        )


def test_the_autoscaler_is_left_alone() -> None:
    (difference,) = part((), "dream-ray")["spec"]["ignoreDifferences"]
    assert (difference["group"], difference["kind"]) == ("ray.io", "RayCluster")
    assert difference["jqPathExpressions"] == [".spec.workerGroupSpecs[].replicas"]
    cluster = resources((), "dream-ray")["RayCluster/dream-ray"]
    assert all("replicas" in group for group in cluster["spec"]["workerGroupSpecs"])


def test_every_overlay_says_what_it_does() -> None:
    assert set(overlays()) >= {
        "laptop", "production", "silo", "seaweedfs", "gpu", "external-secrets", "sealed-secrets",
    }  # fmt: skip
    for name in overlays():
        first = (OVERLAYS / name / "values.yaml").read_text().splitlines()[0]
        assert first.startswith("# ") and len(first) > 30, name


def test_laptop_fits_into_eight_gibibytes() -> None:
    from .pods import pod_specs

    whole = 0.0
    for application in filter(from_here, applications(("laptop",))):
        for document in resources(("laptop",), application["metadata"]["name"]).values():
            if document["kind"] in ("Deployment", "StatefulSet", "RayCluster"):
                for _, pod in pod_specs(document):
                    copies = document["spec"].get("replicas", 1)
                    whole += copies * sum(
                        gibibytes(c["resources"]["requests"]["memory"]) for c in pod["containers"]
                    )
            elif document["kind"] == "Cluster":
                whole += gibibytes(document["spec"]["resources"]["requests"]["memory"])
    assert 2 < whole < 6  # the rest is Kubernetes', Argo CD's and the operators'


def gibibytes(quantity: str) -> float:
    """A memory quantity in GiB.

    >>> gibibytes("512Mi"), gibibytes("2Gi")
    (0.5, 2.0)
    """
    return float(quantity[:-2]) / {"Mi": 1024, "Gi": 1}[quantity[-2:]]


def test_production_has_standbys_and_backups_and_no_minio() -> None:
    names = ("production",)
    assert "minio" not in [a["metadata"]["name"] for a in applications(names)]
    database = resources(names, "postgres")
    cluster = database["Cluster/postgres"]["spec"]
    assert cluster["instances"] == 3 and cluster["postgresql"]["synchronous"]["number"] == 1
    assert cluster["plugins"][0]["isWALArchiver"] and "ScheduledBackup/postgres" in database
    for name in ("mlflow", "dream-ray", "jupyter"):
        assert "http://minio" not in yaml.safe_dump(resources(names, name)), name


def test_production_publishes_by_tls_only_what_has_a_login() -> None:
    names = ("production",)
    published = {**resources(names, "gateway"), **resources(names, "mlflow")}
    listeners = {one["name"]: one for one in published["Gateway/dream"]["spec"]["listeners"]}
    routes = {key: d["spec"] for key, d in published.items() if key.startswith("HTTPRoute/")}
    backends = set()
    for key, route in routes.items():
        (parent,) = route["parentRefs"]
        listener = listeners[parent["sectionName"]]
        if listener["protocol"] == "HTTP":
            (only,) = route["rules"]
            assert only["filters"][0]["requestRedirect"]["scheme"] == "https" and "backendRefs" not in only, (
                key
            )
            continue
        assert listener["tls"]["mode"] == "Terminate" and route["hostnames"] == [listener["hostname"]], key
        backends |= {(b["name"], b["port"]) for rule in route["rules"] for b in rule["backendRefs"]}
    assert backends == {("mlflow", 5000), ("jupyter", 8888)}  # and never Ray
    server = yaml.safe_dump(resources(names, "mlflow")["Deployment/mlflow"])
    assert "--app-name=basic-auth" in server and listeners["mlflow"]["hostname"] in server


def test_gpu_adds_a_group_that_starts_at_zero() -> None:
    groups = {
        names: {
            g["groupName"]: g
            for g in resources(names, "dream-ray")["RayCluster/dream-ray"]["spec"]["workerGroupSpecs"]
        }
        for names in ((), ("gpu",))
    }
    added = groups[("gpu",)].keys() - groups[()].keys()
    assert len(added) == 1 and groups[("gpu",)].keys() > groups[()].keys()
    (name,) = added
    gpu = groups[("gpu",)][name]
    assert gpu["replicas"] == gpu["minReplicas"] == 0
    assert "nvidia.com/gpu" in yaml.safe_dump(gpu["template"]["spec"]["containers"][0]["resources"]["limits"])
    # Helm replaces lists whole: the overlay repeats the chart's own group and has to keep up with it.
    assert {key: groups[("gpu",)][key] for key in groups[()]} == groups[()]


def test_silo_changes_image_and_program_only() -> None:
    before, after = resources((), "minio"), resources(("silo",), "minio")
    assert before.keys() == after.keys()
    container = after["StatefulSet/minio"]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].startswith("docker.io/pgsty/silo:RELEASE.")
    assert "silo" in yaml.safe_dump([container.get("command"), container.get("args")])
    assert before["Service/minio"] == after["Service/minio"]


def test_seaweedfs_takes_minios_place_for_everybody() -> None:
    names = ("seaweedfs",)
    assert "minio" not in [a["metadata"]["name"] for a in applications(names)]
    for name in ("mlflow", "dream-ray", "jupyter"):
        text = yaml.safe_dump(list(resources(names, name).values()))
        assert "http://seaweedfs:8333" in text and "http://minio" not in text, name
        policies = [d for key, d in resources(names, name).items() if key.startswith("NetworkPolicy/")]
        assert any("seaweedfs" in yaml.safe_dump(policy["spec"].get("egress", [])) for policy in policies), (
            name
        )


@pytest.mark.parametrize("overlay", ["external-secrets"])
def test_secrets_overlay_makes_every_key_that_is_read(overlay: str) -> None:
    made = {
        (d["metadata"]["name"], entry["secretKey"])
        for d in resources((overlay,), "secrets").values()
        if d["kind"] == "ExternalSecret"
        for entry in d["spec"]["data"]
    }
    read: set[tuple[str, str]] = set()
    for names in ((), ("production",)):
        for case in overlay_cases(names):
            read |= set(keys_read(case.deployed))
    assert read - made == set()


def keys_read(resource: object) -> list[tuple[str, str]]:
    """Secret and key of every ``secretKeyRef`` in a resource."""
    if isinstance(resource, dict):
        reference = resource.get("secretKeyRef")
        own = [(reference["name"], reference["key"])] if isinstance(reference, dict) else []
        return own + [found for value in resource.values() for found in keys_read(value)]
    if isinstance(resource, list | tuple):
        return [found for value in resource for found in keys_read(value)]
    return []


def test_bootstrap_is_one_pinned_version() -> None:
    kustomization = yaml.safe_load((ROOT / "argocd/bootstrap/kustomization.yaml").read_text())
    (release,) = (r for r in kustomization["resources"] if r.startswith("https://"))
    assert release == "https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.7/manifests/install.yaml"


def test_root_application_refers_to_files_that_exist() -> None:
    (root,) = (d for d in documents(kustomize(ROOT / "argocd/root")) if d["kind"] == "Application")
    folder = ROOT / root["spec"]["source"]["path"]
    text = (ROOT / "argocd/root/application.yaml").read_text()
    listed = [line.strip(" #-") for line in text.splitlines() if line.strip(" #-").endswith("values.yaml")]
    assert "values.yaml" in listed and len(listed) >= 3
    assert all((folder / file).exists() for file in listed)
