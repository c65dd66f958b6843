"""Distinguishes errors of an ingest processor from errors of Elasticsearch itself.

Pure. Elasticsearch answers 500 for every Java exception without a status: for a broken disk, and
also for a `fail` processor, or a script that fails at an unexpected field.
"""

from __future__ import annotations

from connectors.elasticsearch.error_body import Error


def is_of_a_processor(error: Error | None) -> bool:
    """Return whether an ingest processor has failed: it fails at this document each time."""
    while error is not None:
        if error.type in _OF_PROCESSORS:
            return True
        if isinstance(error.header, dict) and "processor_type" in error.header:
            return True  # before 7.5, where the exception of a processor is wrapped
        error = error.caused_by
    return False


_OF_PROCESSORS = {
    "fail_processor_exception",
    "ingest_processor_exception",
    "ingest_pipeline_exception",
    "script_exception",
    "dissect_exception",
    "runtime_exception",
    "null_pointer_exception",
    "class_cast_exception",
    "arithmetic_exception",
    "index_out_of_bounds_exception",
    "array_index_out_of_bounds_exception",
    "string_index_out_of_bounds_exception",
    "negative_array_size_exception",
    "no_such_element_exception",
    "input_mismatch_exception",
    "unsupported_operation_exception",
    "date_time_exception",
    "date_time_parse_exception",
    "zone_rules_exception",
    "number_format_exception",
    "illegal_argument_exception",
}
"""Types of errors: the names of Java's exceptions, as Elasticsearch spells them."""
