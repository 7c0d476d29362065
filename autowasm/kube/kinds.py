"""The two custom kinds that the controller lives on, as classes of the client library."""

from __future__ import annotations

from lightkube import generic_resource

from autowasm.istio import names

AutoWasm = generic_resource.create_namespaced_resource(names.GROUP, names.VERSION, names.KIND, names.PLURAL)
EnvoyFilter = generic_resource.create_namespaced_resource(
    "networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters"
)

Kind = type[generic_resource.GenericNamespacedResource]
