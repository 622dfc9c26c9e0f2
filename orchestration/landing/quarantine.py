"""Reading the quarantine: lines that are no rows of the contract, and files that could not be read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration import sql
from orchestration.landing.lake import Lake

if TYPE_CHECKING:
    from orchestration.settings import Settings


def read_quarantine(
    settings: Settings,
    *,
    batch: int | None = None,
    file_contains: str | None = None,
    reason: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Quarantined rows (newest batch first, at most `limit`, with their whole raw text), their number, and unreadable files."""
    lake = Lake.of(settings)
    manifests = lake.manifests()
    unreadable = [
        {"batch_seq": manifest.batch_seq, "path": entry.path, "reason": entry.reason}
        for manifest in manifests
        for entry in manifest.files
        if entry.status == "unreadable"
        and (batch is None or manifest.batch_seq == batch)
        and (file_contains is None or file_contains in entry.path)
    ]
    paths = lake.quarantine_paths(manifests)
    if not paths:
        return {"row_count": 0, "rows": [], "unreadable_files": unreadable}
    with sql.connect(settings) as connection:
        matching = f"""
            from read_parquet({sql.string_list(paths)})
            where
                ($batch is null or batch_seq = $batch)
                and ($file is null or contains(path, $file))
                and ($reason is null or reason = $reason)
        """
        parameters = {"batch": batch, "file": file_contains, "reason": reason}
        counted = connection.execute(f"select count(*) {matching}", parameters).fetchone()
        cursor = connection.execute(
            f"""
            select batch_seq, path, line_number, entity, field, reason, message, workspace_id, raw {matching}
            order by batch_seq desc, file_no, line_number limit {int(limit)}
            """,
            parameters,
        )
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {"row_count": counted[0] if counted else 0, "rows": rows, "unreadable_files": unreadable}
