"""The site of what is published: the pages, made within the settings' limits.

What belongs here: what `reports` is told of this installation. What does not: pages (`reports`), and when they are made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestration import sql
from orchestration.publication.candidate import remembered_hash

if TYPE_CHECKING:
    from orchestration.settings import Settings
    from reports.build import BuildResult


def render_site(
    settings: Settings, *, progress: Callable[[str, int, int], None] | None = None, force: bool = False
) -> BuildResult:
    """Bring the site up to what is published; `force` makes every chunk again."""
    from reports.build import build_site  # noqa: PLC0415 - templates are compiled on import of Jinja2

    return build_site(
        settings.published_path,
        settings.site_dir,
        progress=progress,
        force=force,
        config=sql.limits(settings),
        # Publishing has just read the whole file for it: half a second to two for each GB of history.
        source_sha256=remembered_hash(settings),
    )
