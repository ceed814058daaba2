"""An installation made with the commands themselves, and the three people who use it: administrator, court, office.

The gateway is a demonstration's, so that invented people may be referred; its clock is the machine's. `serving` opens
its web application on a loopback port for a while, in this process.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import openpyxl
from click.testing import CliRunner, Result

from gateway.app import Clock, build_context
from gateway.cli.root import root
from gateway.config import load
from gateway.flows.context import Context
from gateway.flows.dispatch import dispatch
from gateway.web.server import open_server
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import a_referral_body

GATEWAY, COURT = "cn/gateway/520000", "cn/court/520100"
OFFICES = {"civil_affairs": "push", "disabled_persons": "push", "womens_federation": "mailbox"}
NOWHERE = "http://127.0.0.1:9/messages"
FIRST_ROW = 3
"""Below the hidden keys and the headings."""
TODAY = datetime.now(UTC).date()
CONCLUDED = TODAY - timedelta(days=10)
OWN_VARIABLES = (
    *("CONFIG", "DB", "DATA_KEY", "URL", "PARTY", "KEY", "GATEWAY", "GATEWAY_KEYS", "JOURNAL"),
    *("DECRYPTION_KEY", "CLOCK_OFFSET_SECONDS"),
)
_CLEAN = {f"XIANJIE_{name}": None for name in OWN_VARIABLES}


def party_of(agency: str) -> str:
    return f"cn/agency/{agency}.520102"


@dataclass
class Installed:
    """One folder with everything in it: `gw/` of the administrator, `court/` and a folder an agency of theirs."""

    folder: Path
    url: str = NOWHERE

    @property
    def config_path(self) -> Path:
        return self.folder / "gw" / "xianjie.toml"

    def run(self, *arguments: str | Path, env: Mapping[str, str | None] | None = None) -> Result:
        """Any command of the administrator."""
        return run("--config", self.config_path, *arguments, env=env)

    def done(self, *arguments: str | Path) -> Result:
        """One that must go well."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result

    def json(self, *arguments: str | Path) -> Any:
        """What a command tells a machine."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def as_partner(self, name: str, party_id: str, *arguments: str | Path, **changes: str) -> Result:
        """Any command of a partner, told by its environment who it is."""
        own = self.folder / name
        env = {
            "XIANJIE_URL": self.url,
            "XIANJIE_PARTY": party_id,
            "XIANJIE_KEY": str(own / "own.pem"),
            "XIANJIE_GATEWAY": GATEWAY,
            "XIANJIE_GATEWAY_KEYS": str(self.folder / "gateway-keys.json"),
            "XIANJIE_JOURNAL": str(own / "journal.sqlite"),
            **changes,
        }
        return run(*arguments, env=env)

    def send(self, *arguments: str | Path, **changes: str) -> Result:
        """The court's."""
        return self.as_partner("court", COURT, "send", *arguments, **changes)

    def inbox(self, *arguments: str | Path, agency: str = "womens_federation", **changes: str) -> Result:
        """An office's."""
        return self.as_partner(agency, party_of(agency), "inbox", *arguments, **changes)

    @contextmanager
    def context(self) -> Iterator[Context]:
        """The gateway, to look into."""
        made = build_context(load(self.config_path))
        try:
            yield made
        finally:
            made.store.close()

    def dispatch(self) -> int:
        """What the worker does with all that waits; the number of handoffs."""
        clock, count = Clock(load(self.config_path)), 0
        with self.context() as context:
            while done := dispatch(context, now=clock()).handoffs:
                count += done
        return count

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The web application answers at `url` meanwhile."""
        config = load(self.config_path)
        with self.context() as context:
            server = open_server(
                create_site(context, Clock(config), public_url=None), host="127.0.0.1", port=0, threads=4
            )
            thread = threading.Thread(target=server.asyncore.loop, kwargs={"timeout": 0.05, "map": server._map})
            thread.start()
            self.url = f"http://127.0.0.1:{server.effective_port}"
            try:
                yield
            finally:
                server.task_dispatcher.shutdown(timeout=5)
                for channel in list(server._map.values()):
                    channel.close()
                thread.join(10)
                self.url = NOWHERE
                assert not thread.is_alive()


def run(*arguments: str | Path, env: Mapping[str, str | None] | None = None) -> Result:
    """A command as a user types it; whatever it raises that is no error of ours is a bug and is raised here."""
    result = CliRunner().invoke(root, [str(one) for one in arguments], env={**_CLEAN, **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def install(folder: Path) -> Installed:
    """The whole of it: gateway, agreement, a court, three offices, each with its key registered."""
    made = Installed(folder)
    assert run("init", folder / "gw", "--party", GATEWAY, "--region", "520000").exit_code == 0
    text = made.config_path.read_text(encoding="utf-8")
    made.config_path.write_text(text.replace("[adapters]", "demo = true\n\n[adapters]"), encoding="utf-8")
    sample = folder / "agreement.toml"
    sample.write_bytes(files("gateway.domain.rules").joinpath("agreement_sample.toml").read_bytes())
    made.done("agreement", "load", sample)
    join(made, "court", COURT, "court", "520100")
    for agency, channel in OFFICES.items():
        join(made, agency, party_of(agency), "agency", "520102")
        put_office(made, agency, channel)
    made.done("keys", "publish", folder / "gateway-keys.json")
    return made


def join(made: Installed, name: str, party_id: str, kind: str, region: str) -> None:
    """A partner makes its key and hands the public half over."""
    made.done("party", "add", party_id, "--kind", kind, "--name", "测试单位", "--region", region)
    made.done("keys", "generate", party_id, "--out", made.folder / name / "own.pem")
    made.done("keys", "register", party_id, made.folder / name / "own.jwk")


def put_office(made: Installed, agency: str, channel: str) -> None:
    """Registers the office in Nanming, or changes how it is reached."""
    address = ["--url", NOWHERE] if channel == "push" else []
    place = ["--party", party_of(agency), "--agency", agency, "--region", "520102", "--channel", channel]
    made.done("office", "put", f"{agency}-520102", *place, *address)


def a_row(number: int, **changes: Any) -> dict[str, Any]:
    """What a court's file holds of one referral; each number is another person and another case."""
    body = a_referral_body()
    honest = {
        "referral_id": f"r-{number}",
        "case_number": f"（{CONCLUDED.year}）黔01司救执{number}号",
        "original_case_group": f"（{CONCLUDED.year - 1}）黔0102民初{number}号",
        "concluded_on": CONCLUDED.isoformat(),
        "notice_given_at": CONCLUDED.isoformat(),
        "survey": body["survey"] | {"date": (CONCLUDED - timedelta(days=5)).isoformat()},
        "person": body["person"] | {"name": f"测试甲{number}", "id_number": an_id_number(serial=number)},
    }
    return body | honest | changes


def ndjson(path: Path, *rows: Any) -> Path:
    """A file of rows; a text is written as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def fill(sheet: Path, *answers: Mapping[str, str]) -> Path:
    """A clerk opens the sheet, writes into the rows from the first on, and saves."""
    book = openpyxl.load_workbook(sheet)
    page = book.worksheets[0]
    columns = {str(cell.value): cell.column for cell in page[1]}
    for at, answer in enumerate(answers):
        for key, value in answer.items():
            page.cell(FIRST_ROW + at, columns[key]).value = value or None
    book.save(sheet)
    return sheet


def mode(path: Path) -> int:
    """Permission bits."""
    return path.stat().st_mode & 0o777
