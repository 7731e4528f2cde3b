"""The platform's secrets: made at random, once, straight into the cluster; replaced without loss.

``python -m infra.secrets`` makes those that are missing; ``--rotate NAME`` replaces one. Values are never
printed and never written to a disk of this machine.
"""
