"""What a sidecar tells istiod about itself, and where it finds it."""

from __future__ import annotations

from pathlib import Path

from harness.services import envoy

SIDECAR = envoy.Sidecar(
    binary=Path("/bin/envoy"),
    folder=Path("/nowhere"),
    netns=Path("/run/netns/details"),
    pod="details-v1-0",
    namespace="default",
    service_account="bookinfo-details",
    labels={"app": "details", "version": "v1"},
    address="10.99.1.2",
    xds=("10.99.1.1", 15010),
)


def test_the_node_says_whose_sidecar_it_is() -> None:
    """Node id and metadata name the Pod as istiod reads them: id in four parts, labels, address, interception."""
    node = envoy._bootstrap(SIDECAR)["node"]
    assert node["id"] == "sidecar~10.99.1.2~details-v1-0.default~default.svc.cluster.local"
    assert node["cluster"] == "details.default"
    wanted = {
        "NAMESPACE": "default",
        "LABELS": {"app": "details", "version": "v1"},
        "INSTANCE_IPS": "10.99.1.2",
        "INTERCEPTION_MODE": "REDIRECT",
        "SERVICE_ACCOUNT": "bookinfo-details",
        "CLUSTER_ID": "Kubernetes",
    }
    assert wanted.items() <= node["metadata"].items()


def test_all_configuration_comes_from_istiod() -> None:
    """Listeners and clusters come over one delta stream from the address given; its cluster is static."""
    bootstrap = envoy._bootstrap(SIDECAR)
    cluster = bootstrap["static_resources"]["clusters"][0]
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "10.99.1.1", "port_value": 15010}
    resources = bootstrap["dynamic_resources"]
    assert resources["ads_config"]["api_type"] == "DELTA_GRPC"
    assert resources["ads_config"]["grpc_services"] == [{"envoy_grpc": {"cluster_name": cluster["name"]}}]
    assert all(resources[name]["ads"] == {} for name in ("lds_config", "cds_config"))
