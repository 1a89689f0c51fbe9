"""The end of a process: with the status it was given, and with all that was written before."""

import subprocess
import sys

import pytest


class TestEndProcess:
    @pytest.mark.parametrize("status", [0, 1, 2])
    def test_it_ends_with_the_status_and_loses_no_output(self, status: int) -> None:
        program = (
            "import atexit, sys\n"
            "from config.exit import end_process\n"
            "atexit.register(lambda: print('took itself apart'))\n"
            "sys.stdout.write('written')\n"
            f"end_process({status})\n"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (status, "written")

    def test_a_reader_that_has_gone_is_a_failure_and_no_traceback(self) -> None:
        program = "import sys\nfrom config.exit import end_process\nprint('x' * 100_000)\nend_process(0)\n"
        command = f'{sys.executable} -c "{program}" | true; exit ${{PIPESTATUS[0]}}'
        done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
        assert done.returncode == 1
