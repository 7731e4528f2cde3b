"""The platform on a running cluster: `make test-cluster`.

The files run in the order of their numbers, on one cluster, each on what the ones before have left: what a
platform engineer meets, from an empty cluster to an empty cluster.
"""
