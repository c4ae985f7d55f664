"""What the engine of the embedded ClickHouse refuses by itself: its grants, its settings that stand, its limits.

chDB starts with every right of its process, like clickhouse-local: it would read and write any file. A configuration
file gives its one user fewer rights, as on a server. What these cannot express is refused in
:mod:`streams.embedded.statement`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psutil

from streams.embedded.engine import chdb

STATEMENT_S = 300
"""A statement ends after this time."""
MAX_RESULT_BYTES = 1 << 30
MAX_STATEMENT_BYTES = 1 << 18
"""Of a statement without the rows of an INSERT: ClickHouse's own `max_query_size`."""
_MIN_MEMORY_BYTES = 1 << 30

# No SOURCES (file, url, s3 …), no dictionaries (their sources run programs), no functions, users, backups, SYSTEM.
_GRANTS = (
    "SHOW", "SELECT", "INSERT", "CREATE DATABASE", "CREATE TABLE", "CREATE VIEW", "CREATE TEMPORARY TABLE", "DROP",
    "TRUNCATE", "OPTIMIZE", "UNDROP TABLE", "CHECK", "KILL QUERY", "ALTER UPDATE", "ALTER DELETE", "ALTER COLUMN",
    "ALTER INDEX", "ALTER ORDER BY", "ALTER CONSTRAINT", "ALTER TTL", "ALTER SETTINGS", "ALTER VIEW", "dictGet",
)  # fmt: skip

_FIXED = {
    "allow_introspection_functions": "0",
    "allow_python_table_function": "0",  # reads this process's variables
    "allow_experimental_eval_table_function": "0",
    # Expressions among the rows of FORMAT Values may call functions.
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
    "result_overflow_mode": "throw",
    "timeout_overflow_mode": "throw",
    "max_query_size": str(MAX_STATEMENT_BYTES),
}

FREE_TEXTS = frozenset({
    "bool_false_representation", "bool_true_representation", "count_distinct_implementation", "compatibility",
    "column_names_for_schema_inference", "database", "exclude_materialize_skip_indexes_on_insert",
    "force_data_skipping_indices", "force_optimize_projection_name", "format_csv_null_representation",
    "format_custom_field_delimiter", "format_custom_result_after_delimiter", "format_custom_result_before_delimiter",
    "format_custom_row_after_delimiter", "format_custom_row_before_delimiter", "format_custom_row_between_delimiter",
    "format_json_object_each_row_column_for_object_name", "format_regexp", "format_tsv_null_representation",
    "ignore_data_skipping_indices", "input_format_mysql_dump_table_name", "input_format_orc_reader_time_zone_name",
    "insert_deduplication_token", "log_comment", "network_compression_method", "output_format_avro_codec",
    "output_format_avro_string_column_pattern", "output_format_image_terminal_mode",
    "output_format_orc_writer_time_zone_name", "output_format_pretty_grid_charset",
    "output_format_sql_insert_table_name", "preferred_optimize_projection_name", "query_cache_tag",
    "send_logs_source_regexp", "temporary_files_codec", "workload",
})  # fmt: skip
"""The settings of type text that a statement may change: none of them names a file or an address, or is SQL."""

FIXED_TEXTS = frozenset({
    "additional_result_filter", "additional_table_filters", "ai_function_embedding_default_credentials",
    "ai_function_text_default_credentials", "chdb_client_name", "cluster_for_parallel_replicas", "compression",
    "default_format", "default_view_definer", "dialect", "distributed_cache_client_id",
    "distributed_cache_file_cache_name", "distributed_plan_force_exchange_kind", "errors_output_format",
    "filesystem_cache_name", "filter", "format", "format_avro_schema_registry_url", "format_schema",
    "format_schema_message_name", "format_schema_source", "format_template_resultset",
    "format_template_resultset_format", "format_template_row", "format_template_row_format",
    "format_template_rows_between_delimiter", "framing_output_format", "function_implementation",
    "http_response_headers", "iceberg_metadata_compression_method", "implicit_table_at_top_level", "input_format",
    "input_format_record_errors_file_path", "local_filesystem_read_method", "metrics_perf_events_list", "order",
    "output_format", "output_format_avro_confluent_subject", "output_format_schema", "parallel_replicas_custom_key",
    "polyglot_dialect", "promql_database", "promql_table", "remote_filesystem_read_method",
    "rename_files_after_processing", "s3_base", "s3_upload_checksum_algorithm", "s3queue_default_zookeeper_path",
    "schema_inference_hints", "select", "sort", "stream_like_engine_insert_queue", "trace_profile_events_list",
    "url_base",
})  # fmt: skip
"""Every other one: a file, an address, or SQL in a text, which no check of the statement would see."""

