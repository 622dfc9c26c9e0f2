"""Entry point of `dagster dev` and of deployments: the definitions over the settings of the environment."""

from orchestration.defs.build import build_definitions

defs = build_definitions()
