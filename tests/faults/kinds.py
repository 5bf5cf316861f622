"""All kinds of faults, by name."""

from tests.faults import (
    bit_flips,
    command_lines,
    damaged_runs,
    disk_faults,
    dumps,
    kills,
    lost_servers,
    tables,
    yaml_texts,
)

MODULES = (
    *(kills, disk_faults, lost_servers, bit_flips, damaged_runs),
    *(tables, command_lines, yaml_texts, dumps),
)
KINDS = {kind.name: kind for module in MODULES for kind in module.KINDS}