_FIXED_OF_TABLES = ("merge_tree_disk", "merge_tree_storage_policy")  # a disk is any directory, or any address


def memory_limits(total_bytes: int) -> tuple[int, int]:
    """The memory of one statement, and of all together, for a machine with `total_bytes`."""
    return max(total_bytes // 4, _MIN_MEMORY_BYTES), max(total_bytes // 2, _MIN_MEMORY_BYTES)


def open_engine(path: Path) -> Any:
    """The first connection to the engine over the directory `path`, with these limits for all others, too."""
    with tempfile.TemporaryDirectory(prefix="deskwatch-") as folder:  # mode 0700; read at the start only
        users, config = Path(folder, "users.xml"), Path(folder, "config.xml")
        users.write_text(_users(*memory_limits(psutil.virtual_memory().total)))
        config.write_text(_config(users))
        root = chdb.connect(f"{path}?config-file={config}")
    _make_default_plain(root)
    return root


def _make_default_plain(root: Any) -> None:
    """Makes `default` a database like others: chDB's own takes names of files for tables, so no name is just unknown.

    One with tables, by an earlier release, stays as it is.
    """
    overlay = "SELECT count() FROM system.databases WHERE name = 'default' AND engine = 'Overlay'"
    tables = "SELECT count() FROM system.tables WHERE database = 'default'"
    if root.query(f"SELECT ({overlay}), ({tables})", "TSV").bytes() == b"1\t0\n":
        root.query("DROP DATABASE default SYNC")
        root.query("CREATE DATABASE default")


def _config(users: Path) -> str:
    nowhere = "".join(
        f"<{name}>/dev/null/</{name}>"
        for name in (
            "user_files_path", "user_scripts_path", "format_schema_path", "dictionaries_lib_path",
            "custom_local_disks_base_directory", "top_level_domains_path",
        )
    )  # fmt: skip
    return (
        f"<clickhouse><users_config>{escape(str(users))}</users_config>{nowhere}"
        "<remote_url_allow_hosts><host>none.invalid</host></remote_url_allow_hosts></clickhouse>"
    )


def _users(statement_bytes: int, all_bytes: int) -> str:
    limits = {
        "max_execution_time": STATEMENT_S,
        "max_memory_usage": statement_bytes,
        "max_memory_usage_for_user": all_bytes,
        "max_result_bytes": MAX_RESULT_BYTES,
    }
    values = "".join(f"<{name}>{value}</{name}>" for name, value in (*_FIXED.items(), *limits.items()))
    fixed = _each((*_FIXED, *sorted(FIXED_TEXTS), *_FIXED_OF_TABLES), "<const/>")
    # 0 means no limit.
    ranges = "".join(f"<{name}><min>1</min><max>{value}</max></{name}>" for name, value in limits.items())
    return (
        f"<clickhouse><profiles><default>{values}<constraints>{fixed}{ranges}</constraints></default></profiles>"
        "<users><default><no_password/><networks><ip>::/0</ip></networks><profile>default</profile>"
        f"<quota>default</quota><grants><query>GRANT {', '.join(_GRANTS)} ON *.*</query></grants></default></users>"
        "<quotas><default/></quotas></clickhouse>"
    )


def _each(names: Iterable[str], content: str) -> str:
    return "".join(f"<{name}>{content}</{name}>" for name in names)
